/* What all trainers share. */
#include "trainer.h"

#include "common/json.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <string.h>

#define COUNT_MAX 9e15 /* a double holds all smaller ones */

const struct trainer *trainer_find(const char *name)
{
    static const struct trainer *const all[] = {&trainer_openai, &trainer_command};
    for (size_t i = 0; name != NULL && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

void trainer_report_init(struct trainer_report *report)
{
    *report = (struct trainer_report){.progress = -1, .events = cJSON_CreateArray()};
}

void trainer_report_release(struct trainer_report *report)
{
    cJSON_Delete(report->metrics);
    cJSON_Delete(report->events);
    report->metrics = report->events = NULL;
}

bool trainer_problem(struct trainer_problem *p, bool is_final, const char *code, const char *advice,
                     const char *format, ...)
{
    va_list args;
    *p = (struct trainer_problem){.is_final = is_final};
    utf8_copy(p->code, sizeof p->code, code);
    utf8_copy(p->advice, sizeof p->advice, advice);
    va_start(args, format);
    utf8_vprint(p->message, sizeof p->message, format, args);
    va_end(args);
    return false;
}

int64_t trainer_count(const cJSON *object, const char *key)
{
    double count = json_number(object, key, 0);
    return count >= 1 && count < COUNT_MAX ? (int64_t)count : 0;
}

double trainer_percent(double step, double steps)
{
    if (!(steps > 0) || !(step >= 0))
        return -1;
    return step < steps ? 100 * step / steps : 100;
}

const char *trainer_kept(const struct trainer_run *run, const char *key)
{
    return json_string(run->kept, key);
}

bool trainer_keep(struct trainer_run *run, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(run->kept, key);
    cJSON_AddStringToObject(run->kept, key, value);
    return job_save(run->job);
}
