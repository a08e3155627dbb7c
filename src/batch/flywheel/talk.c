/*
 * Chats of made-up users. Each of a few lines has one call open at a time, and takes the next chat
 * when its own is over: asked, then rated. All lines are one curl multi handle's.
 */
#include "talk.h"

#include "common/buf.h"
#include "common/json.h"
#include "common/outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 20
#define ANSWER_MAX ((size_t)1 << 20)
#define TIMEOUT_MS 60000L
#define WAIT_MS 200
#define TRIES 50
#define FAILURES_MAX 200 /* then it is given up */

enum step { STEP_IDLE, STEP_PREFER, STEP_ASK, STEP_RATE };

struct line {
    CURL *curl;
    struct curl_slist *headers;
    struct buf answer;
    enum step step;
    size_t number; /* which chat, or person */
    int tries;
    char body[1024];
    char path[128];
};

struct exchange {
    struct talk *talk;
    CURLM *multi;
    struct line lines[LINES];
    size_t next, count, open;
    struct chat *chats;          /* or */
    const struct person *people; /* whose preferences are set */
    const char *(*preferences)(const struct person *p);
    bool failed;
};

static size_t take(char *data, size_t size, size_t count, void *to)
{
    return buf_append(to, data, size * count) ? size * count : 0;
}

static bool begin_call(struct exchange *x, struct line *l)
{
    char url[1024];
    snprintf(url, sizeof url, "%s%s", x->talk->site->url, l->path);
    buf_clear(&l->answer);
    curl_easy_setopt(l->curl, CURLOPT_URL, url);
    curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->headers);
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, &l->answer);
    curl_easy_setopt(l->curl, CURLOPT_PRIVATE, l);
    curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, l->body);
    curl_easy_setopt(l->curl, CURLOPT_CUSTOMREQUEST, l->step == STEP_PREFER ? "PUT" : "POST");
    if (curl_multi_add_handle(x->multi, l->curl) != CURLM_OK)
        return false;
    x->open++;
    return true;
}

static bool add_header(struct line *l, const char *text)
{
    struct curl_slist *more = curl_slist_append(l->headers, text);
    if (more != NULL)
        l->headers = more;
    return more != NULL;
}

/* Who asks. */
static bool set_headers(struct exchange *x, struct line *l, const struct person *p,
                        const char *variant)
{
    char text[SITE_TOKEN + 32] = "Authorization: Bearer ";
    curl_slist_free_all(l->headers);
    l->headers = NULL;
    if (!site_token(x->talk->site, p->id, *variant != '\0', text + strlen(text)) ||
        !add_header(l, text) || !add_header(l, "Content-Type: application/json"))
        return false;
    if (*variant == '\0')
        return true;
    snprintf(text, sizeof text, "X-Uplift-Variant: %s", variant);
    return add_header(l, text);
}

/* Those whom somebody can choose among. */
static const char *const *coaches_of(const struct talk *t, const struct person *p)
{
    return p->is_plain ? t->plain_coaches : t->coaches;
}

/* Texts here have nothing that JSON escapes. */
static bool begin_chat(struct exchange *x, struct line *l)
{
    const struct chat *c = &x->chats[l->number];
    bool is_plain = c->person->is_plain;
    l->step = STEP_ASK;
    snprintf(l->path, sizeof l->path, "/v1/chat");
    snprintf(l->body, sizeof l->body,
             "{\"message\":\"%s\",\"coach_id\":\"%s\",\"cache\":{\"mode\":\"%s\"}}", c->message,
             coaches_of(x->talk, c->person)[c->person->coach],
             is_plain || c->variant[0] != '\0' ? "off" : "on");
    return set_headers(x, l, c->person, c->variant) && begin_call(x, l);
}

static bool begin_preference(struct exchange *x, struct line *l)
{
    const struct person *p = &x->people[l->number];
    l->step = STEP_PREFER;
    snprintf(l->path, sizeof l->path, "/v1/preferences");
    snprintf(l->body, sizeof l->body, "%s", x->preferences(p));
    return set_headers(x, l, p, "") && begin_call(x, l);
}

static void next_one(struct exchange *x, struct line *l)
{
    l->step = STEP_IDLE;
    l->tries = 0;
    if (x->failed || *x->talk->stop || x->next >= x->count)
        return;
    l->number = x->next++;
    if (!(x->chats != NULL ? begin_chat(x, l) : begin_preference(x, l)))
        x->failed = true;
}

static int who_answered(const char *const *coaches, const char *id)
{
    int k = WORLD_COACHES - 1;
    while (k >= 0 && strcmp(coaches[k], id) != 0)
        k--;
    return k;
}

/* What was answered is read, and an opinion formed. */
static void read_answer(struct exchange *x, struct line *l, const cJSON *answer, struct chat *c,
                        const char **complaint)
{
    struct reading r;
    const char *text = json_text(answer, "message");
    const struct person *p = c->person;
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(answer, "usage");
    reading_of(text, c->message, p->goal, &r);
    r.coach = who_answered(coaches_of(x->talk, p), json_text(answer, "coach_id"));
    c->is_answered = true;
    c->reading = r;
    c->liking = world_liking(x->talk->leaning, &p->taste, &r);
    c->is_hit = json_bool(answer, "from_cache", false);
    c->prompt_tokens = c->is_hit ? 0 : json_number(usage, "prompt_tokens", 0);
    c->answer_tokens = c->is_hit ? 0 : json_number(usage, "completion_tokens", 0);
    snprintf(c->model, sizeof c->model, "%s", json_text(answer, "model"));
    c->is_liked = c->like < c->liking;
    c->has_thumb = c->variant[0] == '\0' && c->thumb < x->talk->thumb_share;
    *complaint = NULL;
    /* Those for whom nothing is switched on write nothing: nobody would read it. */
    if (c->has_thumb && !c->is_liked && !p->is_plain && c->write < x->talk->comment_share)
        *complaint = world_complaint(x->talk->leaning, &p->taste, &r);
    c->has_comment = *complaint != NULL;
    snprintf(l->path, sizeof l->path, "/v1/feedback/%s", json_text(answer, "feedbackId"));
}

static bool rate(struct exchange *x, struct line *l, const struct chat *c, const char *complaint)
{
    l->step = STEP_RATE;
    l->tries = 0;
    if (complaint != NULL)
        snprintf(l->body, sizeof l->body, "{\"helpful\":%s,\"feedback_text\":\"%s\"}",
                 c->is_liked ? "true" : "false", complaint);
    else
        snprintf(l->body, sizeof l->body, "{\"helpful\":%s}", c->is_liked ? "true" : "false");
    return begin_call(x, l);
}

static void note_failure(struct exchange *x, const struct line *l, CURLcode code, long status)
{
    struct talk *t = x->talk;
    if (code != CURLE_OK)
        snprintf(t->reason, sizeof t->reason, "%s: %s", t->site->url, curl_easy_strerror(code));
    else
        snprintf(t->reason, sizeof t->reason, "%s: %ld %.200s", l->path, status,
                 l->answer.len > 0 ? l->answer.data : "");
    if (++t->failures >= FAILURES_MAX || (code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT))
        x->failed = true;
}

static void end_call(struct exchange *x, struct line *l, CURLcode code)
{
    long status = 0;
    cJSON *answer = NULL;
    const char *complaint = NULL;
    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(x->multi, l->curl);
    x->open--;
    if (code == CURLE_OK && (status == 429 || status == 503) && ++l->tries < TRIES) {
        struct timespec pause = {.tv_nsec = 50000000L};
        nanosleep(&pause, NULL);
        if (!begin_call(x, l))
            x->failed = true;
        return;
    }
    if (code != CURLE_OK || status / 100 != 2) {
        note_failure(x, l, code, status);
    } else if (l->step == STEP_ASK) {
        struct chat *c = &x->chats[l->number];
        struct json_error error;
        answer = json_parse(l->answer.data, l->answer.len, &error);
        if (answer != NULL)
            read_answer(x, l, answer, c, &complaint);
        cJSON_Delete(answer);
        if (c->has_thumb) {
            if (!rate(x, l, c, complaint))
                x->failed = true;
            return;
        }
    }
    next_one(x, l);
}

static bool open_lines(struct exchange *x)
{
    x->multi = curl_multi_init();
    for (size_t i = 0; i < LINES; i++) {
        x->lines[i].curl = outbound_new(x->talk->site->ca, NULL);
        buf_init(&x->lines[i].answer, ANSWER_MAX);
        if (x->lines[i].curl == NULL)
            return false;
    }
    return x->multi != NULL;
}

static void close_lines(struct exchange *x)
{
    for (size_t i = 0; i < LINES; i++) {
        struct line *l = &x->lines[i];
        if (l->curl != NULL && x->multi != NULL)
            curl_multi_remove_handle(x->multi, l->curl);
        if (l->curl != NULL)
            curl_easy_cleanup(l->curl);
        curl_slist_free_all(l->headers);
        buf_release(&l->answer);
    }
    if (x->multi != NULL)
        curl_multi_cleanup(x->multi);
}

static bool run(struct exchange *x)
{
    bool ok = open_lines(x);
    for (size_t i = 0; ok && i < LINES; i++)
        next_one(x, &x->lines[i]);
    while (ok && x->open > 0 && !x->failed) {
        int running, left;
        CURLMsg *message;
        if (curl_multi_perform(x->multi, &running) != CURLM_OK)
            break;
        while ((message = curl_multi_info_read(x->multi, &left)) != NULL) {
            struct line *l = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &l);
            if (message->msg == CURLMSG_DONE && l != NULL)
                end_call(x, l, message->data.result);
        }
        curl_multi_poll(x->multi, NULL, 0, WAIT_MS, NULL);
    }
    close_lines(x);
    return ok && !x->failed;
}

bool talk_run(struct talk *t, struct chat *chats, size_t count)
{
    struct exchange x = {.talk = t, .chats = chats, .count = count};
    return run(&x);
}

bool talk_prefer(struct talk *t, const struct person *people, size_t count,
                 const char *(*body)(const struct person *p))
{
    struct exchange x = {.talk = t, .people = people, .count = count, .preferences = body};
    return run(&x);
}
