/* How far two names are apart, for did-you-mean. */
#ifndef UPLIFT_SPELLING_H
#define UPLIFT_SPELLING_H

#define SPELLING_MAX 64 /* bytes of a name that is looked at */

/* The edit distance of two short names; swapped neighbours count one. INT_MAX when either is longer
 * than SPELLING_MAX. */
int spelling_distance(const char *a, const char *b);

#endif
