/* Training files: JSON lines in OpenAI's formats for supervised fine-tuning and for DPO. */
#ifndef UPLIFT_SIMULATOR_TRAINING_H
#define UPLIFT_SIMULATOR_TRAINING_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define TRAINING_EXAMPLES_MIN 10

struct training {
    size_t examples;
    size_t tokens; /* of one epoch, about four bytes each */
    char code[40]; /* what is wrong with the file; "" when nothing */
    char message[256];
};

/* Reads a whole file. False with code and message filled in when it cannot be trained on. */
bool training_read(const struct buf *file, bool dpo, struct training *out);

#endif
