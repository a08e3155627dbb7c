/* Reading PostgREST's query strings and headers; see rest_query.h. */
#include "rest_query.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAX ((size_t)256 * 1024)
#define RANGE_MAX 1000000000

struct reader {
    struct buf *out;
    struct api_error *error;
    const char *whole; /* the parameter that is read, for messages */
    const char *at;
    int conditions;
};

static bool wrong(struct reader *r, const char *what)
{
    return api_error(r->error, 400, "PGRST100", "", "failed to parse %s (%.200s)", what, r->whole);
}

static bool put_text(struct reader *r, const char *name, const char *text, size_t len)
{
    buf_printf(r->out, "\"%s\":", name);
    return buf_json_string(r->out, text, len);
}

static bool is_one_of(const char *text, size_t len, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == len && memcmp(*list, text, len) == 0)
            return true;
    return false;
}

/* Goes on behind the character; false, and no further, where another one or the end stands. */
static bool take_char(struct reader *r, char c)
{
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* --- filters --- */

static const char *const operators[] = {"eq",  "neq", "gt",   "gte",   "lt",
                                        "lte", "in",  "like", "is",    "isdistinct",
                                        "cs",  "cd",  "ov",   "ilike", NULL};
/* Those that take (any) or (all) and a list in braces. */
static const char *const quantified[] = {"eq", "gt", "gte", "lt", "lte", "like", "ilike", NULL};

/* A text in double quotes, where a backslash takes the next character as it is. */
static bool read_quoted(struct reader *r, struct buf *out)
{
    for (r->at++; *r->at != '"'; r->at++) {
        if (*r->at == '\\' && r->at[1] != '\0')
            r->at++;
        if (*r->at == '\0')
            return false;
        buf_putc(out, *r->at);
    }
    r->at++;
    return true;
}

/* A value in a list: quoted, or up to a comma or bracket. */
static bool put_listed(struct reader *r)
{
    struct buf text;
    buf_init(&text, JSON_MAX);
    bool good = true;
    if (*r->at == '"') {
        good = read_quoted(r, &text);
    } else {
        size_t len = strcspn(r->at, ",)");
        buf_append(&text, r->at, len);
        r->at += len;
    }
    good = good && !text.failed;
    if (good)
        buf_json_string(r->out, text.data != NULL ? text.data : "", text.len);
    buf_release(&text);
    return good || wrong(r, "filter");
}

/* "(a,b)" of in, up to its end. */
static bool put_list(struct reader *r)
{
    if (*r->at != '(')
        return wrong(r, "filter");
    r->at++;
    buf_puts(r->out, "\"values\":[");
    for (bool is_first = true; *r->at != ')'; is_first = false) {
        if (!is_first && !take_char(r, ','))
            return wrong(r, "filter");
        if (++r->conditions > REST_CONDITIONS_MAX)
            return wrong(r, "filter: it has too many values");
        if (!is_first)
            buf_putc(r->out, ',');
        if (!put_listed(r))
            return false;
    }
    r->at++;
    return buf_putc(r->out, ']');
}

/* A value: of a parameter all that is left; in and() and or() quoted, in braces, or up to a comma
 * or bracket. */
static bool put_value(struct reader *r, bool is_nested)
{
    size_t len = strlen(r->at);
    if (!is_nested) {
        put_text(r, "value", r->at, len);
        r->at += len;
        return true;
    }
    if (*r->at == '{') {
        const char *end = strchr(r->at, '}');
        if (end == NULL)
            return wrong(r, "logic tree");
        put_text(r, "value", r->at, (size_t)(end + 1 - r->at));
        r->at = end + 1;
        return true;
    }
    buf_puts(r->out, "\"value\":");
    return put_listed(r);
}

/* "not.in.(1,2)", "eq.x", "like(any).{a*,b*}": what follows a column. */
static bool put_operation(struct reader *r, bool is_nested)
{
    bool is_not = strncmp(r->at, "not.", 4) == 0;
    r->at += is_not ? 4 : 0;
    size_t len = strspn(r->at, "abcdefghijklmnopqrstuvwxyz");
    const char *name = r->at;
    if (!is_one_of(name, len, operators))
        return wrong(r, is_nested ? "logic tree" : "filter");
    r->at += len;
    put_text(r, "op", name, len);
    if (is_not)
        buf_puts(r->out, ",\"not\":true");
    if (is_one_of(name, len, quantified) &&
        (strncmp(r->at, "(any)", 5) == 0 || strncmp(r->at, "(all)", 5) == 0)) {
        buf_printf(r->out, ",\"any\":\"%.3s\"", r->at + 1);
        r->at += 5;
    }
    if (!take_char(r, '.'))
        return wrong(r, is_nested ? "logic tree" : "filter");
    buf_putc(r->out, ',');
    return len == 2 && memcmp(name, "in", 2) == 0 ? put_list(r) : put_value(r, is_nested);
}

static bool put_column(struct reader *r, const char *name, size_t len)
{
    if (len >= 2 && name[0] == '"' && name[len - 1] == '"') {
        name++;
        len -= 2;
    }
    if (len == 0)
        return wrong(r, "filter");
    return put_text(r, "column", name, len);
}

static bool begin_condition(struct reader *r)
{
    if (++r->conditions > REST_CONDITIONS_MAX)
        return wrong(r, "filter: there are too many");
    return buf_putc(r->out, '{');
}

/* "and", "or", "not.and", "not.or": its length, 0 for none of them. */
static size_t logic_len(const char *at, bool *is_not, bool *is_and)
{
    *is_not = strncmp(at, "not.", 4) == 0;
    const char *word = *is_not ? at + 4 : at;
    *is_and = strncmp(word, "and", 3) == 0;
    if (*is_and)
        return (size_t)(word + 3 - at);
    return strncmp(word, "or", 2) == 0 ? (size_t)(word + 2 - at) : 0;
}

static bool put_tree(struct reader *r, bool is_not, bool is_and, int depth);

/* One of those within and() or or(): a condition, or another tree. */
static bool put_branch(struct reader *r, int depth)
{
    bool is_not, is_and;
    size_t len = logic_len(r->at, &is_not, &is_and);
    if (len > 0 && r->at[len] == '(') {
        r->at += len;
        return put_tree(r, is_not, is_and, depth + 1);
    }
    const char *name = r->at;
    len = *name == '"' ? strcspn(name + 1, "\"") + 2 : strcspn(name, ".,()");
    if (len > strlen(name) || name[len] != '.')
        return wrong(r, "logic tree");
    if (!begin_condition(r) || !put_column(r, name, len))
        return false;
    buf_putc(r->out, ',');
    r->at += len + 1;
    return put_operation(r, true) && buf_putc(r->out, '}');
}

/* "(a.eq.1,b.is.null)", up to its end. */
static bool put_tree(struct reader *r, bool is_not, bool is_and, int depth)
{
    if (depth > REST_DEPTH_MAX || *r->at != '(')
        return wrong(r, "logic tree");
    if (!begin_condition(r))
        return false;
    buf_printf(r->out, "%s\"%s\":[", is_not ? "\"not\":true," : "", is_and ? "and" : "or");
    do {
        r->at++;
        if (!put_branch(r, depth))
            return false;
        if (*r->at == ',')
            buf_putc(r->out, ',');
    } while (*r->at == ',');
    if (!take_char(r, ')'))
        return wrong(r, "logic tree");
    return buf_puts(r->out, "]}");
}

static bool put_filter(struct reader *r, const char *name, const char *value)
{
    bool is_not, is_and;
    size_t len = logic_len(name, &is_not, &is_and);
    r->whole = r->at = value;
    if (len > 0 && name[len] == '\0')
        return put_tree(r, is_not, is_and, 1) && (*r->at == '\0' || wrong(r, "logic tree"));
    if (!begin_condition(r) || !put_column(r, name, strlen(name)))
        return false;
    buf_putc(r->out, ',');
    if (!put_operation(r, false))
        return false;
    return (*r->at == '\0' || wrong(r, "filter")) && buf_putc(r->out, '}');
}

static bool is_filter(const char *name)
{
    static const char *const others[] = {"select", "order", "limit", "offset", "columns", NULL};
    return !is_one_of(name, strlen(name), others);
}

static bool put_filters(struct reader *r, const struct query *q)
{
    bool is_first = true;
    buf_puts(r->out, "\"where\":[");
    for (size_t i = 0; i < q->count; i++) {
        if (!is_filter(q->pairs[i].name))
            continue;
        if (!is_first)
            buf_putc(r->out, ',');
        is_first = false;
        if (!put_filter(r, q->pairs[i].name, q->pairs[i].value))
            return false;
    }
    return buf_putc(r->out, ']');
}

/* --- select and order --- */

/* Skips blanks; a plain or quoted name, without its quotes. Its length, 0 for none. */
static size_t read_name(struct reader *r, const char **name)
{
    r->at += strspn(r->at, " ");
    bool is_quoted = *r->at == '"';
    *name = is_quoted ? r->at + 1 : r->at;
    size_t len = is_quoted ? strcspn(*name, "\"") : strcspn(*name, ",:.()! \"");
    r->at = *name + len;
    if (is_quoted && !take_char(r, '"'))
        return 0;
    r->at += strspn(r->at, " ");
    return len;
}

/* "alias:column::cast" */
static bool put_selected(struct reader *r)
{
    static const char *const casts[] = {"text",    "int",  "integer", "bigint", "numeric", "float8",
                                        "boolean", "date", "json",    "jsonb",  NULL};
    const char *name, *as = NULL, *cast;
    size_t len = read_name(r, &name), as_len = 0;
    if (*r->at == ':' && r->at[1] != ':') {
        as = name;
        as_len = len;
        r->at++;
        len = read_name(r, &name);
    }
    if (*r->at == '(' || *r->at == '!')
        return api_error(r->error, 400, "PGRST200", "",
                         "Could not find a relationship between 'coach_response_feedback' and "
                         "'%.*s' in the schema cache",
                         (int)(len < 100 ? len : 100), name);
    if (len == 0 || (as != NULL && as_len == 0))
        return wrong(r, "select parameter");
    buf_putc(r->out, '{');
    put_text(r, "column", name, len);
    if (as != NULL) {
        buf_putc(r->out, ',');
        put_text(r, "as", as, as_len);
    }
    if (strncmp(r->at, "::", 2) == 0) {
        r->at += 2;
        len = read_name(r, &cast);
        if (!is_one_of(cast, len, casts))
            return wrong(r, "select parameter");
        buf_putc(r->out, ',');
        put_text(r, "cast", cast, len);
    }
    return buf_putc(r->out, '}');
}

/* "column.desc.nullslast" */
static bool put_ordered(struct reader *r)
{
    const char *name;
    size_t len = read_name(r, &name);
    if (len == 0)
        return wrong(r, "order");
    buf_putc(r->out, '{');
    put_text(r, "column", name, len);
    if (strncmp(r->at, ".desc", 5) == 0)
        buf_puts(r->out, ",\"desc\":true");
    r->at += strncmp(r->at, ".desc", 5) == 0 ? 5 : strncmp(r->at, ".asc", 4) == 0 ? 4 : 0;
    if (strncmp(r->at, ".nullsfirst", 11) == 0) {
        buf_puts(r->out, ",\"nulls\":\"first\"");
        r->at += 11;
    } else if (strncmp(r->at, ".nullslast", 10) == 0) {
        buf_puts(r->out, ",\"nulls\":\"last\"");
        r->at += 10;
    }
    return buf_putc(r->out, '}');
}

/* A comma list of what put takes, unless it is not there, empty or "*". */
static bool put_each(struct reader *r, const char *member, const char *list,
                     bool (*put)(struct reader *))
{
    if (list == NULL || *list == '\0' || strcmp(list, "*") == 0)
        return true;
    r->whole = r->at = list;
    buf_printf(r->out, ",\"%s\":[", member);
    for (int i = 0;; i++) {
        if (i == REST_CONDITIONS_MAX || !put(r))
            return i < REST_CONDITIONS_MAX ? false : wrong(r, member);
        r->at += strspn(r->at, " ");
        if (*r->at == '\0')
            return buf_putc(r->out, ']');
        if (!take_char(r, ','))
            return wrong(r, member);
        buf_putc(r->out, ',');
    }
}

/* --- which rows --- */

static bool out_of_range(struct api_error *error, const char *details)
{
    return api_error(error, 416, "PGRST103", details, "Requested range not satisfiable");
}

/* A limit or offset; value stays as it is when there is none. */
static bool read_number(const struct query *q, const char *name, long long *value,
                        struct api_error *error)
{
    const char *text = query_get(q, name);
    if (text == NULL)
        return true;
    char *end;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || isspace((unsigned char)*text) || *end != '\0' || number > RANGE_MAX ||
        number < -RANGE_MAX)
        return api_error(error, 400, "PGRST100", "",
                         "limit and offset must be whole numbers, not \"%.60s\"", text);
    if (number < 0)
        return out_of_range(error, *name == 'l'
                                       ? "Limit should be greater than or equal to zero."
                                       : "Offset should be greater than or equal to zero.");
    *value = number;
    return true;
}

/* "0-9" of a Range header narrows what limit and offset say; any other unit is not ours. */
static bool narrow(const char *range, long long *limit, long long *offset, struct api_error *error)
{
    size_t from_len = range != NULL ? strspn(range, "0123456789") : 0;
    size_t to_len =
        from_len > 0 && range[from_len] == '-' ? strspn(range + from_len + 1, "0123456789") : 0;
    if (from_len == 0 || from_len > 9 || to_len > 9 || range[from_len] != '-' ||
        range[from_len + 1 + to_len] != '\0')
        return true;
    long long from = strtoll(range, NULL, 10);
    if (from > *offset) {
        if (*limit >= 0)
            *limit = *limit > from - *offset ? *limit - (from - *offset) : 0;
        *offset = from;
    }
    if (to_len == 0)
        return true;
    long long to = strtoll(range + from_len + 1, NULL, 10);
    if (to < from)
        return out_of_range(error, "The lower boundary must be lower than or equal to the upper "
                                   "boundary in the Range header.");
    long long most = to >= *offset ? to - *offset + 1 : 0;
    if (*limit < 0 || most < *limit)
        *limit = most;
    return true;
}

static bool put_range(struct rest_query *q, const struct request *r, struct api_error *error)
{
    long long limit = -1, offset = 0;
    if (!read_number(&q->query, "limit", &limit, error) ||
        !read_number(&q->query, "offset", &offset, error))
        return false;
    if (strcmp(r->method, "PATCH") == 0 || strcmp(r->method, "DELETE") == 0) {
        if (limit >= 0 || offset > 0)
            return api_error(
                error, 400, "PGRST100", "",
                "an update or delete takes no limit and no offset: say by filters which "
                "rows");
        return true;
    }
    if (!narrow(request_param(r, "HTTP_RANGE"), &limit, &offset, error))
        return false;
    if (limit >= 0)
        buf_printf(&q->json, ",\"limit\":%lld", limit);
    buf_printf(&q->json, ",\"offset\":%lld", offset);
    return true;
}

/* --- headers --- */

static void read_prefer(struct rest_query *q, const char *prefer)
{
    static const char *const counts[] = {[REST_EXACT] = "count=exact",
                                         [REST_PLANNED] = "count=planned",
                                         [REST_ESTIMATED] = "count=estimated"};
    bool is_strict = strstr(prefer, "handling=strict") != NULL;
    const char *most = strstr(prefer, "max-affected=");
    for (int i = REST_EXACT; i <= REST_ESTIMATED; i++)
        if (strstr(prefer, counts[i]) != NULL)
            q->count = (enum rest_count)i;
    q->representation = strstr(prefer, "return=representation") != NULL;
    q->is_minimal = strstr(prefer, "return=minimal") != NULL;
    if (is_strict && most != NULL && isdigit((unsigned char)most[13]))
        q->most = strtoll(most + 13, NULL, 10);
}

static bool read_accept(struct rest_query *q, const char *accept, struct api_error *error)
{
    static const char *const ours[] = {"*/*",
                                       "application/*",
                                       "application/json",
                                       "application/vnd.pgrst.object",
                                       "application/vnd.pgrst.array",
                                       NULL};
    if (accept == NULL || *accept == '\0')
        return true;
    q->one = strstr(accept, "application/vnd.pgrst.object") != NULL;
    q->strip = strstr(accept, "nulls=stripped") != NULL;
    for (int i = 0; ours[i] != NULL; i++)
        if (strstr(accept, ours[i]) != NULL)
            return true;
    return api_error(error, 406, "PGRST107", "", "None of these media types are available: %.200s",
                     accept);
}

static void put_headers(struct rest_query *q, const struct request *r)
{
    static const char *const counts[] = {
        [REST_EXACT] = "exact", [REST_PLANNED] = "planned", [REST_ESTIMATED] = "estimated"};
    if (q->count != REST_NO_COUNT)
        buf_printf(&q->json, ",\"count\":\"%s\"", counts[q->count]);
    if (q->one)
        buf_puts(&q->json, ",\"one\":true");
    if (q->strip)
        buf_puts(&q->json, ",\"strip\":true");
    if (strcmp(r->method, "HEAD") == 0)
        buf_puts(&q->json, ",\"head\":true");
    if (q->representation)
        buf_puts(&q->json, ",\"representation\":true");
    if (q->most >= 0)
        buf_printf(&q->json, ",\"most\":%lld", q->most);
}

bool rest_query_read(struct rest_query *q, const struct request *r, struct api_error *error)
{
    const char *prefer = request_param(r, "HTTP_PREFER");
    *q = (struct rest_query){.most = -1};
    buf_init(&q->json, JSON_MAX);
    if (!query_parse(&q->query, r->query))
        return api_error(error, 400, "PGRST100", "", "the query string cannot be read");
    if (prefer != NULL)
        read_prefer(q, prefer);
    struct reader reader = {.out = &q->json, .error = error};
    buf_putc(&q->json, '{');
    bool good = read_accept(q, request_param(r, "HTTP_ACCEPT"), error) &&
                put_filters(&reader, &q->query) &&
                put_each(&reader, "select", query_get(&q->query, "select"), put_selected) &&
                put_each(&reader, "order", query_get(&q->query, "order"), put_ordered) &&
                put_range(q, r, error);
    put_headers(q, r);
    buf_putc(&q->json, '}');
    if (good && q->json.failed)
        good = api_error(error, 503, "53200", "", "the server is out of memory; try again");
    if (!good)
        rest_query_release(q);
    return good;
}

void rest_query_release(struct rest_query *q)
{
    query_release(&q->query);
    buf_release(&q->json);
}

const char *rest_query_only_id(const struct rest_query *q, const char *user)
{
    const char *id = NULL;
    for (size_t i = 0; i < q->query.count; i++) {
        const char *name = q->query.pairs[i].name, *value = q->query.pairs[i].value;
        if (!is_filter(name))
            continue;
        if (strncmp(value, "eq.", 3) != 0)
            return NULL;
        if (strcmp(name, "id") == 0 && id == NULL)
            id = value + 3;
        else if (strcmp(name, "user_id") != 0 || strcmp(value + 3, user) != 0)
            return NULL;
    }
    return id;
}

void rest_query_applied(const struct rest_query *q, struct buf *headers)
{
    static const char *const counts[] = {[REST_NO_COUNT] = "",
                                         [REST_EXACT] = "count=exact",
                                         [REST_PLANNED] = "count=planned",
                                         [REST_ESTIMATED] = "count=estimated"};
    const char *rows = q->representation ? "return=representation"
                       : q->is_minimal   ? "return=minimal"
                                         : "";
    if (*rows != '\0' || q->count != REST_NO_COUNT)
        buf_printf(headers, "Preference-Applied: %s%s%s\r\n", rows,
                   *rows != '\0' && q->count != REST_NO_COUNT ? ", " : "", counts[q->count]);
}
