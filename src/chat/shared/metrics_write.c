/* What was counted, as text for Prometheus; see metrics.h. */
#include "metrics.h"

#include "common/json.h"
#include "common/utf8.h"
#include "metrics_bounds.h"

#include <string.h>

static const struct {
    const char *name, *labels, *help; /* one help for all of a name, at the first */
} counters[METRIC_COUNT] = {
    [M_CACHE_HITS] = {"uplift_cache_lookups_total", "result=\"hit\"",
                      "Chats by what became of their look-up in the response cache."},
    [M_CACHE_MISSES] = {"uplift_cache_lookups_total", "result=\"miss\"", NULL},
    [M_CACHE_SHARED] = {"uplift_cache_lookups_total", "result=\"shared\"", NULL},
    [M_SAVED_TOKENS] = {"uplift_cache_saved_tokens_total", "",
                        "Tokens of answers that were given again."},
    [M_THUMBS_UP] = {"uplift_feedback_total", "kind=\"thumb_up\"",
                     "Words of feedback taken by the feedback routes."},
    [M_THUMBS_DOWN] = {"uplift_feedback_total", "kind=\"thumb_down\"", NULL},
    [M_RATINGS] = {"uplift_feedback_total", "kind=\"rating\"", NULL},
    [M_COMMENTS] = {"uplift_feedback_total", "kind=\"comment\"", NULL},
    [M_REFUSED_RATE] =
        {"uplift_refused_total", "reason=\"rate_limit\"",
         "Chats refused before any provider was asked, and feedback refused by its rate limit."},
    [M_REFUSED_BUDGET] = {"uplift_refused_total", "reason=\"budget\"", NULL},
    [M_REFUSED_OVERLOAD] = {"uplift_refused_total", "reason=\"overload\"", NULL},
    [M_DEGRADED] = {"uplift_degraded_answers_total", "", "Answers made while Postgres was away."},
    [M_SPOOLED] = {"uplift_spooled_answers_total", "",
                   "Answers that went to the spool because Postgres was away."},
    [M_NOT_RECORDED] = {"uplift_unrecorded_answers_total", "",
                        "Answers that could be stored nowhere, and were not given."},
    [M_REJECTED] = {"uplift_rejected_answers_total", "",
                    "Answers that Postgres refused; they were given, and are kept in "
                    "uplift.rejected_answers."},
    [M_RESTARTS] = {"uplift_restarts_total", "",
                    "Streams that were told to forget their text, and got another answer."},
    [M_SEARCHES] = {"uplift_searches_total", "",
                    "Chats for which knowledge and well-rated answers were searched."},
    [M_EMBEDDED] = {"uplift_embeddings_total", "result=\"ok\"",
                    "Questions of chats by what became of their embedding: without one, knowledge "
                    "is found by words alone."},
    [M_EMBEDDED_KEPT] = {"uplift_embeddings_total", "result=\"known\"", NULL},
    [M_EMBEDDED_LATE] = {"uplift_embeddings_total", "result=\"late\"", NULL},
    [M_EMBEDDED_FAILED] = {"uplift_embeddings_total", "result=\"failed\"", NULL},
    [M_EMBEDDED_RESTING] = {"uplift_embeddings_total", "result=\"resting\"", NULL},
    [M_EMBEDDED_BUSY] = {"uplift_embeddings_total", "result=\"busy\"", NULL},
    [M_PHOTO_KEPT] = {"uplift_photos_total", "result=\"kept\"",
                      "Uploads of photos by what became of them."},
    [M_PHOTO_KNOWN] = {"uplift_photos_total", "result=\"known\"", NULL},
    [M_PHOTO_REFUSED] = {"uplift_photos_total", "result=\"refused\"", NULL},
    [M_PHOTO_ANALYSED] = {"uplift_photo_analyses_total", "result=\"ok\"",
                          "Calls of the vision model by what came of them."},
    [M_PHOTO_FAILED] = {"uplift_photo_analyses_total", "result=\"failed\"", NULL},
    [M_CONTINUATIONS] = {"uplift_continuations_total", "",
                         "Streams that broke off, and that another provider went on with."},
};

static const char *const histogram_names[HISTOGRAM_COUNT][2] = {
    [H_RESPONSE] = {"uplift_response_seconds", "From a chat's arrival to its answer's end."},
    [H_FIRST_TOKEN] = {"uplift_first_token_seconds", "From a chat's arrival to its first text."},
    [H_OVERHEAD] = {"uplift_overhead_seconds",
                    "A chat's time less what was waited for providers, recording included."},
};

static const char *const attempt_names[ATTEMPT_ENDS] = {[A_OK] = "ok",
                                                        [A_STATUS_429] = "status_429",
                                                        [A_STATUS_4XX] = "status_4xx",
                                                        [A_STATUS_5XX] = "status_5xx",
                                                        [A_TIMEOUT] = "timeout",
                                                        [A_CONNECT] = "connect",
                                                        [A_RESET] = "reset",
                                                        [A_CUT] = "cut",
                                                        [A_OTHER] = "other"};

/* --- text --- */

static void put_head(struct buf *out, const char *name, const char *kind, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* A label's value: backslash, quote and line end escaped, as the format has it, and valid UTF-8
 * whatever comes: one byte that is not, and Prometheus takes nothing of it all. */
static void put_label(struct buf *out, const char *name, const char *value)
{
    const char *end = value + strlen(value);
    buf_printf(out, "%s=\"", name);
    while (value < end) {
        size_t n = (unsigned char)*value < 0x80 ? 1 : utf8_sequence(value, (size_t)(end - value));
        if (n == 0)
            buf_puts(out, "\xef\xbf\xbd");
        else if (*value == '\n')
            buf_puts(out, "\\n");
        else if (*value == '\\' || *value == '"')
            buf_printf(out, "\\%c", *value);
        else
            buf_append(out, value, n);
        value += n > 0 ? n : 1;
    }
    buf_putc(out, '"');
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* --- sums over all blocks --- */

/* Of a counter of the first block and those at the same place of all others. */
static uint64_t sum(const struct metrics *all, const atomic_uint_fast64_t *first)
{
    size_t offset = (size_t)((const char *)first - (const char *)all);
    uint64_t total = 0;
    for (int w = 0; w < METRICS_WORKERS; w++)
        total += load((const atomic_uint_fast64_t *)(const void *)((const char *)&all[w] + offset));
    return total;
}

static void put_requests(const struct metrics *all, const struct metrics_more *more,
                         struct buf *out)
{
    put_head(out, "uplift_requests_total", "counter", "Requests by route and class of status.");
    for (int e = 0; e < more->endpoint_count && e < METRICS_ENDPOINTS; e++)
        for (int class = 1; class < 6; class ++) {
            uint64_t count = sum(all, &all->requests[e][class]);
            if (count == 0)
                continue;
            buf_puts(out, "uplift_requests_total{");
            put_label(out, "route", more->endpoints[e]);
            buf_printf(out, ",status=\"%dxx\"} %llu\n", class, (unsigned long long)count);
        }
}

static void put_answers(const struct metrics *all, struct buf *out)
{
    static const char *const protocols[] = {"chat", "completions"};
    static const char *const outcomes[] = {"complete", "partial", "cancelled", "failed"};
    put_head(out, "uplift_answers_total", "counter", "Answers by protocol and how they ended.");
    for (int p = 0; p < 2; p++)
        for (int o = 0; o < 4; o++)
            buf_printf(out, "uplift_answers_total{protocol=\"%s\",outcome=\"%s\"} %llu\n",
                       protocols[p], outcomes[o],
                       (unsigned long long)sum(all, &all->answers[p][o]));
}

static void put_counters(const struct metrics *all, struct buf *out)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (counters[i].help != NULL)
            put_head(out, counters[i].name, "counter", counters[i].help);
        const char *labels = counters[i].labels;
        buf_printf(out, "%s%s%s%s %llu\n", counters[i].name, *labels != '\0' ? "{" : "", labels,
                   *labels != '\0' ? "}" : "", (unsigned long long)sum(all, &all->counts[i]));
    }
}

static void put_histograms(const struct metrics *all, struct buf *out)
{
    for (int h = 0; h < HISTOGRAM_COUNT; h++) {
        const char *name = histogram_names[h][0];
        uint64_t count = 0;
        put_head(out, name, "histogram", histogram_names[h][1]);
        for (int b = 0; b < METRICS_BUCKETS; b++) {
            count += sum(all, &all->histograms[h].counts[b]);
            buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name,
                       (double)metrics_bounds_ms[h][b] / 1000, (unsigned long long)count);
        }
        count += sum(all, &all->histograms[h].counts[METRICS_BUCKETS]);
        buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.3f\n%s_count %llu\n", name,
                   (unsigned long long)count, name,
                   (double)sum(all, &all->histograms[h].sum_ms) / 1000, name,
                   (unsigned long long)count);
    }
}

/* --- by provider and model --- */

/* One place, added up over all blocks. */
struct sums {
    const char *provider, *model;
    uint64_t attempts[ATTEMPT_ENDS];
    uint64_t answers, prompt_tokens, cached_tokens, completion_tokens, cost_nano_usd, unpriced;
};

static struct sums *find_sums(struct sums *list, int *count, const struct metrics_place *place)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(list[i].provider, place->provider) == 0 &&
            strcmp(list[i].model, place->model) == 0)
            return &list[i];
    if (*count == METRICS_PLACES)
        return &list[METRICS_PLACES];
    struct sums *s = &list[(*count)++];
    *s = (struct sums){.provider = place->provider, .model = place->model};
    return s;
}

static void add_place(struct sums *s, const struct metrics_place *place)
{
    for (int a = 0; a < ATTEMPT_ENDS; a++)
        s->attempts[a] += load(&place->attempts[a]);
    s->answers += load(&place->answers);
    s->prompt_tokens += load(&place->prompt_tokens);
    s->cached_tokens += load(&place->cached_tokens);
    s->completion_tokens += load(&place->completion_tokens);
    s->cost_nano_usd += load(&place->cost_nano_usd);
    s->unpriced += load(&place->unpriced);
}

/* All places of all blocks; the last of list, which has METRICS_PLACES + 1, is "other". Returns how
 * many come before it. */
static int sum_places(const struct metrics *all, struct sums *list)
{
    int count = 0;
    list[METRICS_PLACES] = (struct sums){.provider = METRICS_OTHER, .model = METRICS_OTHER};
    for (int w = 0; w < METRICS_WORKERS; w++) {
        for (int i = 0; i < METRICS_PLACES; i++) {
            const struct metrics_place *place = &all[w].places[i];
            if (atomic_load_explicit(&place->claim, memory_order_acquire) == 2)
                add_place(find_sums(list, &count, place), place);
        }
        add_place(&list[METRICS_PLACES], &all[w].places[METRICS_PLACES]);
    }
    return count;
}

static void put_place(struct buf *out, const char *name, const struct sums *s)
{
    buf_printf(out, "%s{", name);
    put_label(out, "provider", s->provider);
    buf_putc(out, ',');
    put_label(out, "model", s->model);
}

static void put_attempts(const struct sums *list, int count, struct buf *out)
{
    put_head(out, "uplift_provider_calls_total", "counter",
             "Calls of providers by how they ended; those that failed over included.");
    for (int i = 0; i < count; i++)
        for (int a = 0; a < ATTEMPT_ENDS; a++) {
            if (list[i].attempts[a] == 0)
                continue;
            put_place(out, "uplift_provider_calls_total", &list[i]);
            buf_printf(out, ",end=\"%s\"} %llu\n", attempt_names[a],
                       (unsigned long long)list[i].attempts[a]);
        }
}

static void put_tokens(const struct sums *list, int count, struct buf *out)
{
    put_head(out, "uplift_tokens_total", "counter",
             "Tokens of answers: sent (prompt), of those cached by the provider, and answered.");
    for (int i = 0; i < count; i++) {
        const struct {
            const char *kind;
            uint64_t tokens;
        } kinds[] = {{"prompt", list[i].prompt_tokens},
                     {"cached", list[i].cached_tokens},
                     {"completion", list[i].completion_tokens}};
        for (int k = 0; k < 3; k++) {
            put_place(out, "uplift_tokens_total", &list[i]);
            buf_printf(out, ",kind=\"%s\"} %llu\n", kinds[k].kind,
                       (unsigned long long)kinds[k].tokens);
        }
    }
}

static void put_cost(const struct sums *list, int count, struct buf *out)
{
    put_head(out, "uplift_cost_usd_total", "counter", "Cost of answers in US dollars.");
    for (int i = 0; i < count; i++) {
        put_place(out, "uplift_cost_usd_total", &list[i]);
        buf_printf(out, "} %.9f\n", (double)list[i].cost_nano_usd / 1e9);
    }
    put_head(out, "uplift_unpriced_answers_total", "counter",
             "Answers whose model has no price, so that their cost is not known.");
    for (int i = 0; i < count; i++) {
        put_place(out, "uplift_unpriced_answers_total", &list[i]);
        buf_printf(out, "} %llu\n", (unsigned long long)list[i].unpriced);
    }
}

static void put_places(const struct metrics *all, struct buf *out)
{
    struct sums list[METRICS_PLACES + 1];
    int count = sum_places(all, list);
    const struct sums *other = &list[METRICS_PLACES];
    if (other->answers > 0 || other->attempts[A_OTHER] > 0 || count == METRICS_PLACES)
        list[count++] = *other;
    put_attempts(list, count, out);
    put_tokens(list, count, out);
    put_cost(list, count, out);
}

/* --- levels --- */

static void put_level(struct buf *out, const char *name, const char *help, uint64_t value)
{
    put_head(out, name, "gauge", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static uint64_t most(const struct metrics *all, enum level which)
{
    uint64_t found = 0;
    for (int w = 0; w < METRICS_WORKERS; w++) {
        uint64_t value = load(&all[w].levels[which]);
        if (value > found)
            found = value;
    }
    return found;
}

static void put_levels(const struct metrics *all, struct buf *out)
{
    put_level(out, "uplift_open_chats", "Chats open now.", sum(all, &all->levels[L_OPEN_CHATS]));
    put_level(out, "uplift_recorder_queue", "Answers that wait to be written.",
              sum(all, &all->levels[L_RECORDER_QUEUE]));
    put_level(out, "uplift_spool_bytes", "Bytes of answers and feedback that wait on disk.",
              most(all, L_SPOOL_BYTES));
    put_level(
        out, "uplift_workers_without_database",
        "Workers for which Postgres is away: limits and budgets hold as last known, by worker.",
        sum(all, &all->levels[L_DATABASE_AWAY]));
}

static void put_breakers(const struct metrics_more *more, struct buf *out)
{
    put_head(
        out, "uplift_breaker_state", "gauge",
        "Breaker of a provider, or of one of its models: 0 closed, 1 about to be tried, 2 open.");
    const struct breaker *b;
    enum breaker_state state;
    for (int at = 0; (b = breakers_next(more->breakers, more->now_ms, &at, &state)) != NULL;) {
        buf_puts(out, "uplift_breaker_state{");
        put_label(out, "provider", b->provider);
        if (b->model[0] != '\0') {
            buf_putc(out, ',');
            put_label(out, "model", b->model);
        }
        buf_printf(out, "} %d\n", (int)state);
    }
}

static void put_budget_labels(struct buf *out, const cJSON *budget, const char *state)
{
    static const char *const labels[] = {"scope", "key", "period"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const char *value = json_string(budget, labels[i]);
        buf_putc(out, i == 0 ? '{' : ',');
        put_label(out, labels[i], value != NULL ? value : "");
    }
    if (state != NULL) {
        buf_putc(out, ',');
        put_label(out, "state", state);
    }
    buf_putc(out, '}');
}

static void put_budgets(const struct metrics_more *more, struct buf *out)
{
    static const struct {
        const char *name, *member, *help;
        int digits;
        bool has_state;
    } gauges[] = {
        {"uplift_budget_spent_usd", "spent_usd", "Spent of a budget in its period, US dollars.", 6,
         true},
        {"uplift_budget_limit_usd", "limit_usd", "A budget's limit, US dollars.", 6, false},
        {"uplift_budget_used_up", "used_up",
         "Coaches or users who have used up a budget of each, counted up to 10000.", 0, false}};
    const cJSON *budget;
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        put_head(out, gauges[i].name, "gauge", gauges[i].help);
        cJSON_ArrayForEach (budget, more->budgets) {
            const cJSON *value = cJSON_GetObjectItemCaseSensitive(budget, gauges[i].member);
            const char *state = json_string(budget, "state");
            if (!cJSON_IsNumber(value))
                continue;
            buf_puts(out, gauges[i].name);
            put_budget_labels(out, budget,
                              !gauges[i].has_state ? NULL
                              : state != NULL      ? state
                                                   : "");
            buf_printf(out, " %.*f\n", gauges[i].digits, value->valuedouble);
        }
    }
}

static void put_unpriced(const struct metrics_more *more, struct buf *out)
{
    if (cJSON_IsNumber(more->unpriced))
        put_level(out, "uplift_unpriced_models",
                  "Models that answered in the last day and have no price: set one, or what they "
                  "cost is in no figure and no budget.",
                  (uint64_t)more->unpriced->valuedouble);
}

/* Of predictions of the last days, as the job measure-predictions found them. */
static void put_predictions(const struct metrics_more *more, struct buf *out)
{
    static const struct {
        const char *name, *member, *help;
    } gauges[] = {
        {"uplift_prediction_outcomes", "outcomes", "Predictions of the last days judged."},
        {"uplift_prediction_brier_score", "brier", "Their Brier score: 0 is the best."},
        {"uplift_prediction_calibration_error", "ece", "Their expected calibration error."},
        {"uplift_prediction_drift", "warns",
         "1 where that is worse than before by more than the bound."}};
    static const char *const labels[] = {"type", "model", "version"};
    const cJSON *models = cJSON_GetObjectItemCaseSensitive(more->predictions, "models"), *model;
    put_level(out, "uplift_prediction_warnings",
              "Predictions that are worse of late than before: GET /admin/predictions/drift.",
              (uint64_t)json_number(more->predictions, "warnings", 0));
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        put_head(out, gauges[i].name, "gauge", gauges[i].help);
        cJSON_ArrayForEach (model, models) {
            buf_puts(out, gauges[i].name);
            for (size_t l = 0; l < sizeof labels / sizeof labels[0]; l++) {
                const char *value = json_string(model, labels[l]);
                buf_putc(out, l == 0 ? '{' : ',');
                put_label(out, labels[l], value != NULL ? value : "");
            }
            buf_printf(out, "} %g\n", json_number(model, gauges[i].member, 0));
        }
    }
}

/* Numbers by name, the name as a label. */
static void put_counts(struct buf *out, const char *name, const char *label, const char *help,
                       const cJSON *counts)
{
    const cJSON *count;
    put_head(out, name, "gauge", help);
    cJSON_ArrayForEach (count, counts) {
        buf_printf(out, "%s{", name);
        put_label(out, label, count->string);
        buf_printf(out, "} %.0f\n", cJSON_IsNumber(count) ? count->valuedouble : 0);
    }
}

/* A number where there is one, with labels as they are to stand, "" for none. */
static void put_number(struct buf *out, const char *name, const char *labels, const cJSON *of,
                       const char *member)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(of, member);
    if (cJSON_IsNumber(value))
        buf_printf(out, "%s%s%s%s %.15g\n", name, *labels != '\0' ? "{" : "", labels,
                   *labels != '\0' ? "}" : "", value->valuedouble);
}

static void put_trials(const struct metrics_more *more, struct buf *out)
{
    if (more->experiments == NULL || more->rollouts == NULL)
        return;
    put_counts(out, "uplift_experiments", "status", "Experiments, those of rollouts among them.",
               cJSON_GetObjectItemCaseSensitive(more->experiments, "status"));
    put_level(out, "uplift_experiments_mismatched",
              "Running experiments to whose variants users came in other shares than they should "
              "have: nothing of them can be believed.",
              (uint64_t)json_number(more->experiments, "mismatches", 0));
    put_counts(out, "uplift_rollouts", "status", "Rollouts.",
               cJSON_GetObjectItemCaseSensitive(more->rollouts, "status"));
    put_counts(out, "uplift_rollouts_running", "stage", "Rollouts that run, by their stage.",
               cJSON_GetObjectItemCaseSensitive(more->rollouts, "stages"));
}

/* What autopilot uses of its bounds, where it has them. */
static void put_autopilot_use(const cJSON *use, struct buf *out)
{
    static const struct {
        const char *name, *labels, *member, *help; /* one help for all of a name, at the first */
    } gauges[] = {
        {"uplift_autopilot_tests_limit", "", "max_at_once", "How many tests it may run at once."},
        {"uplift_autopilot_users_ratio", "", "share",
         "Share of users in its tests, 0 to 1; of a rollout that of its last stage."},
        {"uplift_autopilot_users_limit_ratio", "", "max_share", "What that share may be."},
        {"uplift_autopilot_spent_usd", "period=\"day\"", "usd_today",
         "US dollars that it spent, of the UTC day and month."},
        {"uplift_autopilot_spent_usd", "period=\"month\"", "usd_this_month", NULL},
        {"uplift_autopilot_limit_usd", "period=\"day\"", "max_usd_per_day",
         "US dollars that it may spend."},
        {"uplift_autopilot_limit_usd", "period=\"month\"", "max_usd_per_month", NULL},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        if (gauges[i].help != NULL)
            put_head(out, gauges[i].name, "gauge", gauges[i].help);
        put_number(out, gauges[i].name, gauges[i].labels, use, gauges[i].member);
    }
}

static void put_autopilot(const cJSON *autopilot, struct buf *out)
{
    static const char decisions[] = "uplift_autopilot_decisions_total";
    static const struct {
        const char *name, *member, *help;
    } times[] = {{"uplift_autopilot_last_look_timestamp_seconds", "last_look",
                  "When it looked last, while it was on: the job autopilot does each hour."},
                 {"uplift_autopilot_last_decision_timestamp_seconds", "last_decision",
                  "When it decided something last."}};
    const cJSON *decision;
    if (autopilot == NULL)
        return;
    put_level(out, "uplift_autopilot_enabled", "1 while autopilot is on.",
              (uint64_t)json_number(autopilot, "enabled", 0));
    put_counts(out, "uplift_autopilot_tests", "kind",
               "Experiments and rollouts that autopilot runs.",
               cJSON_GetObjectItemCaseSensitive(autopilot, "tests"));
    put_autopilot_use(cJSON_GetObjectItemCaseSensitive(autopilot, "use"), out);
    put_level(out, "uplift_autopilot_winners_left",
              "What won and was not rolled out, which waits for a person: GET /admin/autopilot.",
              (uint64_t)json_number(autopilot, "winners_left", 0));
    put_head(out, decisions, "counter", "What it decided, but for dry runs.");
    cJSON_ArrayForEach (decision, cJSON_GetObjectItemCaseSensitive(autopilot, "decisions")) {
        const char *kind = json_string(decision, "kind"), *what = json_string(decision, "decision");
        buf_printf(out, "%s{", decisions);
        put_label(out, "kind", kind != NULL ? kind : "");
        buf_putc(out, ',');
        put_label(out, "decision", what != NULL ? what : "");
        buf_printf(out, "} %.0f\n", json_number(decision, "count", 0));
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        put_head(out, times[i].name, "gauge", times[i].help);
        put_number(out, times[i].name, "", autopilot, times[i].member);
    }
}

/* Of this worker's copies, which are those of all. */
static void put_shelves(const struct metrics_more *more, struct buf *out)
{
    static const char texts[] = "uplift_search_texts", age[] = "uplift_search_age_seconds";
    if (more->shelves == NULL)
        return;
    put_head(out, texts, "gauge", "Texts that are searched, by shelf.");
    for (int i = 0; i < SHELVES; i++)
        if (more->shelves[i].is_there)
            buf_printf(out, "%s{shelf=\"%s\"} %llu\n", texts, more->shelves[i].shelf,
                       (unsigned long long)more->shelves[i].texts);
    put_head(out, age, "gauge", "Since the copies of texts were last brought up to date.");
    if (more->shelves[0].age_ms != INT64_MAX)
        buf_printf(out, "%s %.1f\n", age, (double)more->shelves[0].age_ms / 1000);
}

void metrics_write(const struct metrics *all, const struct metrics_more *more, struct buf *out)
{
    put_head(out, "uplift_info", "gauge", "The version that answers.");
    buf_puts(out, "uplift_info{version=\"" UPLIFT_VERSION "\"} 1\n");
    put_requests(all, more, out);
    put_answers(all, out);
    put_places(all, out);
    put_counters(all, out);
    put_histograms(all, out);
    put_levels(all, out);
    put_breakers(more, out);
    put_budgets(more, out);
    put_unpriced(more, out);
    put_predictions(more, out);
    put_trials(more, out);
    put_autopilot(more->autopilot, out);
    put_counts(out, "uplift_queue_depth", "queue", "What waits in Postgres, by queue.",
               more->queues);
    put_shelves(more, out);
}
