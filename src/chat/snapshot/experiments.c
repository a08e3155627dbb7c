/* The variant of a chat without Postgres; see experiments.h. uplift.variants_for() is the same with
 * it. */
#include "experiments.h"

#include "common/json.h"
#include "common/kept_file.h"
#include "common/log.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "experiments.json"
#define HOLDOUT_SALT "uplift holdout"
#define BUCKET_BITS 52
#define DEFAULT_COACH "coach_decibel_avatar" /* of who chose none */

struct experiments {
    char *dir;
    pthread_mutex_t lock; /* guards all below */
    cJSON *known;         /* NULL: nothing */
    char mark[EXPERIMENTS_MARK];
};

struct experiments *experiments_new(const char *dir)
{
    struct experiments *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    pthread_mutex_init(&e->lock, NULL);
    e->dir = strdup(dir);
    if (e->dir == NULL) {
        experiments_free(e);
        return NULL;
    }
    char *text = kept_file_read(dir, FILE_NAME);
    struct json_error wrong;
    if (text != NULL)
        e->known = json_parse(text, strlen(text), &wrong);
    free(text);
    return e;
}

void experiments_free(struct experiments *e)
{
    if (e == NULL)
        return;
    cJSON_Delete(e->known);
    pthread_mutex_destroy(&e->lock);
    free(e->dir);
    free(e);
}

void experiments_mark(struct experiments *e, char mark[EXPERIMENTS_MARK])
{
    pthread_mutex_lock(&e->lock);
    memcpy(mark, e->mark, EXPERIMENTS_MARK);
    pthread_mutex_unlock(&e->lock);
}

void experiments_take(struct experiments *e, const cJSON *news, const char *mark)
{
    cJSON *copy = cJSON_IsObject(news) ? cJSON_Duplicate(news, true) : NULL;
    char *text = copy != NULL ? cJSON_PrintUnformatted(copy) : NULL;
    if (text == NULL || mark == NULL || strlen(mark) >= EXPERIMENTS_MARK) {
        log_error("experiments", "what Postgres told of experiments cannot be taken");
        cJSON_Delete(copy);
        free(text);
        return;
    }
    kept_file_write(e->dir, FILE_NAME, text);
    free(text);
    double left_out = json_number(copy, "left_out", 0);
    if (left_out > 0)
        log_warn("experiments",
                 "while Postgres is away, %.0f experiments or changes of production will be left "
                 "out: their texts are too long together",
                 left_out);
    pthread_mutex_lock(&e->lock);
    cJSON *before = e->known;
    e->known = copy;
    memcpy(e->mark, mark, strlen(mark) + 1);
    pthread_mutex_unlock(&e->lock);
    cJSON_Delete(before);
}

double experiments_bucket(const char *salt, const char *user)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint64_t first = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, salt, strlen(salt)) == 1 &&
                EVP_DigestUpdate(context, user, strlen(user)) == 1 &&
                EVP_DigestFinal_ex(context, hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        return -1;
    for (size_t i = 0; i < sizeof first; i++)
        first = first << 8 | hash[i];
    return (double)(first >> (64 - BUCKET_BITS)) / (double)((uint64_t)1 << BUCKET_BITS);
}

static bool has_text(const cJSON *array, const char *text)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, array)
        if (cJSON_IsString(item) && strcmp(item->valuestring, text) == 0)
            return true;
    return false;
}

static bool is_asked_for(const char *name, const struct experiment_asker *who, const cJSON *asked)
{
    return (who->severity != NULL && strcmp(name, "severity") == 0) ||
           (who->mode != NULL && strcmp(name, "mode") == 0) ||
           (who->coach_id != NULL && strcmp(name, "coach_id") == 0) ||
           (who->model != NULL && strcmp(name, "model") == 0) || has_text(asked, name);
}

/* Whether something that the experiment changes was asked for. */
static bool has_own_choice(const cJSON *running, const struct experiment_asker *who,
                           const cJSON *asked)
{
    const cJSON *name;
    const cJSON *touches = cJSON_GetObjectItemCaseSensitive(running, "touches");
    cJSON_ArrayForEach (name, touches) {
        if (cJSON_IsString(name) && is_asked_for(name->valuestring, who, asked))
            return true;
    }
    return false;
}

static const char *coach_of(const struct experiment_asker *who)
{
    return who->coach_id != NULL ? who->coach_id : DEFAULT_COACH;
}

/* The model that is deployed for a coach, or for all (coach NULL); NULL for none. */
static const char *deployed_for(const cJSON *known, const char *coach)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(known, "deployed")) {
        const char *of = json_string(one, "coach_id");
        if (of == NULL || coach == NULL ? of == coach : strcmp(of, coach) == 0)
            return json_string(one, "model");
    }
    return NULL;
}

/* What production has for a coach, or for all (coach NULL); NULL for nothing. */
static const cJSON *production_of(const cJSON *known, const char *coach)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(known, "production")) {
        const char *of = json_string(one, "coach_id");
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(one, "changes");
        if (cJSON_IsObject(changes) &&
            (of == NULL || coach == NULL ? of == coach : strcmp(of, coach) == 0))
            return changes;
    }
    return NULL;
}

/* Whether a coach has something of this name of its own, as uplift.own_in_production() says: what
 * is tried on all coaches does not change that. */
static bool is_own(const cJSON *known, const char *coach, const char *name)
{
    return (strcmp(name, "model") == 0 && deployed_for(known, coach) != NULL) ||
           cJSON_GetObjectItemCaseSensitive(production_of(known, coach), name) != NULL;
}

/* Whom an experiment is for; NULL: all coaches. */
static const cJSON *coaches_of(const cJSON *running)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(running, "targeting"),
                                            "coaches");
}

/* Of whom it keeps something when an experiment is tried: the coach, of one for all coaches; NULL:
 * nobody. */
static const char *keeper_of(const cJSON *running, const struct experiment_asker *who)
{
    return coaches_of(running) == NULL ? coach_of(who) : NULL;
}

static bool is_kept(const cJSON *known, const char *keeper, const cJSON *change)
{
    return keeper != NULL && change->string != NULL && is_own(known, keeper, change->string);
}

/* Whether something is left of each variant, as uplift.settings_beside() has it. */
static bool is_something_left(const cJSON *known, const char *keeper, const cJSON *running)
{
    const cJSON *variant, *change;
    cJSON_ArrayForEach (variant, cJSON_GetObjectItemCaseSensitive(running, "settings")) {
        bool is_left = variant->child == NULL;
        cJSON_ArrayForEach (change, variant)
            is_left = is_left || !is_kept(known, keeper, change);
        if (!is_left)
            return false;
    }
    return true;
}

static bool is_targeted(const cJSON *known, const cJSON *running,
                        const struct experiment_asker *who)
{
    const cJSON *coaches = coaches_of(running);
    return coaches != NULL ? has_text(coaches, coach_of(who))
                           : is_something_left(known, coach_of(who), running);
}

/* The place of the user's variant, from 0; -1 for who does not take part. */
static int variant_of(const cJSON *running, const char *user)
{
    const char *share_salt = json_string(running, "share_salt"),
               *salt = json_string(running, "salt");
    if (share_salt == NULL || salt == NULL)
        return -1;
    double at = experiments_bucket(share_salt, user);
    if (at < json_number(running, "share_from", 0) || at >= json_number(running, "share_to", 0))
        return -1;
    const cJSON *bound;
    int place = 0;
    at = experiments_bucket(salt, user);
    if (at < 0)
        return -1;
    const cJSON *bounds = cJSON_GetObjectItemCaseSensitive(running, "bounds");
    cJSON_ArrayForEach (bound, bounds) {
        if (at < bound->valuedouble)
            return place;
        place++;
    }
    return place - 1;
}

/* A copy of change takes the place of what all has under its name. False when memory ran out. */
static bool put_change(cJSON *all, const cJSON *change)
{
    cJSON *copy = cJSON_Duplicate(change, true);
    cJSON_DeleteItemFromObjectCaseSensitive(all, change->string);
    if (copy != NULL && cJSON_AddItemToObject(all, change->string, copy))
        return true;
    cJSON_Delete(copy);
    return false;
}

/* Whether there is something of it in a prompt without Postgres. */
static bool is_there(const char *name)
{
    return strcmp(name, "memory") != 0 && strcmp(name, "knowledge") != 0 &&
           strcmp(name, "examples") != 0;
}

/* Whether every variant that changes something can change something of a chat, as
 * uplift.is_felt(): no chat has memories, knowledge or examples now, whatever a variant says. */
static bool is_felt(const cJSON *known, const char *keeper, const cJSON *running)
{
    const cJSON *variant, *change;
    cJSON_ArrayForEach (variant, cJSON_GetObjectItemCaseSensitive(running, "settings")) {
        bool changes = false, shows = false;
        cJSON_ArrayForEach (change, variant) {
            if (change->string == NULL || is_kept(known, keeper, change) ||
                (cJSON_IsString(change) && strcmp(change->valuestring, "on") == 0))
                continue; /* "on" is how it is anyway */
            changes = true;
            shows |= is_there(change->string);
        }
        if (changes && !shows)
            return false;
    }
    return true;
}

static bool add_exposure(const char *id, const char *name, const char *variant, cJSON *exposures)
{
    cJSON *exposure = cJSON_CreateObject();
    if (exposure != NULL && cJSON_AddStringToObject(exposure, "experiment_id", id) != NULL &&
        cJSON_AddStringToObject(exposure, "experiment", name) != NULL &&
        cJSON_AddStringToObject(exposure, "variant", variant) != NULL &&
        cJSON_AddItemToArray(exposures, exposure))
        return true;
    cJSON_Delete(exposure);
    return false;
}

/* A coach's own, and not another's who answers in its place, as uplift.with_persona_of() has it. */
static const char *const persona[] = {"personality", "guidelines"};
#define PERSONA (sizeof persona / sizeof persona[0])

/* What a coach who answers in the place of another brings, as far as production has some. */
static bool take_coach(const cJSON *known, const char *coach, cJSON *all)
{
    for (size_t i = 0; i < PERSONA; i++) {
        const cJSON *change =
            cJSON_GetObjectItemCaseSensitive(production_of(known, coach), persona[i]);
        if (change == NULL)
            change = cJSON_GetObjectItemCaseSensitive(production_of(known, NULL), persona[i]);
        if (change == NULL)
            cJSON_DeleteItemFromObjectCaseSensitive(all, persona[i]);
        else if (!put_change(all, change))
            return false;
    }
    return true;
}

/* Puts changes over all, but what a keeper keeps, as uplift.put_changes(); of a chat that coach
 * would answer. False when memory ran out. */
static bool put_changes(const cJSON *known, const char *coach, const char *keeper,
                        const cJSON *changes, cJSON *all)
{
    const char *next = json_string(changes, "coach_id"), *now = json_string(all, "coach_id");
    const cJSON *change;
    if (next != NULL && strcmp(next, now != NULL ? now : coach) != 0 &&
        !(keeper != NULL && is_own(known, keeper, "coach_id")) && !take_coach(known, next, all))
        return false;
    cJSON_ArrayForEach (change, changes) {
        if (change->string != NULL && !is_kept(known, keeper, change) && !put_change(all, change))
            return false;
    }
    return true;
}

/* Adds what a variant changes to all, and its name to exposures where it can be felt. False when
 * memory ran out. */
static bool add_variant(const cJSON *known, const cJSON *running, int place,
                        const struct experiment_asker *who, cJSON *all, cJSON *exposures)
{
    const cJSON *settings =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(running, "settings"), place);
    const char *variant = cJSON_GetStringValue(
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(running, "variants"), place));
    const char *id = json_string(running, "id"), *name = json_string(running, "name");
    const char *keeper = keeper_of(running, who);
    if (variant == NULL || id == NULL || name == NULL)
        return true; /* what cannot be read changes nothing */
    return put_changes(known, coach_of(who), keeper, settings, all) &&
           (!is_felt(known, keeper, running) || add_exposure(id, name, variant, exposures));
}

/* Whether another coach answers for all of them, for whom what is this one's alone is not. */
static bool is_replaced(const cJSON *all, const cJSON *own, const char *coach)
{
    const char *next = json_string(all, "coach_id");
    return next != NULL && strcmp(next, coach) != 0 && json_string(own, "coach_id") == NULL;
}

static bool is_persona(const char *name)
{
    for (size_t i = 0; i < PERSONA; i++)
        if (strcmp(name, persona[i]) == 0)
            return true;
    return false;
}

/* Puts what changes has of chat settings, for all coaches or for this one alone, over all; what was
 * asked for stays. */
static bool add_production(const cJSON *changes, const struct experiment_asker *who,
                           const cJSON *asked, cJSON *all)
{
    bool leaves_persona = is_replaced(all, changes, coach_of(who));
    const cJSON *change;
    cJSON_ArrayForEach (change, changes) {
        if (change->string != NULL && !is_asked_for(change->string, who, asked) &&
            !(leaves_persona && is_persona(change->string)) && !put_change(all, change))
            return false;
    }
    return true;
}

/* What rollouts changed, for all coaches first. Who agreed to be roasted is not known. */
static bool take_production(const cJSON *known, const struct experiment_asker *who,
                            const cJSON *asked, cJSON *all)
{
    const char *coach = coach_of(who);
    cJSON *changes = cJSON_CreateObject();
    bool good = changes != NULL && add_production(production_of(known, NULL), who, asked, changes);
    if (good && deployed_for(known, coach) != NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(changes, "model");
    good = good && add_production(production_of(known, coach), who, asked, changes) &&
           put_changes(known, coach, NULL, changes, all);
    if (strcmp(json_text(all, "mode"), "roast") == 0)
        cJSON_DeleteItemFromObjectCaseSensitive(all, "mode");
    cJSON_Delete(changes);
    return good;
}

/* Which model serves the coach who answers, where nothing says another. */
static bool take_deployed(const cJSON *known, const struct experiment_asker *who, cJSON *all)
{
    const char *coach = json_string(all, "coach_id");
    const char *model = deployed_for(known, coach != NULL ? coach : coach_of(who));
    if (model == NULL)
        model = deployed_for(known, NULL);
    return model == NULL || who->model != NULL || cJSON_HasObjectItem(all, "model") ||
           cJSON_AddStringToObject(all, "model", model) != NULL;
}

static bool take_variants(const cJSON *known, const struct experiment_asker *who,
                          const cJSON *asked, cJSON *all, cJSON *exposures)
{
    const cJSON *running;
    double holdout = json_number(known, "holdout_share", 0);
    if (who->is_guest || (holdout > 0 && experiments_bucket(HOLDOUT_SALT, who->user) < holdout))
        return true;
    cJSON_ArrayForEach (running, cJSON_GetObjectItemCaseSensitive(known, "running")) {
        if (has_own_choice(running, who, asked) || !is_targeted(known, running, who))
            continue;
        int place = variant_of(running, who->user);
        if (place >= 0 && !add_variant(known, running, place, who, all, exposures))
            return false;
    }
    return true;
}

static bool assign(const cJSON *known, const struct experiment_asker *who, const cJSON *asked,
                   cJSON *all, cJSON *exposures)
{
    return take_production(known, who, asked, all) &&
           take_variants(known, who, asked, all, exposures) && take_deployed(known, who, all);
}

bool experiments_assign(struct experiments *e, const struct experiment_asker *who,
                        struct experiment_changes *out)
{
    struct json_error wrong;
    *out = (struct experiment_changes){0};
    cJSON *all = cJSON_CreateObject(), *exposures = cJSON_CreateArray();
    cJSON *asked = who->asked != NULL ? json_parse(who->asked, strlen(who->asked), &wrong) : NULL;
    bool good = all != NULL && exposures != NULL && (who->asked == NULL || asked != NULL);
    if (good) {
        pthread_mutex_lock(&e->lock);
        good = e->known == NULL || assign(e->known, who, asked, all, exposures);
        pthread_mutex_unlock(&e->lock);
    }
    if (good && cJSON_GetArraySize(exposures) > 0) {
        out->exposures = cJSON_PrintUnformatted(exposures);
        good = out->exposures != NULL;
    }
    if (good && cJSON_GetArraySize(all) > 0) {
        out->all = all;
        all = NULL;
    }
    cJSON_Delete(all);
    cJSON_Delete(exposures);
    cJSON_Delete(asked);
    if (!good)
        experiment_changes_release(out);
    return good;
}

void experiment_changes_release(struct experiment_changes *changes)
{
    cJSON_Delete(changes->all);
    free(changes->exposures);
    *changes = (struct experiment_changes){0};
}
