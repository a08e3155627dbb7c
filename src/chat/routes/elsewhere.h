/* Paths that clients of other APIs call by default and that are not here: what to call instead. */
#ifndef UPLIFT_ELSEWHERE_H
#define UPLIFT_ELSEWHERE_H

/* Advice for whoever called the path, a clause without a full stop; NULL where there is none. */
const char *elsewhere_advice(const char *path);

#endif
