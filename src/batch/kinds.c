/* The kinds of jobs, and the check of what they are asked for. */
#include "kinds.h"

#include "common/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT_TEXT_MAX 1000 /* bytes of a text argument */

const struct job_kind job_kinds[] = {
    {"generate-training-data", "Brings the training examples in step with feedback.",
     generate_training_data_arguments, job_generate_training_data},
    {"export-dataset", "Writes a dataset into the export directory, in a trainer's format.",
     export_dataset_arguments, job_export_dataset},
    {"fine-tune", "Trains a model on a dataset, and makes it a model version in staging.",
     fine_tune_arguments, job_fine_tune},
    {"refresh-model-metrics", "Works out how each model version does in production.",
     refresh_model_metrics_arguments, job_refresh_model_metrics},
    {"roll-up-usage",
     "Counts the answers of each hour and day: requests, users, tokens, cost, latency, feedback.",
     NULL, job_roll_up_usage},
    {"trim-cache", "Counts hits of the response cache, and keeps it within its size.", NULL,
     job_trim_cache},
    {"extract-memories", "Finds what is worth remembering in what users said.",
     extract_memories_arguments, job_extract_memories},
    {"refresh-examples", "Looks again which liked answers may be shown as examples.", NULL,
     job_refresh_examples},
    {"refresh-contexts", "Makes ready what is known of users, for their next chats.",
     refresh_contexts_arguments, job_refresh_contexts},
    {"read-feedback", "Has a model read what people wrote in feedback and rules do not understand.",
     read_feedback_arguments, job_read_feedback},
    {"summarise-conversations", "Summarises what of long conversations does not go along any more.",
     summarise_conversations_arguments, job_summarise_conversations},
    {"count-knowledge-use",
     "Counts how often sources of knowledge were offered, and the thumbs for and against them.",
     NULL, job_count_knowledge_use},
    {"measure-context",
     "Compares ratings of answers with memories, passages, knowledge and examples, and without.",
     measure_context_arguments, job_measure_context},
    {"import-knowledge", "Takes files and pages of the web into what coaches know.",
     import_knowledge_arguments, job_import_knowledge},
    {"embed-knowledge", "Makes embeddings of knowledge, so that it is found by what it means.",
     embed_knowledge_arguments, job_embed_knowledge},
    {"measure-experiments", "Counts what users of experiments did, and judges it.",
     measure_experiments_arguments, job_measure_experiments},
    {"watch-rollouts", "Measures rollouts, and takes the step that their evidence calls for.", NULL,
     job_watch_rollouts},
    {"autopilot", "Takes the next steps of autopilot, where it is on.", autopilot_arguments,
     job_autopilot},
    {"train-thumb-model", "Trains the model of what thumb an answer will get.",
     train_thumb_model_arguments, job_train_thumb_model},
    {"score-answers", "Foretells the thumbs of new answers, and takes down those that came.",
     score_answers_arguments, job_score_answers},
    {"measure-predictions",
     "Measures how good predictions are, by day, and whether that gets worse.", NULL,
     job_measure_predictions},
    {"write-playbooks", "Makes guidelines for coaches of what users wrote about answers.",
     write_playbooks_arguments, job_write_playbooks},
    {"trim-errors", "Forgets failures of long ago.", NULL, job_trim_errors},
    {"finish-erasures", "Deletes files with texts of users who had everything erased.", NULL,
     job_finish_erasures},
    {"enforce-retention", "Deletes what is kept for some days only and is older.", NULL,
     job_enforce_retention},
    {"check-models", "Asks when base models in use will be shut down.", NULL, job_check_models},
    {NULL, NULL, NULL, NULL},
};

const struct job_kind *job_kind_find(const char *name)
{
    for (const struct job_kind *k = job_kinds; k->name != NULL; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

static const struct job_argument *find_argument(const struct job_kind *kind, const char *name)
{
    for (const struct job_argument *a = kind->arguments; a != NULL && a->name != NULL; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *p = choices; *p != '\0';) {
        size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, text, n) == 0)
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

/* What is wrong with a value, or NULL. */
static const char *wrong_value(const struct job_argument *a, const cJSON *value)
{
    struct uuid id;
    switch (a->kind) {
    case ARG_TEXT:
        if (!cJSON_IsString(value) || value->valuestring[0] == '\0' ||
            strlen(value->valuestring) > ARGUMENT_TEXT_MAX)
            return "must be a text of 1 to 1000 bytes";
        if (a->choices != NULL && !is_choice(a->choices, value->valuestring))
            return "must be one of";
        return NULL;
    case ARG_UUID:
        return cJSON_IsString(value) && uuid_parse(value->valuestring, &id) ? NULL
                                                                            : "must be a UUID";
    case ARG_INTEGER:
        return cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble) &&
                       fabs(value->valuedouble) < 1e15
                   ? NULL
                   : "must be a whole number";
    case ARG_NUMBER:
        return cJSON_IsNumber(value) ? NULL : "must be a number";
    case ARG_BOOL:
        return cJSON_IsBool(value) ? NULL : "must be true or false";
    case ARG_OBJECT:
        return cJSON_IsObject(value) ? NULL : "must be an object";
    }
    return "is of no known kind";
}

bool job_kind_check(const struct job_kind *kind, const cJSON *arguments, struct api_error *error)
{
    const cJSON *value;
    cJSON_ArrayForEach (value, arguments) {
        const struct job_argument *a = find_argument(kind, value->string);
        if (a == NULL)
            return api_error(error, 400, "unknown_argument", value->string,
                             "%s has no argument %.60s; fcgi-batch kinds lists them", kind->name,
                             value->string);
        const char *wrong = wrong_value(a, value);
        if (wrong != NULL)
            return api_error(error, 400, "invalid_argument", a->name, "%s %s%s%s", a->name, wrong,
                             a->choices != NULL ? " " : "", a->choices != NULL ? a->choices : "");
    }
    for (const struct job_argument *a = kind->arguments; a != NULL && a->name != NULL; a++)
        if (a->required && !cJSON_HasObjectItem(arguments, a->name))
            return api_error(error, 400, "missing_argument", a->name, "%s needs %s: %s", kind->name,
                             a->name, a->meaning);
    return true;
}

/* The value as typed, in the type the argument has; a wrong one stays text, for the check to
 * refuse. */
static cJSON *typed_value(const struct job_argument *a, const char *text)
{
    char *end;
    struct json_error reason;
    cJSON *value = NULL;
    switch (a->kind) {
    case ARG_INTEGER:
    case ARG_NUMBER: {
        double number = strtod(text, &end);
        if (*text != '\0' && *end == '\0')
            value = cJSON_CreateNumber(number);
        break;
    }
    case ARG_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            value = cJSON_CreateBool(*text == 't');
        break;
    case ARG_OBJECT:
        value = json_parse(text, strlen(text), &reason);
        break;
    default:
        break;
    }
    return value != NULL ? value : cJSON_CreateString(text);
}

bool job_kind_add_argument(const struct job_kind *kind, cJSON *arguments, const char *name,
                           const char *value, struct api_error *error)
{
    char key[64];
    size_t len = strlen(name);
    const struct job_argument *a = NULL;
    if (len < sizeof key) {
        for (size_t i = 0; i <= len; i++)
            key[i] = name[i] == '-' ? '_' : name[i];
        a = find_argument(kind, key);
    }
    if (a == NULL)
        return api_error(error, 400, "unknown_argument", "", "%s has no argument --%.60s",
                         kind->name, name);
    if (cJSON_HasObjectItem(arguments, a->name))
        return api_error(error, 400, "repeated_argument", a->name, "--%.60s is there twice", name);
    if (value == NULL && a->kind == ARG_BOOL)
        value = "true";
    if (value == NULL)
        return api_error(error, 400, "missing_argument", a->name, "--%.60s needs a value", name);
    if (!cJSON_AddItemToObject(arguments, a->name, typed_value(a, value)))
        return api_error(error, 503, "out_of_memory", "", "out of memory");
    return true;
}
