/* For functions whose result a caller has to look at: what they say is lost, or leaks, otherwise.
 */
#ifndef UPLIFT_MUST_CHECK_H
#define UPLIFT_MUST_CHECK_H

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
