/* The one table of options: what is read, --help, --check, the man page (by a test) and every check
 * of a value follow it. */
#ifndef UPLIFT_CONFIG_OPTIONS_H
#define UPLIFT_CONFIG_OPTIONS_H

#include "config_value.h"

#include <stddef.h>

#define CONFIG_OPTIONS_MAX 150

/* config_option_count of them, at most CONFIG_OPTIONS_MAX; their offsets are those in struct
 * config.
 */
extern const struct config_option config_options[];
extern const size_t config_option_count;

#endif
