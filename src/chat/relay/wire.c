/* Which protocol is which; see wire.h. */
#include "wire.h"

const struct wire *wire_of(enum chat_protocol protocol)
{
    static const struct wire *const wires[] = {
        [CHAT_NATIVE] = &wire_native,
        [CHAT_OPENAI] = &wire_openai,
    };
    return wires[protocol];
}
