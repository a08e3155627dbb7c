/*
 * Answers in a persona's voice.
 *
 * An answer is an opening, what was heard (the message, an earlier one, a memory), a stance that
 * depends on severity alone, advice in the form of that severity, and a closing. Which phrases are
 * taken is rolled from the request's bytes.
 */
#include "answer.h"

#include "phrases.h"

#include <ctype.h>
#include <string.h>

#define QUOTE_MAX 90
/* How the remark begins that an answer is simulated, in a conversation's first answer and in later
 * ones. */
#define REMARK_FIRST "*(Simulated answer"
#define REMARK "*(simulated)*"
#define SIMULATED_FIRST                                                                            \
    "\n\n" REMARK_FIRST                                                                            \
    ": put together from your words and the coach's instructions, without a language model.)*"
#define SIMULATED "\n\n" REMARK

/* The kinds of phrases that go round (see dice_turn). */
enum {
    TURN_OPENER,
    TURN_QUOTE,
    TURN_HEARD,
    TURN_EARLIER,
    TURN_STANCE,
    TURN_STEP,
    TURN_INSIGHT,
    TURN_WHEN,
    TURN_MEMORY,
    TURN_CLOSER,
    TURN_BURN
};

/* What the placeholders of a phrase stand for. */
struct words {
    const struct prompt *prompt;
    struct buf quote, earlier, memory;
    const char *step, *other_step, *when, *amount;
};

static uint64_t mix(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return hash;
}

struct dice dice_make(const struct prompt *p, uint64_t seed)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ seed * UINT64_C(0x9e3779b97f4a7c15);
    struct dice d = {.turn = p->turns};
    hash = mix(hash, p->system.text, p->system.len);
    for (size_t i = 0; i < p->user_count; i++) {
        hash = mix(hash, p->users[i].text, p->users[i].len);
        if (i == 0)
            d.start = hash;
    }
    d.state = mix(hash, p->tool_result.text, p->tool_result.len) ^ p->turns;
    return d;
}

/* The last step of splitmix64. */
static uint64_t scramble(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

size_t dice_roll(struct dice *d, size_t n)
{
    d->state += UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(scramble(d->state) % n);
}

/* A number below n for one kind of phrase, which goes round from answer to answer, so that a
 * conversation does not hear the same phrase twice in a row. */
static size_t dice_turn(const struct dice *d, int kind, size_t n)
{
    uint64_t first = scramble(d->start + (uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15));
    return (size_t)((first % n + d->turn) % n);
}

/* Whether any of "word|word*|two words" is in the text. */
static size_t count_words(struct piece text, const char *words)
{
    size_t n = 0;
    while (*words) {
        char word[32];
        size_t len = strcspn(words, "|");
        if (len < sizeof word) {
            memcpy(word, words, len);
            word[len] = '\0';
            n += piece_has(text, word);
        }
        words += len + (words[len] == '|');
    }
    return n;
}

static const struct topic *topic_of(struct piece message)
{
    const struct topic *best = &topics[topic_count - 1];
    size_t most = 0;
    for (size_t i = 0; i + 1 < topic_count; i++) {
        size_t n = count_words(message, topics[i].words);
        if (n > most) {
            most = n;
            best = &topics[i];
        }
    }
    return best;
}

const char *answer_topic(struct piece message)
{
    return topic_of(message)->name;
}

/* The longest sentence that fits, else the beginning of the first. */
static struct piece telling_sentence(struct piece message, size_t max)
{
    struct piece best = {NULL, 0}, first = {NULL, 0};
    size_t at = 0;
    while (at < message.len) {
        while (at < message.len &&
               (isspace((unsigned char)message.text[at]) || strchr(".!?,;", message.text[at])))
            at++;
        size_t begin = at;
        while (at < message.len && !strchr(".!?\n", message.text[at]))
            at++;
        struct piece sentence = {message.text + begin, at - begin};
        if (first.len == 0)
            first = sentence;
        if (sentence.len <= max && sentence.len > best.len)
            best = sentence;
    }
    return best.len >= 12 ? best : first;
}

bool answer_quote(struct buf *out, struct piece message, size_t max)
{
    struct piece s = telling_sentence(message, max);
    bool cut = s.len > max;
    if (cut) {
        s.len = max;
        while (s.len > max / 2 && s.text[s.len] != ' ')
            s.len--;
        while (s.len > 0 && ((unsigned char)s.text[s.len] & 0xc0) == 0x80)
            s.len--;
    }
    while (s.len > 0 && strchr(" ,;:-", s.text[s.len - 1]))
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.text[i];
        if (c < 0x20)
            buf_putc(out, ' ');
        else if (c == '"')
            buf_putc(out, '\'');
        else if (!strchr("*_`#<>[]|\\", c))
            buf_putc(out, (char)c);
    }
    return buf_puts(out, cut ? " ..." : "");
}

/* Appends a phrase with its placeholders filled in. */
static void say(struct buf *out, const struct words *w, const char *phrase)
{
    for (; *phrase; phrase++) {
        if (phrase[0] != '{' || phrase[1] == '\0' || phrase[2] != '}') {
            buf_putc(out, *phrase);
            continue;
        }
        struct piece name = prompt_fact(w->prompt, "name");
        switch (phrase[1]) {
        case 'n':
            if (name.len && name.len < 40) {
                buf_puts(out, ", ");
                buf_append(out, name.text, name.len);
            }
            break;
        case 'q':
            buf_append(out, w->quote.data, w->quote.len);
            break;
        case 'h':
            buf_append(out, w->earlier.data, w->earlier.len);
            break;
        case 'm':
            buf_append(out, w->memory.data, w->memory.len);
            break;
        case 's':
            buf_puts(out, w->step);
            break;
        case 't':
            buf_puts(out, w->other_step);
            break;
        case 'w':
            buf_puts(out, w->when);
            break;
        default:
            buf_puts(out, w->amount);
        }
        phrase += 2;
    }
}

static int tone_of(const struct prompt *p)
{
    return p->band / 2;
}

/* How many of the longer words of a are in b: a rough measure of what belongs together. */
static size_t overlap(struct piece a, struct piece b)
{
    size_t n = 0;
    for (size_t at = 0; at < a.len;) {
        char word[32];
        size_t len = 0;
        while (at < a.len && !isalpha((unsigned char)a.text[at]))
            at++;
        while (at + len < a.len && isalpha((unsigned char)a.text[at + len]))
            len++;
        if (len >= 4 && len + 1 < sizeof word) {
            /* Without the ending, so that "running" meets "run" and "trains" meets "train". */
            size_t stem = len > 6 ? len - 3 : len > 4 ? len - 1 : len;
            memcpy(word, a.text + at, stem);
            memcpy(word + stem, "*", 2);
            n += piece_has(b, word);
        }
        at += len;
    }
    return n;
}

static bool has_topic(struct piece message)
{
    return topic_of(message) != &topics[topic_count - 1];
}

/* The earlier user message that has most to do with this one, the newest of equals; one that is
 * about something rather than "ok, and then?". */
static struct piece related_earlier(const struct prompt *p)
{
    struct piece best = {NULL, 0};
    size_t most = 0;
    for (size_t i = p->user_count - 1; i-- > 0;) {
        size_t n = has_topic(p->users[i]) + 2 * overlap(p->message, p->users[i]);
        if (p->users[i].len >= 15 && n > most) {
            most = n;
            best = p->users[i];
        }
    }
    return best;
}

/* What the conversation is about: this message, or the last one that was about something. */
static const struct topic *current_topic(const struct prompt *p)
{
    for (size_t i = p->user_count; i-- > 0;)
        if (has_topic(p->users[i]))
            return topic_of(p->users[i]);
    return topic_of(p->message);
}

static int kind_of(struct piece type)
{
    static const struct {
        const char *word;
        int kind;
    } words[] = {
        {"goal*", KIND_GOAL},
        {"struggle*", KIND_STRUGGLE},
        {"preference*", KIND_PREFERENCE},
        {"achievement*", KIND_SUCCESS},
        {"milestone*", KIND_SUCCESS},
        {"win*", KIND_SUCCESS},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (piece_has(type, words[i].word))
            return words[i].kind;
    return KIND_OTHER;
}

/* Speaks of the memory (or the goal among the facts) that fits the message best. */
static void say_memory(struct buf *out, struct words *w, struct dice *d)
{
    const struct prompt *p = w->prompt;
    struct piece goal = prompt_fact(p, "goal"), chosen = goal;
    int kind = KIND_GOAL;
    size_t most = goal.len ? 1 + 2 * overlap(p->message, goal) : 0;
    for (size_t i = 0; i < p->memory_count; i++) {
        size_t n = 1 + 2 * overlap(p->message, p->memories[i].text);
        if (n > most) {
            most = n;
            chosen = p->memories[i].text;
            kind = kind_of(p->memories[i].type);
        }
    }
    /* What does not fit the message is brought up now and then only. */
    if (chosen.len == 0 || (most == 1 && d->turn % 3 != 0))
        return;
    buf_clear(&w->memory);
    answer_quote(&w->memory, chosen, QUOTE_MAX);
    buf_putc(out, ' ');
    say(out, w, phrase_memories[p->band > BAND_BALANCED][kind][dice_turn(d, TURN_MEMORY, PAIR)]);
}

static void capital(struct buf *out, size_t at)
{
    if (at < out->len)
        out->data[at] = (char)toupper((unsigned char)out->data[at]);
}

/* A numbered or bulleted list of steps. */
static void say_list(struct buf *out, const struct words *w, const char *const *steps, size_t first,
                     size_t n)
{
    const char *name = phrase_step_names[w->prompt->voice];
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "\n- **%s %zu:** ", name, i + 1);
        size_t at = out->len;
        buf_puts(out, steps[(first + i) % STEPS]);
        capital(out, at);
        buf_putc(out, '.');
    }
}

/* The advice, in the form that the severity band asks for. */
static void say_advice(struct buf *out, const struct words *w, const struct topic *t, size_t first,
                       struct dice *d)
{
    switch (w->prompt->band) {
    case BAND_ULTRA_GENTLE:
        say(out, w,
            "\n\nIf you like, and only if it feels easy, there is one tiny thing: {s}. And if not "
            "today, that is just as good an answer.");
        break;
    case BAND_SUPPORTIVE:
        say(out, w, "\n\nMaybe try this: {s}. If that goes well, {t}. You can do this.");
        break;
    case BAND_BALANCED:
        buf_puts(out, "\n\n");
        buf_puts(out, t->insight[dice_turn(d, TURN_INSIGHT, PAIR)]);
        buf_puts(out, " So:\n");
        say_list(out, w, t->steps, first, 2 + dice_roll(d, 2));
        break;
    case BAND_DIRECT:
        say(out, w, "\n\n- **What:** {s}\n- **When:** {w}\n- **How much:** {a}");
        break;
    case BAND_INTENSE:
        say(out, w,
            "\n\n**Your challenge:** {s}, {w}. No swaps, no discounts. Then {t}. Deadline for "
            "both: tomorrow evening. Two things, two ticks.");
        break;
    default:
        say(out, w,
            "\n\n**One order:** {s}, {w}. Not \"later\", not \"soon\": those are the names "
            "of the people who ate your last plan.");
    }
}

/* Quotes a source, and names its number as the prompt asks: of "[1] Title: text" the text, with [1]
 * behind it. */
static void say_source(struct buf *out, struct piece line)
{
    struct piece number = {line.text, 0}, text = line;
    const char *end = line.len > 0 && *line.text == '[' ? memchr(line.text, ']', line.len) : NULL;
    const char *colon =
        end != NULL ? memmem(end, line.len - (size_t)(end - line.text), ": ", 2) : NULL;
    if (colon != NULL) {
        number.len = (size_t)(end + 1 - line.text);
        text = (struct piece){colon + 2, line.len - (size_t)(colon + 2 - line.text)};
    }
    buf_puts(out, "\n\nFrom what I have read: \"");
    answer_quote(out, text, 140);
    buf_puts(out, number.len > 0 ? "\" " : "\"");
    buf_append(out, number.text, number.len);
    buf_puts(out, ".");
}

/* What the user said in an earlier conversation. */
static void say_passage(struct buf *out, const struct prompt *p)
{
    if (p->passage.said.len == 0)
        return;
    size_t at = out->len + 2;
    buf_puts(out, "\n\n");
    buf_append(out, p->passage.when.text, p->passage.when.len);
    capital(out, at);
    buf_puts(out, " you told me: \"");
    answer_quote(out, p->passage.said, QUOTE_MAX);
    buf_puts(out, "\".");
}

/* An example is 'Asked about protein: text', or the text alone. */
static void say_example(struct buf *out, struct piece line)
{
    const char *colon = line.len > 14 && memmem(line.text, 14, "Asked about", 11)
                            ? memmem(line.text, line.len, ": ", 2)
                            : NULL;
    if (colon != NULL)
        line = (struct piece){colon + 2, line.len - (size_t)(colon + 2 - line.text)};
    /* Not its remark that it is simulated, which is often the longest sentence. */
    const char *remark = memmem(line.text, line.len, REMARK_FIRST, strlen(REMARK_FIRST));
    if (remark == NULL)
        remark = memmem(line.text, line.len, REMARK, strlen(REMARK));
    if (remark != NULL)
        line.len = (size_t)(remark - line.text);
    buf_puts(out, "\n\nWhat has helped others: \"");
    answer_quote(out, line, 140);
    buf_puts(out, "\".");
}

/* What was liked before, and what sources say, where the prompt has them. */
static void say_sources(struct buf *out, const struct prompt *p, struct dice *d)
{
    if (p->knowledge_count)
        say_source(out, p->knowledge[dice_roll(d, p->knowledge_count)]);
    if (p->example_count)
        say_example(out, p->examples[dice_roll(d, p->example_count)]);
}

static void say_opener(struct buf *out, const struct words *w, const struct dice *d)
{
    const struct prompt *p = w->prompt;
    struct piece own = {NULL, 0};
    if (p->quote_count && p->band <= BAND_BALANCED && dice_turn(d, TURN_QUOTE, 3) == 0)
        own = p->quotes[dice_turn(d, TURN_QUOTE, p->quote_count)];
    /* A question of the persona's would hardly be about this. */
    if (own.len && own.text[own.len - 1] != '?')
        buf_append(out, own.text, own.len);
    else
        say(out, w, phrase_openers[p->voice][p->band][dice_turn(d, TURN_OPENER, OPENERS)]);
}

static void say_closer(struct buf *out, const struct words *w, const struct dice *d)
{
    const struct prompt *p = w->prompt;
    buf_puts(out, "\n\n");
    if (p->wants_no_questions) {
        buf_puts(out, "That is all for now.");
        return;
    }
    if (p->wants_one_question) {
        buf_puts(out, "What will you do first?");
        return;
    }
    say(out, w, phrase_closers[p->voice][tone_of(p)][dice_turn(d, TURN_CLOSER, PAIR)]);
}

/* What was heard: this message, and one before it. */
static void say_heard(struct buf *out, struct words *w, const struct dice *d)
{
    const struct prompt *p = w->prompt;
    struct piece earlier = related_earlier(p);
    if (p->message.len >= 24) {
        buf_putc(out, ' ');
        say(out, w,
            p->roast ? phrase_burns[dice_turn(d, TURN_BURN, BURNS)]
                     : phrase_reflections[p->voice][dice_turn(d, TURN_HEARD, PAIR)]);
    }
    if (earlier.len) {
        answer_quote(&w->earlier, earlier, QUOTE_MAX);
        buf_putc(out, ' ');
        say(out, w, phrase_history[p->voice][dice_turn(d, TURN_EARLIER, PAIR)]);
    }
    if (p->images)
        buf_printf(out, " (I cannot see your %s: I am only simulated.)",
                   p->images > 1 ? "pictures" : "picture");
}

/* What a prompt, or a trained model's habit, asks for beside the advice. */
static void say_extras(struct buf *out, const struct words *w, const struct topic *t,
                       const struct dice *d)
{
    if (w->prompt->wants_example) {
        buf_printf(out, "\n\n%s", phrase_example);
        /* What is short says the step once. */
        say(out, w, w->prompt->wants_short ? "{a}." : "{s}, {w}: {a}.");
    }
    if (w->prompt->gives_reason)
        buf_printf(out, "\n\n%s%s", phrase_reason,
                   t->insight[(dice_turn(d, TURN_INSIGHT, PAIR) + 1) % PAIR]);
}

/* The advice, the goal it serves, and what was asked for beside it. */
static void say_shortly(struct buf *out, struct words *w, const struct topic *t, struct dice *d)
{
    const struct prompt *p = w->prompt;
    buf_puts(out, "\n\n");
    say(out, w, phrase_short[p->band]);
    say_memory(out, w, d);
    say_extras(out, w, t, d);
    if (p->wants_one_question)
        say(out, w, "\n\nWhat will you do first?");
}

static void say_coaching(struct buf *out, struct words *w, struct dice *d)
{
    const struct prompt *p = w->prompt;
    const struct topic *t = current_topic(p);
    /* Two steps an answer: the next answer goes on with others. */
    size_t first = (dice_turn(d, TURN_STEP, STEPS) + d->turn) % STEPS;
    w->step = t->steps[first];
    w->other_step = t->steps[(first + 1) % STEPS];
    w->when = phrase_times[dice_turn(d, TURN_WHEN, TIMES)];
    w->amount = t->amount;
    say_opener(out, w, d);
    if (p->wants_praise)
        buf_printf(out, "\n\n%syou name it%s.", phrase_praise,
                   p->wants_short ? "" : ", and you have not given up on it");
    if (p->wants_short) {
        say_shortly(out, w, t, d);
        return;
    }
    say_heard(out, w, d);
    buf_puts(out, "\n\n");
    say(out, w, phrase_stances[p->band][dice_turn(d, TURN_STANCE, STANCES)]);
    say_memory(out, w, d);
    say_passage(out, p);
    say_advice(out, w, t, first, d);
    if (p->wants_detail)
        say(out, w,
            "\n\nIn more detail: {s}, {w}, and the next time {t}. Give it a fixed place in the "
            "day, tell somebody about it, and write down how it went: after a week you will see "
            "what holds and what does not.");
    say_extras(out, w, t, d);
    say_sources(out, p, d);
    say_closer(out, w, d);
}

/* "Why?": what is known about the topic, and nothing to do. */
static void say_why(struct buf *out, struct words *w, const struct dice *d)
{
    const struct topic *t = current_topic(w->prompt);
    size_t first = dice_turn(d, TURN_INSIGHT, PAIR);
    say_opener(out, w, d);
    say_heard(out, w, d);
    buf_puts(out, "\n\n");
    buf_puts(out, t->insight[first]);
    buf_putc(out, ' ');
    buf_puts(out, t->insight[1 - first]);
    say_closer(out, w, d);
}

/* "What do you know about me?" */
static void say_what_is_known(struct buf *out, const struct words *w)
{
    const struct prompt *p = w->prompt;
    if (p->fact_count + p->memory_count == 0) {
        say(out, w,
            "Nothing yet{n}: nobody has told me anything about you, apart from what you "
            "wrote here. What would you like me to remember?");
        return;
    }
    say(out, w, "This is what I know{n}:\n");
    for (size_t i = 0; i < p->fact_count; i++) {
        buf_puts(out, "\n- ");
        size_t at = out->len;
        for (size_t k = 0; k < p->facts[i].key.len; k++)
            buf_putc(out, p->facts[i].key.text[k] == '_' ? ' ' : p->facts[i].key.text[k]);
        capital(out, at);
        buf_puts(out, ": ");
        buf_append(out, p->facts[i].value.text, p->facts[i].value.len);
    }
    for (size_t i = 0; i < p->memory_count; i++) {
        buf_puts(out, "\n- ");
        size_t at = out->len;
        buf_append(out, p->memories[i].type.text, p->memories[i].type.len);
        capital(out, at);
        buf_puts(out, ": ");
        buf_append(out, p->memories[i].text.text, p->memories[i].text.len);
    }
    say(out, w, "\n\nIs any of it wrong?");
}

static void say_who(struct buf *out, const struct words *w, struct dice *d)
{
    const struct prompt *p = w->prompt;
    if (p->name.len == 0) {
        buf_puts(out, "I am a simulated model: I have read your messages, but there is no language "
                      "model behind these words.");
        return;
    }
    say(out, w, "I am ");
    buf_append(out, p->name.text, p->name.len);
    say(out, w,
        ", your coach{n}, and for now a simulated one: no language model is behind these "
        "words. ");
    if (p->quote_count) {
        struct piece own = p->quotes[dice_roll(d, p->quote_count)];
        buf_append(out, own.text, own.len);
    }
}

static void say_tool_result(struct buf *out, const struct words *w, const struct dice *d)
{
    const struct prompt *p = w->prompt;
    struct piece result = p->tool_result;
    if (result.len > 400)
        result.len = 400;
    while (result.len > 0 && result.len == 400 &&
           ((unsigned char)p->tool_result.text[result.len] & 0xc0) == 0x80)
        result.len--;
    say_opener(out, w, d);
    buf_puts(out, " I looked it up, and this came back:\n\n```\n");
    buf_append(out, result.text, result.len);
    buf_puts(out, "\n```");
    say_closer(out, w, d);
}

bool answer_write(struct buf *out, const struct prompt *p, struct dice *d)
{
    static const char danger[] = "suicid*|kill myself|killing myself|end my life|end it all|"
                                 "want to die|don't want to live|hurt myself|hurting myself|"
                                 "self-harm|cut myself|cutting myself|starve myself|"
                                 "starving myself|make myself throw up";
    struct words w = {.prompt = p};
    buf_init(&w.quote, 1024);
    buf_init(&w.earlier, 1024);
    buf_init(&w.memory, 1024);
    answer_quote(&w.quote, p->message, QUOTE_MAX);
    bool is_short = p->message.len < 40;
    if (count_words(p->message, danger))
        buf_puts(out, phrase_in_danger);
    else if (p->tool_result.len)
        say_tool_result(out, &w, d);
    else if (count_words(p->message, "about me|know me|remember me|remember about|my memories"))
        say_what_is_known(out, &w);
    else if (count_words(p->message, "who are you|what are you|are you real|are you human|"
                                     "are you an ai|simulated|your name|introduce yourself"))
        say_who(out, &w, d);
    else if (is_short && count_words(p->message, "hi|hello|hey|good morning|good evening|moin"))
        say(out, &w, phrase_greetings[p->voice][tone_of(p)]);
    else if (is_short && count_words(p->message, "thanks|thank you|thx|cheers"))
        say(out, &w, phrase_thanks[p->voice][tone_of(p)]);
    else if (is_short && p->turns > 0 && count_words(p->message, "why|how come|what for"))
        say_why(out, &w, d);
    else
        say_coaching(out, &w, d);
    buf_puts(out, p->turns == 0 ? SIMULATED_FIRST : SIMULATED);
    bool ok = !w.quote.failed && !w.earlier.failed && !w.memory.failed && !out->failed;
    buf_release(&w.quote);
    buf_release(&w.earlier);
    buf_release(&w.memory);
    return ok;
}
