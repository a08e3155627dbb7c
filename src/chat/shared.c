/* Memory that all workers share; see shared.h. */
#include "shared.h"

#include "../common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct shared *shared_new(void)
{
    const int flags = MAP_SHARED | MAP_ANONYMOUS;
    /* cppcheck-suppress invalidFunctionArg; -1 is what MAP_ANONYMOUS asks for */
    void *at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at != MAP_FAILED)
        return at;
    log_error("master", "cannot make the workers' shared memory: %s", strerror(errno));
    return NULL;
}
