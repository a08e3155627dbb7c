/* The kinds of jobs there are, and what each can be asked for. */
#ifndef UPLIFT_BATCH_KINDS_H
#define UPLIFT_BATCH_KINDS_H

#include "common/must_check.h"
#include "job.h"

enum argument_kind { ARG_TEXT, ARG_UUID, ARG_INTEGER, ARG_NUMBER, ARG_BOOL, ARG_OBJECT };

struct job_argument {
    const char *name; /* as in JSON; --the-name on the command line */
    enum argument_kind kind;
    bool required;
    const char *choices; /* separated by |, or NULL */
    const char *meaning;
};

struct job_kind {
    const char *name; /* as in uplift.batch_kinds */
    const char *meaning;
    const struct job_argument *arguments; /* ends with a name that is NULL; NULL: none */
    enum job_outcome (*run)(struct job *j);
};

extern const struct job_kind job_kinds[]; /* ends with a name that is NULL */

/* The kind of that name, or NULL. */
const struct job_kind *job_kind_find(const char *name);
/* Whether arguments, an object, is what this kind takes: every key known and of its type, none
 * missing. False with *error filled in (400). */
MUST_CHECK bool job_kind_check(const struct job_kind *kind, const cJSON *arguments,
                               struct api_error *error);
/*
 * Adds the argument NAME (with - for _) with a value as it is typed on a command line to arguments,
 * an object: numbers and true or false become such. False with *error filled in.
 */
MUST_CHECK bool job_kind_add_argument(const struct job_kind *kind, cJSON *arguments,
                                      const char *name, const char *value, struct api_error *error);

/* --- the jobs, each in the file named --- */

extern const struct job_argument export_dataset_arguments[]; /* job_export.c */
enum job_outcome job_export_dataset(struct job *j);
extern const struct job_argument fine_tune_arguments[]; /* job_finetune.c */
enum job_outcome job_fine_tune(struct job *j);
extern const struct job_argument refresh_model_metrics_arguments[]; /* job_models.c */
enum job_outcome job_refresh_model_metrics(struct job *j);
enum job_outcome job_roll_up_usage(struct job *j); /* job_usage.c */
enum job_outcome job_trim_cache(struct job *j);    /* job_trim.c */
enum job_outcome job_count_knowledge_use(struct job *j);
enum job_outcome job_trim_errors(struct job *j);
extern const struct job_argument measure_context_arguments[]; /* job_effects.c */
enum job_outcome job_measure_context(struct job *j);
extern const struct job_argument extract_memories_arguments[]; /* job_memories.c */
enum job_outcome job_extract_memories(struct job *j);
extern const struct job_argument refresh_contexts_arguments[]; /* job_contexts.c */
enum job_outcome job_refresh_contexts(struct job *j);
enum job_outcome job_refresh_examples(struct job *j);
extern const struct job_argument read_feedback_arguments[]; /* job_feedback.c */
enum job_outcome job_read_feedback(struct job *j);
extern const struct job_argument summarise_conversations_arguments[]; /* job_summaries.c */
enum job_outcome job_summarise_conversations(struct job *j);
extern const struct job_argument import_knowledge_arguments[]; /* job_knowledge.c */
enum job_outcome job_import_knowledge(struct job *j);
extern const struct job_argument embed_knowledge_arguments[]; /* job_embeddings.c */
enum job_outcome job_embed_knowledge(struct job *j);
extern const struct job_argument measure_experiments_arguments[]; /* job_experiments.c */
enum job_outcome job_measure_experiments(struct job *j);
enum job_outcome job_watch_rollouts(struct job *j);
extern const struct job_argument autopilot_arguments[]; /* job_autopilot.c */
enum job_outcome job_autopilot(struct job *j);
extern const struct job_argument train_thumb_model_arguments[]; /* job_thumbs.c */
enum job_outcome job_train_thumb_model(struct job *j);
extern const struct job_argument score_answers_arguments[];
enum job_outcome job_score_answers(struct job *j);
enum job_outcome job_measure_predictions(struct job *j);      /* job_predictions.c */
extern const struct job_argument write_playbooks_arguments[]; /* job_playbooks.c */
enum job_outcome job_write_playbooks(struct job *j);
enum job_outcome job_finish_erasures(struct job *j);   /* job_erasures.c */
enum job_outcome job_enforce_retention(struct job *j); /* job_retention.c */
enum job_outcome job_check_models(struct job *j);
extern const struct job_argument generate_training_data_arguments[]; /* job_training.c */
enum job_outcome job_generate_training_data(struct job *j);

#endif
