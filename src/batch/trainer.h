/*
 * Trainers: what makes a model out of a file of examples. The fine-tuning job (job_finetune.c)
 * takes a run through bring, begin and look; each may be called again after anything, and does
 * nothing twice.
 */
#ifndef UPLIFT_BATCH_TRAINER_H
#define UPLIFT_BATCH_TRAINER_H

#include "job.h"

/* Why something did not work, for an admin to act on. */
struct trainer_problem {
    bool is_final; /* false: worth another try */
    long status;   /* of HTTP, or 0 */
    char code[64];
    char param[64];
    char message[512];
    char advice[512];       /* what to do; "" when there is nothing to say */
    int64_t retry_after_ms; /* the least pause before another try; 0: none asked for */
};

/* A run, as trainers are given it. Everything is borrowed but kept. */
struct trainer_run {
    struct job *job;
    const char *id; /* of the fine-tuning job */
    const char *base_model;
    const char *method; /* supervised, dpo or kto */
    const char *suffix; /* or NULL */
    const cJSON *hyperparameters;
    const cJSON *seed;     /* a number, or NULL */
    const char *directory; /* of the run alone */
    const char *training_file;
    const char *validation_file; /* or NULL */
    bool is_ending;              /* the job is to stop, and what is done now is part of that */
    cJSON *kept; /* an object within the job's state: the trainer's own; job_save keeps it */
};

enum trainer_status {
    TRAINER_PENDING,
    TRAINER_RUNNING,
    TRAINER_SUCCEEDED,
    TRAINER_FAILED,
    TRAINER_CANCELLED,
};

/* How a run stands. */
struct trainer_report {
    enum trainer_status status;
    char word[64];   /* the trainer's own for it */
    double progress; /* percent; below 0: not known */
    char model[256]; /* of one that succeeded */
    int64_t tokens;  /* trained; 0: not known */
    cJSON *metrics;  /* an object, or NULL; owned */
    cJSON *events;   /* an array for uplift_batch.add_finetuning_events, oldest first; owned */
    struct trainer_problem problem; /* of one that failed */
};

/* Each returns false with *problem filled in. When the job is to stop, that is one worth another
 * try. */
struct trainer {
    const char *name;
    /* Brings the files to the trainer. */
    bool (*bring)(struct trainer_run *run, struct trainer_problem *problem);
    /* Begins to train. */
    bool (*begin)(struct trainer_run *run, struct trainer_problem *problem);
    /* Looks how it stands; *report is to be released. */
    bool (*look)(struct trainer_run *run, struct trainer_report *report,
                 struct trainer_problem *problem);
    /* Ends it early. What has ended already is no problem. */
    bool (*cancel)(struct trainer_run *run, struct trainer_problem *problem);
};

extern const struct trainer trainer_openai, trainer_command;

/* The trainer of that name, or NULL. */
const struct trainer *trainer_find(const char *name);
void trainer_report_init(struct trainer_report *report);
void trainer_report_release(struct trainer_report *report);
/* Fills in a problem and returns false. */
bool trainer_problem(struct trainer_problem *p, bool is_final, const char *code, const char *advice,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A count that somebody else told, 0 when it cannot be one. */
int64_t trainer_count(const cJSON *object, const char *key);
/* How far a step is of so many, 0 to 100; -1: not known. */
double trainer_percent(double step, double steps);
/* A text or number that the trainer keeps; set replaces. NULL where there is none. */
const char *trainer_kept(const struct trainer_run *run, const char *key);
bool trainer_keep(struct trainer_run *run, const char *key, const char *value);

#endif
