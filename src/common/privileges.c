#include "privileges.h"

#include "log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

bool privileges_plan(struct privileges *p, const char *run_as)
{
    p->user = run_as;
    p->uid = (uid_t)-1;
    p->gid = (gid_t)-1;
    if (run_as == NULL) {
        if (geteuid() != 0)
            return true;
        log_error("master", "refusing to run as root: set UPLIFT_RUN_AS to the user to become");
        return false;
    }
    errno = 0;
    const struct passwd *user = getpwnam(run_as);
    if (user == NULL) {
        log_error("master", "could not find the user %s of UPLIFT_RUN_AS: %s", run_as,
                  errno != 0 ? strerror(errno) : "no such user");
        return false;
    }
    if (geteuid() == user->pw_uid && user->pw_uid != 0)
        return true;
    if (geteuid() != 0) {
        log_error("master", "cannot become %s (UPLIFT_RUN_AS): only root can", run_as);
        return false;
    }
    if (user->pw_uid == 0)
        log_warn("master", "UPLIFT_RUN_AS is root: a mistake in a worker would cost the machine");
    p->uid = user->pw_uid;
    p->gid = user->pw_gid;
    return true;
}

bool privileges_drop(const struct privileges *p)
{
    if (p->uid == (uid_t)-1)
        return true;
    if (initgroups(p->user, p->gid) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0) {
        log_error("master", "could not become %s: %s", p->user, strerror(errno));
        return false;
    }
    if (p->uid != 0 && (setuid(0) == 0 || geteuid() == 0)) {
        log_error("master", "still root after becoming %s", p->user);
        return false;
    }
    return true;
}
