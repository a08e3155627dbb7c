/* Reads persona, severity, memories and history out of a request's messages. */
#include "prompt.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static struct piece piece_of(const char *text)
{
    return (struct piece){text, text ? strlen(text) : 0};
}

static bool is_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || c == '\'';
}

bool piece_has(struct piece p, const char *word)
{
    size_t len = strlen(word);
    bool open_end = len > 0 && word[len - 1] == '*';
    if (open_end)
        len--;
    for (size_t i = 0; i + len <= p.len; i++) {
        if (i > 0 && is_word((unsigned char)p.text[i - 1]))
            continue;
        if (strncasecmp(p.text + i, word, len) != 0)
            continue;
        if (open_end || i + len == p.len || !is_word((unsigned char)p.text[i + len]))
            return true;
    }
    return false;
}

/* Where needle begins in p, or NULL. */
static const char *find(struct piece p, const char *needle)
{
    return p.len ? memmem(p.text, p.len, needle, strlen(needle)) : NULL;
}

static struct piece from(struct piece p, const char *at)
{
    return (struct piece){at, (size_t)(p.text + p.len - at)};
}

/* Takes the next line off rest, without white space at its ends. False when rest is empty. */
static bool next_line(struct piece *rest, struct piece *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->text, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->text) : rest->len;
    *line = (struct piece){rest->text, len};
    rest->text += len + (end != NULL);
    rest->len -= len + (end != NULL);
    while (line->len && isspace((unsigned char)line->text[line->len - 1]))
        line->len--;
    while (line->len && isspace((unsigned char)*line->text)) {
        line->text++;
        line->len--;
    }
    return true;
}

/* The text between <tag> and </tag>; len 0 when there is none. */
static struct piece section(struct piece system, const char *open, const char *close)
{
    const char *begin = find(system, open);
    if (begin == NULL)
        return (struct piece){NULL, 0};
    struct piece rest = from(system, begin + strlen(open));
    const char *end = find(rest, close);
    return (struct piece){rest.text, end ? (size_t)(end - rest.text) : rest.len};
}

/* "You are Decibel, a coach": the words up to the comma, unless they are "a ..." or too many. */
static void read_name(struct prompt *p)
{
    const char *at = find(p->system, "You are ");
    if (at == NULL)
        return;
    struct piece rest = from(p->system, at + strlen("You are "));
    size_t len = 0;
    while (len < rest.len && len < 48 && !strchr(",.;:!?\n(\"", rest.text[len]))
        len++;
    bool article = rest.len > 2 &&
                   (strncasecmp(rest.text, "a ", 2) == 0 || strncasecmp(rest.text, "an ", 3) == 0);
    if (len > 0 && len < 48 && !article)
        p->name = (struct piece){rest.text, len};
}

static int band_of(double severity)
{
    static const double cuts[] = {1.6, 2.6, 3.6, 4.6, 5.6};
    int band = 0;
    while (band < BANDS - 1 && severity >= cuts[band])
        band++;
    return band;
}

static void read_severity(struct prompt *p)
{
    static const char *const names[BANDS] = {"ultra gentle", "supportive", "balanced",
                                             "direct",       "intense",    "savage"};
    p->band = BAND_BALANCED;
    for (size_t i = 0; i + 8 <= p->system.len; i++) {
        if (strncasecmp(p->system.text + i, "severity", 8) != 0)
            continue;
        for (size_t k = i + 8; k < p->system.len && k < i + 24; k++) {
            if (isdigit((unsigned char)p->system.text[k])) {
                double value = strtod(p->system.text + k, NULL);
                if (value >= 1 && value <= 6)
                    p->band = band_of(value);
                return;
            }
        }
    }
    for (int i = 0; i < BANDS; i++)
        if (find(p->system, names[i]))
            p->band = i;
}

static enum voice voice_of(struct piece persona)
{
    static const struct {
        enum voice voice;
        const char *word;
    } words[] = {
        {VOICE_LOUD, "loud*"},       {VOICE_LOUD, "concert"},  {VOICE_LOUD, "crowd"},
        {VOICE_LOUD, "energetic"},   {VOICE_LOUD, "punchy"},   {VOICE_LOUD, "hype"},
        {VOICE_LOUD, "exclamation"}, {VOICE_LOUD, "decibel*"}, {VOICE_LOUD, "drill*"},
        {VOICE_LOUD, "sergeant"},    {VOICE_LOUD, "music"},    {VOICE_LOUD, "fast"},
        {VOICE_CALM, "calm"},        {VOICE_CALM, "garden*"},  {VOICE_CALM, "orchard"},
        {VOICE_CALM, "tree*"},       {VOICE_CALM, "slowly"},   {VOICE_CALM, "patient"},
        {VOICE_CALM, "gentle"},      {VOICE_CALM, "zen"},      {VOICE_CALM, "mindful*"},
        {VOICE_CALM, "wise"},        {VOICE_CALM, "warm"},     {VOICE_DRY, "dry"},
        {VOICE_DRY, "accountant"},   {VOICE_DRY, "figures"},   {VOICE_DRY, "numbers"},
        {VOICE_DRY, "precise"},      {VOICE_DRY, "ledger*"},   {VOICE_DRY, "data"},
        {VOICE_DRY, "analytical"},   {VOICE_DRY, "books"},     {VOICE_DRY, "deadpan"},
    };
    int score[VOICES] = {0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        score[words[i].voice] += piece_has(persona, words[i].word);
    enum voice best = VOICE_PLAIN;
    for (enum voice v = VOICE_LOUD; v < VOICES; v++)
        if (score[v] > score[best])
            best = v;
    return best;
}

/* Sentences in double quotes, which a persona gives as typical of itself. */
static void read_quotes(struct prompt *p, struct piece persona)
{
    const char *at = persona.text, *end = persona.text + persona.len;
    while (p->quote_count < PROMPT_LINES && at < end) {
        const char *open = memchr(at, '"', (size_t)(end - at));
        const char *close = open ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
        if (close == NULL)
            return;
        size_t len = (size_t)(close - open - 1);
        /* A whole sentence: not a single word that is merely quoted. */
        if (len >= 12 && len <= 120 && isupper((unsigned char)open[1]) && strchr(".!?", close[-1]))
            p->quotes[p->quote_count++] = (struct piece){open + 1, len};
        at = close + 1;
    }
}

static void read_persona(struct prompt *p)
{
    struct piece persona = section(p->system, "# Persona\n", "\n#");
    if (persona.len == 0)
        persona = p->system;
    p->voice = voice_of(persona);
    read_quotes(p, persona);
    p->roast = find(p->system, "Mode: roast") != NULL || find(p->system, "roast mode") != NULL;
}

static void read_facts(struct prompt *p)
{
    struct piece rest = section(p->system, "<user_facts>", "</user_facts>"), line;
    while (p->fact_count < PROMPT_FACTS && next_line(&rest, &line)) {
        const char *colon = line.len > 4 ? memmem(line.text, line.len, ": ", 2) : NULL;
        if (colon == NULL || line.text[0] != '-')
            continue;
        p->facts[p->fact_count].key =
            (struct piece){line.text + 2, (size_t)(colon - line.text) - 2};
        p->facts[p->fact_count++].value = from(line, colon + 2);
    }
}

static void read_memories(struct prompt *p)
{
    struct piece rest = section(p->system, "<user_memories>", "</user_memories>"), line;
    if (rest.len == 0)
        rest = section(p->system, "KNOWN USER CONTEXT", "\n\n");
    while (p->memory_count < PROMPT_MEMORIES && next_line(&rest, &line)) {
        const char *close = line.len > 4 ? memchr(line.text, ']', line.len) : NULL;
        if (close == NULL || strncmp(line.text, "- [", 3) != 0)
            continue;
        struct piece text = from(line, close + 1);
        while (text.len && *text.text == ' ') {
            text.text++;
            text.len--;
        }
        if (text.len == 0)
            continue;
        p->memories[p->memory_count].type =
            (struct piece){line.text + 3, (size_t)(close - line.text) - 3};
        p->memories[p->memory_count++].text = text;
    }
}

/* The first line of '- 2 weeks ago: the user said: "..."; you answered: "..."'. */
static void read_passage(struct prompt *p)
{
    struct piece rest = section(p->system, "<earlier_conversations>", "</earlier_conversations>");
    struct piece line;
    while (next_line(&rest, &line)) {
        static const char said[] = ": the user said: \"";
        const char *at = line.len > 2 ? memmem(line.text, line.len, said, sizeof said - 1) : NULL;
        if (at == NULL || line.text[0] != '-')
            continue;
        struct piece words = from(line, at + sizeof said - 1);
        const char *end = words.len > 0 ? memchr(words.text, '"', words.len) : NULL;
        p->passage.when = (struct piece){line.text + 2, (size_t)(at - line.text) - 2};
        p->passage.said = (struct piece){words.text, end ? (size_t)(end - words.text) : words.len};
        return;
    }
}

static size_t read_lines(struct piece rest, struct piece *out, size_t max)
{
    struct piece line;
    size_t n = 0;
    while (n < max && next_line(&rest, &line))
        if (line.len > 15)
            out[n++] = line;
    return n;
}

/* "- Keep answers short." and the like, of these words, in the place of what others asked for. */
static void read_wishes(struct prompt *p, struct piece words)
{
    bool wants_short = find(words, "\n- Keep answers short.") != NULL;
    bool wants_detail = find(words, "\n- Give more detail.") != NULL;
    if (wants_short || wants_detail) {
        p->wants_short = wants_short && !wants_detail;
        p->wants_detail = wants_detail;
    }
    if (find(words, "\n- Ask fewer questions.") != NULL) {
        p->wants_no_questions = true;
        p->wants_one_question = false;
    }
    /* To be gentler is to be supportive at the most, whatever the severity says. */
    if (find(words, "\n- Be gentler.") != NULL && p->band > BAND_SUPPORTIVE)
        p->band = BAND_SUPPORTIVE;
    if (find(words, "\n- Be more direct.") != NULL && p->band < BAND_DIRECT)
        p->band = BAND_DIRECT;
    if (find(words, "\n- Be neither harsh nor soft.") != NULL)
        p->band = BAND_BALANCED;
}

/* What coaches are asked for at the end of their prompt, then its guidelines, then what the user
 * wished for, which is nearest to the answer. */
static void read_manner(struct prompt *p)
{
    const char *own = find(p->system, "\n# Wishes");
    struct piece shared = p->system;
    if (own != NULL)
        shared.len = (size_t)(own - shared.text);
    p->wants_short = find(shared, "Keep answers short:") != NULL;
    p->wants_detail = find(shared, "Go into detail:") != NULL && !p->wants_short;
    p->wants_no_questions = find(shared, "and not with a question.") != NULL;
    p->wants_example = find(shared, "Be concrete:") != NULL;
    p->wants_praise = find(shared, "Say first what the user is doing well") != NULL;
    p->wants_one_question =
        find(shared, "End with one short question") != NULL && !p->wants_no_questions;
    read_wishes(p, shared);
    if (own != NULL)
        read_wishes(p, from(p->system, own));
}

/* The text of a message's content: the string, or the first text part; len 0 when none. */
static struct piece content_text(const cJSON *content)
{
    if (cJSON_IsString(content))
        return piece_of(content->valuestring);
    const cJSON *part;
    cJSON_ArrayForEach (part, content) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(part, "text");
        if (cJSON_IsString(text))
            return piece_of(text->valuestring);
    }
    return (struct piece){NULL, 0};
}

static size_t count_images(const cJSON *content)
{
    const cJSON *part;
    size_t n = 0;
    cJSON_ArrayForEach (part, content) {
        const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(part, "type"));
        n += type && strcmp(type, "image_url") == 0;
    }
    return cJSON_IsArray(content) ? n : 0;
}

static void add_user(struct prompt *p, struct piece text, size_t images)
{
    if (p->user_count == PROMPT_USERS) {
        memmove(p->users, p->users + 1, sizeof p->users - sizeof p->users[0]);
        p->user_count--;
    }
    p->users[p->user_count++] = text;
    p->message = text;
    p->images = images;
}

void prompt_read(const cJSON *messages, struct prompt *out)
{
    const cJSON *message;
    *out = (struct prompt){.band = BAND_BALANCED};
    cJSON_ArrayForEach (message, messages) {
        const char *role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "role"));
        const cJSON *content = cJSON_GetObjectItemCaseSensitive(message, "content");
        struct piece text = content_text(content);
        size_t images = count_images(content), tokens = 4 + (text.len + 3) / 4 + 85 * images;
        out->tokens += tokens;
        out->tool_result = (struct piece){NULL, 0};
        if (role == NULL)
            continue;
        if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0) {
            out->system_tokens += tokens;
            if (out->system.len == 0)
                out->system = text;
        } else if (strcmp(role, "user") == 0) {
            add_user(out, text, images);
        } else if (strcmp(role, "assistant") == 0) {
            out->turns++;
        } else {
            out->tool_result = text;
        }
    }
    if (out->system.len == 0)
        return;
    read_name(out);
    read_severity(out);
    read_persona(out);
    read_facts(out);
    read_memories(out);
    read_passage(out);
    read_manner(out);
    out->knowledge_count = read_lines(section(out->system, "<knowledge>", "</knowledge>"),
                                      out->knowledge, PROMPT_LINES);
    out->example_count =
        read_lines(section(out->system, "<examples>", "</examples>"), out->examples, PROMPT_LINES);
}

struct piece prompt_fact(const struct prompt *p, const char *word)
{
    for (size_t i = 0; i < p->fact_count; i++)
        if (p->facts[i].key.len &&
            memmem(p->facts[i].key.text, p->facts[i].key.len, word, strlen(word)))
            return p->facts[i].value;
    return (struct piece){NULL, 0};
}
