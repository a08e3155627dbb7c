/* Routing: layers, plans drawn by weight, fallbacks and loops, and what is refused. */
#include "chat/provider/routing.h"
#include "common/log.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char url[] = "http://127.0.0.1:1/v1", key[] = "sk-the-key", nowhere[] = "/nonexistent",
            model[] = "a-model";

static struct config configured(char *routing)
{
    return (struct config){.upstream_url = url,
                           .openai_api_key = key,
                           .connect_timeout_ms = 1,
                           .first_byte_timeout_ms = 2,
                           .first_token_timeout_ms = 3,
                           .idle_timeout_ms = 4,
                           .total_timeout_ms = 5,
                           .spool_dir = nowhere,
                           .model = model,
                           .routing = routing};
}

#define PROVIDERS                                                                                  \
    "\"providers\":[{\"name\":\"one\",\"base_url\":\"http://127.0.0.1:2/v1\"},"                    \
    "{\"name\":\"two\",\"base_url\":\"http://127.0.0.1:3/v1\",\"idle_timeout_ms\":44}]"

static void take(struct routings *all, const char *json)
{
    cJSON *routing = cJSON_Parse(json);
    assert_non_null(routing);
    routings_take(all, routing);
    cJSON_Delete(routing);
}

/* The plan for a model as "provider/model provider/model". */
static const char *plan(struct routings *all, const char *asked, unsigned seed)
{
    static char text[1000];
    const struct route *routes[ROUTES_MAX];
    struct routing *r = routings_current(all);
    size_t len = 0, count = routing_plan(r, asked, &seed, routes);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s/%s", i > 0 ? " " : "",
                                routes[i]->provider->name,
                                routes[i]->model != NULL ? routes[i]->model : "");
    routing_release(r);
    return text;
}

static void without_routes_the_configured_provider_answers(void **state)
{
    (void)state;
    struct config c = configured(NULL);
    struct routings *all = routings_new(&c, NULL);
    assert_non_null(all);
    assert_int_equal(routings_revision(all), -1);
    assert_string_equal(plan(all, "any", 1), "default/");
    assert_string_equal(plan(all, "", 1), "default/");
    routings_free(all);
}

static void postgres_comes_before_configuration(void **state)
{
    (void)state;
    char routing[] = "{" PROVIDERS ",\"models\":["
                     "{\"name\":\"m\",\"routes\":[{\"position\":1,\"provider\":\"one\"}]},"
                     "{\"name\":\"n\",\"routes\":[{\"position\":1,\"provider\":\"two\"}]}]}";
    struct config c = configured(routing);
    struct routings *all = routings_new(&c, NULL);
    assert_non_null(all);
    assert_string_equal(plan(all, "m", 1), "one/");
    take(all,
         "{\"revision\":7,\"providers\":[],\"models\":[{\"name\":\"m\",\"routes\":["
         "{\"position\":2,\"provider\":\"one\",\"model\":\"x\"},"
         "{\"position\":1,\"provider\":\"two\"},{\"position\":3,\"provider\":\"default\"}]}]}");
    assert_int_equal(routings_revision(all), 7);
    assert_string_equal(plan(all, "m", 1), "two/ one/x default/");
    assert_string_equal(plan(all, "n", 1), "two/");
    struct routing *r = routings_current(all);
    const struct route *routes[ROUTES_MAX];
    unsigned seed = 1;
    routing_plan(r, "m", &seed, routes);
    assert_int_equal(routes[0]->provider->idle_timeout_ms, 44);
    assert_int_equal(routes[1]->provider->idle_timeout_ms, 4);
    take(all, "{\"revision\":8}"); /* who holds a snapshot keeps it */
    assert_string_equal(plan(all, "m", 1), "one/");
    assert_string_equal(routes[1]->model, "x");
    routing_release(r);
    routings_free(all);
}

static void weights_share_the_chats(void **state)
{
    (void)state;
    char routing[] = "{" PROVIDERS ",\"models\":[{\"name\":\"m\",\"routes\":["
                     "{\"position\":1,\"provider\":\"one\",\"weight\":3},"
                     "{\"position\":1,\"provider\":\"two\",\"weight\":1}]}]}";
    struct config c = configured(routing);
    struct routings *all = routings_new(&c, NULL);
    const struct route *routes[ROUTES_MAX];
    unsigned seed = 12345;
    int first = 0;
    assert_non_null(all);
    struct routing *r = routings_current(all);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(routing_plan(r, "m", &seed, routes), 2);
        assert_ptr_not_equal(routes[0], routes[1]);
        first += strcmp(routes[0]->provider->name, "one") == 0;
    }
    /* Binomial with 10000 and 3/4: its standard deviation is 43. */
    assert_in_range(first, 7500 - 6 * 43, 7500 + 6 * 43);
    routing_release(r);
    routings_free(all);
}

static void fallbacks_are_other_models(void **state)
{
    (void)state;
    char routing[] =
        "{" PROVIDERS ",\"models\":["
        "{\"name\":\"m\",\"routes\":[{\"position\":1,\"provider\":\"one\"}],\"fallbacks\":[\"n\"]},"
        "{\"name\":\"n\",\"routes\":[{\"position\":1,\"provider\":\"one\"},{\"position\":2,"
        "\"provider\":\"two\","
        "\"model\":\"x\"}],\"fallbacks\":[\"o\",\"*\"]},"
        "{\"name\":\"o\",\"routes\":[{\"position\":1,\"provider\":\"two\"}]},"
        "{\"name\":\"*\",\"routes\":[{\"position\":1,\"provider\":\"two\"}]}]}";
    struct config c = configured(routing);
    struct routings *all = routings_new(&c, NULL);
    assert_non_null(all);
    /* Those without a name of their own are asked for by the name of the fallback. */
    assert_string_equal(plan(all, "m", 1), "one/ one/n two/x two/o two/n");
    assert_string_equal(plan(all, "n", 1), "one/ two/x two/o two/");
    assert_string_equal(plan(all, "anything", 1), "two/");
    routings_free(all);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{",
        "[]",
        "{\"providers\":7}",
        "{\"providers\":[{\"name\":\"one\"}]}",
        "{\"providers\":[{\"base_url\":\"http://127.0.0.1/v1\"}]}",
        "{\"providers\":[{\"name\":\"one\",\"base_url\":\"ftp://127.0.0.1\"}]}",
        "{\"models\":[{\"name\":\"m\",\"routes\":[{\"position\":1,\"provider\":\"nobody\"}]}]}",
        "{" PROVIDERS ",\"models\":[{\"name\":\"m\",\"routes\":["
        "{\"position\":1,\"provider\":\"one\",\"weight\":-1}]}]}",
        "{" PROVIDERS ",\"models\":["
        "{\"name\":\"m\",\"routes\":[{\"position\":1,\"provider\":\"one\"}],\"fallbacks\":[\"n\"]},"
        "{\"name\":\"n\",\"routes\":[{\"position\":1,\"provider\":\"two\"}],\"fallbacks\":[\"m\"]}]"
        "}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *routing = strdup(wrong[i]), why[512];
        struct config c = configured(routing);
        if (routing_check(&c, why, sizeof why))
            fail_msg("taken: %s", wrong[i]);
        assert_true(strlen(why) > 10);
        free(routing);
    }
}

static void what_is_wrong_in_postgres_changes_nothing(void **state)
{
    (void)state;
    char routing[] =
        "{" PROVIDERS
        ",\"models\":[{\"name\":\"m\",\"routes\":[{\"position\":1,\"provider\":\"one\"}]}]}";
    struct config c = configured(routing);
    struct routings *all = routings_new(&c, NULL);
    assert_non_null(all);
    log_open("test", -1, LOG_ERROR + 1);
    take(all, "{\"revision\":9,\"providers\":[{\"name\":\"one\",\"base_url\":\"nonsense\"}],"
              "\"models\":[]}");
    assert_int_equal(routings_revision(all), 9); /* it is not asked for again */
    assert_string_equal(plan(all, "m", 1), "one/");
    routings_free(all);
}

static const struct CMUnitTest routing_tests[] = {
    cmocka_unit_test(without_routes_the_configured_provider_answers),
    cmocka_unit_test(postgres_comes_before_configuration),
    cmocka_unit_test(weights_share_the_chats),
    cmocka_unit_test(fallbacks_are_other_models),
    cmocka_unit_test(what_cannot_be_is_refused),
    cmocka_unit_test(what_is_wrong_in_postgres_changes_nothing),
};
UNIT_MAIN(routing_tests)
