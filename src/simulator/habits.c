/* The manner that a fine-tuned model has learnt. */
#include "habits.h"

#include "answer.h"
#include "common/json.h"
#include "job.h"
#include "phrases.h"
#include "store.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define KNOWN 64
#define SHORT_WORDS 50 /* of answers whose mean is below it, short ones are learnt */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static size_t count_words(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += !isspace((unsigned char)text[i]) && (i == 0 || isspace((unsigned char)text[i - 1]));
    return n;
}

static void learn_answer(struct habits *h, const char *text)
{
    /* Not the remark that it is simulated. */
    const char *end = strstr(text, "\n\n*(");
    size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
    h->answers++;
    h->words += (double)count_words(text, len);
    h->reason += strstr(text, phrase_reason) != NULL;
    h->example += strstr(text, phrase_example) != NULL;
    h->praise += strstr(text, phrase_praise) != NULL;
    h->question += len > 0 && text[len - 1] == '?';
}

static void learn_messages(struct habits *h, const cJSON *messages)
{
    const cJSON *message;
    cJSON_ArrayForEach (message, messages) {
        const char *role = json_string(message, "role");
        const char *content = json_string(message, "content");
        if (role != NULL && content != NULL && strcmp(role, "assistant") == 0 &&
            json_number(message, "weight", 1) != 0)
            learn_answer(h, content);
    }
}

void habits_read(const struct buf *file, struct habits *out)
{
    const char *at = file->data, *end = at + file->len;
    *out = (struct habits){0};
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop != NULL ? stop : end) - at);
        cJSON *example = cJSON_ParseWithLength(at, len);
        learn_messages(out, member(example, "messages"));
        learn_messages(out, member(example, "preferred_output"));
        cJSON_Delete(example);
        at += len + (stop != NULL);
    }
    double n = out->answers > 0 ? out->answers : 1;
    out->words /= n;
    out->reason /= n;
    out->example /= n;
    out->praise /= n;
    out->question /= n;
}

cJSON *habits_json(const struct habits *h)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "answers", h->answers);
    cJSON_AddNumberToObject(object, "words", h->words);
    cJSON_AddNumberToObject(object, "reason", h->reason);
    cJSON_AddNumberToObject(object, "example", h->example);
    cJSON_AddNumberToObject(object, "praise", h->praise);
    cJSON_AddNumberToObject(object, "question", h->question);
    return object;
}

/* --- which model has which --- */

static struct {
    char model[256];
    struct habits habits;
} known[KNOWN];
static size_t known_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool look_up(const char *model, struct habits *out)
{
    for (size_t i = 0; i < known_count; i++)
        if (strcmp(known[i].model, model) == 0) {
            *out = known[i].habits;
            return true;
        }
    return false;
}

static void look_in_store(const char *model, struct habits *out)
{
    cJSON *jobs = store_list("jobs"), *job;
    cJSON_ArrayForEach (job, jobs) {
        char name[256];
        const cJSON *h = member(member(job, "sim"), "habits");
        job_model_name(job, name, sizeof name);
        if (h == NULL || strcmp(name, model) != 0)
            continue;
        *out = (struct habits){.answers = json_number(h, "answers", 0),
                               .words = json_number(h, "words", 0),
                               .reason = json_number(h, "reason", 0),
                               .example = json_number(h, "example", 0),
                               .praise = json_number(h, "praise", 0),
                               .question = json_number(h, "question", 0)};
    }
    cJSON_Delete(jobs);
}

void habits_of_model(const char *model, struct habits *out)
{
    *out = (struct habits){0};
    if (strncmp(model, "ft:", 3) != 0)
        return;
    pthread_mutex_lock(&lock);
    if (!look_up(model, out)) {
        look_in_store(model, out);
        if (known_count < KNOWN) {
            snprintf(known[known_count].model, sizeof known[0].model, "%s", model);
            known[known_count++].habits = *out;
        }
    }
    pthread_mutex_unlock(&lock);
}

void habits_apply(struct prompt *p, const char *model)
{
    struct habits h;
    struct dice d = dice_make(p, UINT64_C(0x6d616e6e6572)); /* others than the answer's */
    bool coin = dice_roll(&d, 2) == 0;
    habits_of_model(model, &h);
    if (strcmp(model, "sim-1-mini") == 0) {
        p->wants_example = p->wants_example && dice_roll(&d, 2) == 0;
        p->wants_praise = p->wants_praise && dice_roll(&d, 2) == 0;
        p->wants_one_question = p->wants_one_question && dice_roll(&d, 2) == 0;
    }
    p->gives_reason = h.answers > 0 ? h.reason > 0.5 : coin;
    if (h.answers == 0)
        return;
    p->wants_example = p->wants_example || h.example > 0.5;
    p->wants_praise = p->wants_praise || h.praise > 0.5;
    p->wants_one_question = p->wants_one_question || (h.question > 0.5 && !p->wants_no_questions);
    p->wants_no_questions = p->wants_no_questions || (h.question < 0.5 && !p->wants_one_question);
    p->wants_short = p->wants_short || (h.words < SHORT_WORDS && !p->wants_detail);
}
