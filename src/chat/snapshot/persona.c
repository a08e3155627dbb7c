/* The last known personas; see persona.h. */
#include "persona.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/kept_file.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "personas.json"
#define FILE_MAX ((size_t)32 * 1024 * 1024)
#define DEFAULT_COACH "coach_decibel_avatar"
#define DEFAULT_SEVERITY 3.0
#define DEFAULT_MODE "default"
#define SEVERITY_ROOM 8
#define GENERIC_PROMPT                                                                             \
    "You are a friendly and honest coach. Answer briefly and concretely, and encourage the "       \
    "person you talk to."

struct persona {
    char *coach_id, *name, *mode;
    char *opening, *personality, *rules, *tone; /* the prompt, with the severity before tone */
    int band;
};

struct personas {
    char *dir;
    pthread_mutex_t lock; /* guards all below */
    struct persona *list;
    size_t count;
    char *default_coach; /* NULL when nothing is known */
    char *coaches_json;  /* as uplift_chat.list_coaches() gave it */
    char *file_text;     /* what the file holds, to write it only when it changes */
};

static const struct pg_statement list_personas = {
    .name = "list_personas",
    .sql = "select coach_id, name, severity_band, mode, opening, personality, rules, tone from "
           "uplift_chat.list_personas() "
           "order by coach_id, mode, severity_band",
    .params = 0};
static const struct pg_statement list_coaches = {
    .name = "list_coaches", .sql = "select uplift_chat.list_coaches()", .params = 0};

int persona_band(double severity)
{
    static const double cuts[] = {1.6, 2.6, 3.6, 4.6, 5.6};
    int band = 1;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        if (severity >= cuts[i])
            band++;
    return band;
}

static void free_list(struct persona *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].coach_id);
        free(list[i].name);
        free(list[i].mode);
        free(list[i].opening);
        free(list[i].personality);
        free(list[i].rules);
        free(list[i].tone);
    }
    free(list);
}

/* --- the text both Postgres's answer and the file are turned into, and read from --- */

static bool put_field(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s\"%s\":", key[0] == 'c' ? "" : ",", key);
    return buf_json_string(b, value, strlen(value));
}

static bool text_from_results(struct buf *b, PGresult *rows, const char *coaches_json)
{
    buf_puts(b, "{\"coaches\":");
    buf_puts(b, coaches_json != NULL ? coaches_json : "null");
    buf_puts(b, ",\"personas\":[");
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_puts(b, i > 0 ? ",{" : "{");
        put_field(b, "coach_id", PQgetvalue(rows, i, 0));
        put_field(b, "name", PQgetvalue(rows, i, 1));
        buf_printf(b, ",\"severity_band\":%d", (int)strtol(PQgetvalue(rows, i, 2), NULL, 10));
        put_field(b, "mode", PQgetvalue(rows, i, 3));
        put_field(b, "opening", PQgetvalue(rows, i, 4));
        put_field(b, "personality", PQgetvalue(rows, i, 5));
        put_field(b, "rules", PQgetvalue(rows, i, 6));
        put_field(b, "tone", PQgetvalue(rows, i, 7));
        buf_putc(b, '}');
    }
    buf_puts(b, "]}\n");
    return !b->failed;
}

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static bool read_persona(const cJSON *o, struct persona *out)
{
    *out = (struct persona){.coach_id = copy(json_string(o, "coach_id")),
                            .name = copy(json_string(o, "name")),
                            .mode = copy(json_string(o, "mode")),
                            .opening = copy(json_string(o, "opening")),
                            .personality = copy(json_string(o, "personality")),
                            .rules = copy(json_string(o, "rules")),
                            .tone = copy(json_string(o, "tone")),
                            .band = (int)json_number(o, "severity_band", 3)};
    return out->coach_id != NULL && out->name != NULL && out->mode != NULL &&
           out->opening != NULL && *out->opening != '\0' && out->personality != NULL &&
           out->rules != NULL && out->tone != NULL;
}

/* The coach marked as default, else the well-known one, else the first. */
static const char *pick_default(const cJSON *coaches, const struct persona *list, size_t count)
{
    const cJSON *coach;
    cJSON_ArrayForEach (coach, cJSON_GetObjectItemCaseSensitive(coaches, "data")) {
        const char *id = json_string(coach, "id");
        if (id != NULL && json_bool(coach, "default", false))
            for (size_t i = 0; i < count; i++)
                if (strcmp(list[i].coach_id, id) == 0)
                    return list[i].coach_id;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].coach_id, DEFAULT_COACH) == 0)
            return list[i].coach_id;
    return count > 0 ? list[0].coach_id : NULL;
}

/* Replaces all by what text says, and takes text. False (text freed, nothing changed) when it does
 * not fit or names nobody. */
static bool replace_all(struct personas *p, char *text)
{
    struct json_error error = {{0}, {0}};
    struct persona *list = NULL;
    size_t count = 0;
    char *coaches_json = NULL, *default_coach = NULL;
    bool good = false;

    cJSON *root = json_parse(text, strlen(text), &error);
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(root, "personas");
    const cJSON *coaches = cJSON_GetObjectItemCaseSensitive(root, "coaches");
    int size = cJSON_GetArraySize(array);
    if (size <= 0) {
        log_warn("personas", "no persona is known: %s",
                 root == NULL ? error.message : "an empty list");
        goto out;
    }
    list = calloc((size_t)size, sizeof *list);
    const cJSON *item;
    cJSON_ArrayForEach (item, array) {
        if (list == NULL || !read_persona(item, &list[count++]))
            goto out;
    }
    default_coach = copy(pick_default(coaches, list, count));
    coaches_json = cJSON_IsObject(coaches) ? cJSON_PrintUnformatted(coaches) : NULL;
    good = default_coach != NULL;
out:
    cJSON_Delete(root);
    if (!good) {
        free_list(list, count);
        free(default_coach);
        free(coaches_json);
        free(text);
        return false;
    }
    pthread_mutex_lock(&p->lock);
    free_list(p->list, p->count);
    free(p->default_coach);
    free(p->coaches_json);
    free(p->file_text);
    p->list = list;
    p->count = count;
    p->default_coach = default_coach;
    p->coaches_json = coaches_json;
    p->file_text = text;
    pthread_mutex_unlock(&p->lock);
    return true;
}

/* --- the interface --- */

struct personas *personas_new(const char *dir)
{
    struct personas *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->dir = strdup(dir);
    if (p->dir == NULL) {
        personas_free(p);
        return NULL;
    }
    char *text = kept_file_read(dir, FILE_NAME);
    if (text != NULL)
        replace_all(p, text);
    return p;
}

void personas_free(struct personas *p)
{
    if (p == NULL)
        return;
    free_list(p->list, p->count);
    free(p->default_coach);
    free(p->coaches_json);
    free(p->file_text);
    free(p->dir);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void log_refused(const struct pg *pg, const char *what)
{
    log_error("personas", "%s was refused: %s: %s", what, pg_sqlstate(pg), pg_message(pg));
}

enum pg_outcome personas_refresh(struct personas *p, struct pg *pg)
{
    PGresult *coaches = NULL, *rows = NULL;
    struct buf text;
    buf_init(&text, FILE_MAX);

    enum pg_outcome outcome = pg_call(pg, &list_coaches, NULL, &coaches);
    if (outcome != PG_DONE) {
        if (outcome == PG_REFUSED)
            log_refused(pg, "uplift_chat.list_coaches()");
        goto out;
    }
    outcome = pg_call(pg, &list_personas, NULL, &rows);
    if (outcome != PG_DONE) {
        if (outcome == PG_REFUSED)
            log_refused(pg, "uplift_chat.list_personas()");
        goto out;
    }
    const char *json =
        PQntuples(coaches) == 1 && !PQgetisnull(coaches, 0, 0) ? PQgetvalue(coaches, 0, 0) : NULL;
    if (!text_from_results(&text, rows, json))
        goto out;
    pthread_mutex_lock(&p->lock);
    bool same = p->file_text != NULL && strcmp(p->file_text, text.data) == 0;
    pthread_mutex_unlock(&p->lock);
    if (same)
        goto out;
    char *copied = strdup(text.data);
    if (copied != NULL && replace_all(p, copied))
        kept_file_write(p->dir, FILE_NAME, text.data);
out:
    PQclear(coaches);
    PQclear(rows);
    buf_release(&text);
    return outcome;
}

static double severity_number(const char *severity)
{
    char *end = NULL;
    double value = severity != NULL ? strtod(severity, &end) : DEFAULT_SEVERITY;
    if (severity != NULL && (end == severity || *end != '\0'))
        value = DEFAULT_SEVERITY;
    return value;
}

/* The nearest band of a coach and mode; NULL when it has none in that mode. */
static const struct persona *nearest(const struct personas *p, const char *coach_id,
                                     const char *mode, int band)
{
    const struct persona *best = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const struct persona *one = &p->list[i];
        if (strcmp(one->coach_id, coach_id) != 0 || strcmp(one->mode, mode) != 0)
            continue;
        if (best == NULL || abs(one->band - band) < abs(best->band - band))
            best = one;
    }
    return best;
}

/* As uplift.shared_prompt() does it. NULL when memory ran out. */
static char *whole_prompt(const struct persona *one, const char *personality, double severity)
{
    char number[SEVERITY_ROOM];
    struct buf prompt;
    if (personality == NULL)
        personality = one->personality;
    snprintf(number, sizeof number, "%.1f", severity);
    buf_init(&prompt, strlen(one->opening) + strlen(personality) + strlen(one->rules) +
                          sizeof number + strlen(one->tone));
    buf_puts(&prompt, one->opening);
    buf_puts(&prompt, personality);
    buf_puts(&prompt, one->rules);
    buf_puts(&prompt, number);
    buf_puts(&prompt, one->tone);
    char *text = prompt.failed ? NULL : buf_steal(&prompt);
    buf_release(&prompt);
    return text;
}

/* The one for a wish for this coach; NULL when the coach is unknown. */
static const struct persona *wished(const struct personas *p, const char *coach_id,
                                    const char *mode, double severity)
{
    int band = persona_band(severity);
    bool is_roast = mode != NULL && strcmp(mode, "roast") == 0;
    const struct persona *found =
        mode != NULL && !is_roast ? nearest(p, coach_id, mode, band) : NULL;
    return found != NULL ? found : nearest(p, coach_id, DEFAULT_MODE, band);
}

bool personas_find(struct personas *p, const struct persona_wish *wish, struct persona_found *out)
{
    double severity = severity_number(wish->severity);
    const struct persona *found = NULL;
    *out = (struct persona_found){0};

    pthread_mutex_lock(&p->lock);
    const char *coach_id = wish->coach_id != NULL ? wish->coach_id : p->default_coach;
    if (p->count > 0)
        found = wished(p, coach_id, wish->mode, severity);
    bool good = found != NULL || p->count == 0;
    if (good) {
        out->is_known = found != NULL;
        out->prompt = found != NULL ? whole_prompt(found, wish->personality, severity)
                                    : strdup(GENERIC_PROMPT);
        out->mode = strdup(found != NULL ? found->mode : DEFAULT_MODE);
        out->coach_id = coach_id != NULL ? strdup(coach_id) : NULL;
        good =
            out->prompt != NULL && out->mode != NULL && (coach_id == NULL || out->coach_id != NULL);
    }
    pthread_mutex_unlock(&p->lock);
    if (!good) {
        free(out->prompt);
        free(out->mode);
        free(out->coach_id);
        *out = (struct persona_found){0};
    }
    return good;
}

char *personas_coaches_json(struct personas *p)
{
    pthread_mutex_lock(&p->lock);
    char *json = p->coaches_json != NULL ? strdup(p->coaches_json) : NULL;
    pthread_mutex_unlock(&p->lock);
    return json;
}
