/* Memory that all workers share; see shared.h. */
#include "shared.h"

#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct shared *shared_new(void)
{
    const int flags = MAP_SHARED | MAP_ANONYMOUS;
    /* cppcheck-suppress invalidFunctionArg; -1 is what MAP_ANONYMOUS asks for */
    struct shared *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at != MAP_FAILED) {
        worker_slots_init(&at->slots);
        return at;
    }
    log_error("master", "cannot make the workers' shared memory: %s", strerror(errno));
    return NULL;
}
