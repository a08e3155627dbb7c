/* The made-up users of simulate-flywheel: the same for a seed, what they read in an answer, how
 * they like it, and which coach they go on with. */
#include "batch/flywheel/diary.h"
#include "batch/flywheel/outcome.h"
#include "batch/flywheel/world.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NEAR(a, b, far) assert_true(fabs((a) - (b)) < (far))

static bool is_same(const struct taste *a, const struct taste *b)
{
    return a->tone == b->tone && a->words == b->words && a->question == b->question &&
           a->goal == b->goal && a->coach == b->coach;
}

static void population(void **state)
{
    struct world one, same, other;
    size_t changed = 0, gentle = 0, most_coach = 0, plain_most_coach = 0, other_coach = 0;
    (void)state;
    assert_true(world_make(&one, 7, 2000, 100) && world_make(&same, 7, 2000, 100) &&
                world_make(&other, 8, 2000, 100));
    assert_int_equal(one.count, 2100);
    for (size_t i = 0; i < one.count; i++) {
        struct person *p = &one.people[i], *q = &same.people[i];
        struct uuid id;
        assert_string_equal(p->id, q->id);
        assert_true(uuid_parse(p->id, &id));
        assert_true(is_same(&p->taste, &q->taste));
        assert_int_equal(p->is_plain, i >= 2000);
        assert_true(p->taste.tone >= TONE_GENTLE && p->taste.tone <= TONE_DIRECT);
        assert_true((p->goal != NULL) == (p->taste.goal > 0));
        changed += p->taste.words != p->later.words;
        gentle += p->taste.tone == one.leaning.tone;
        assert_int_equal(p->coach, 0);
        assert_true(p->taste.coach == 0 || p->taste.coach == 1);
        most_coach += p->taste.coach == one.leaning.coach;
        plain_most_coach += p->is_plain && p->taste.coach == one.leaning.coach;
        other_coach += p->taste.coach != p->later.coach;
    }
    assert_string_not_equal(one.people[0].id, other.people[0].id);
    /* Within four standard errors of the shares that are documented. */
    NEAR((double)changed / 2100, WORLD_CHANGE, 0.035);
    NEAR((double)gentle / 2100, 0.8, 0.04);
    NEAR((double)most_coach / 2100, WORLD_MOST_COACH, 0.04);
    NEAR((double)plain_most_coach / 100, WORLD_MOST_COACH, 0.184);
    NEAR((double)other_coach / 2100, WORLD_CHANGE * 2 * WORLD_MOST_COACH * (1 - WORLD_MOST_COACH),
         0.025);
    world_turn(&one);
    for (size_t i = 0; i < one.count; i++)
        assert_true(is_same(&one.people[i].taste, &same.people[i].later));
    world_release(&one);
    world_release(&same);
    world_release(&other);
}

/* What a seed's population has in common, which is drawn before it. */
static void leanings(void **state)
{
    struct leaning l;
    size_t second = 0;
    (void)state;
    for (long seed = 1; seed <= 400; seed++) {
        struct world w;
        assert_true(world_make(&w, seed, 1, 1));
        l = w.leaning;
        world_release(&w);
        assert_true(l.coach == 0 || l.coach == 1);
        assert_true(l.coach_weight >= 0.4 && l.coach_weight <= 0.6);
        /* The best answer for the mean user comes to as much as is documented. */
        NEAR(l.base + l.tone_weight + l.words_weight + fmax(l.example, 0) + fmax(l.reason, 0) +
                 fmax(l.praise, 0) + fmax(l.question, 0) + l.goal + l.coach_weight,
             WORLD_BEST, 1e-12);
        second += l.coach;
    }
    NEAR((double)second / 400, 0.5, 0.1); /* four standard errors */
    /* Coaches came later than the rest, which they leave as it was: figures of these seeds stand.
     */
    struct world one;
    assert_true(world_make(&one, 1, 1, 1));
    assert_int_equal(one.leaning.tone, TONE_GENTLE);
    NEAR(one.leaning.tone_weight, 1.523382, 1e-6);
    NEAR(one.leaning.goal, 0.349802, 1e-6);
    world_release(&one);
}

static void reads(void **state)
{
    struct reading r;
    (void)state;
    reading_of(
        "Maybe just this: walk, today. You can do this.\n\nIt all counts toward what you are "
        "after: \"swim a mile\".\n\nFor example: walk, today: ten minutes.\n\nWhy it works: "
        "habits.\n\nWhat will you do first?\n\n*(simulated)*",
        "Where do I begin?", "swim a mile", &r);
    assert_int_equal(r.tone, TONE_GENTLE);
    assert_true(r.has_example && r.has_reason && r.has_question && r.has_goal && !r.has_praise);
    assert_int_equal((int)r.words, 35);
    assert_int_equal(r.coach, -1); /* no text says who wrote it */
    /* Who has just told it hears nothing new. */
    reading_of("\"swim a mile\": good.", "I want to swim a mile", "swim a mile", &r);
    assert_false(r.has_goal);
    /* What others said is no word of the coach's. */
    reading_of(
        "Just this: walk. No maybe.\n\nWhat has helped others: \"For example: run. You can do "
        "this\".\n",
        "hi", NULL, &r);
    assert_int_equal(r.tone, TONE_DIRECT);
    assert_false(r.has_example || r.has_question);
    assert_int_equal((int)r.words, 16);
    reading_of("", "hi", NULL, &r);
    assert_int_equal((int)r.words, 0);
    assert_int_equal(r.tone, TONE_BALANCED);
}

/* By the formula of world.h. */
static void likes(void **state)
{
    struct leaning l = {.tone = TONE_GENTLE,
                        .words = 40,
                        .tone_weight = 2,
                        .words_weight = 1,
                        .example = 0.5,
                        .praise = -0.5,
                        .base = -1};
    struct taste t = {.tone = TONE_GENTLE, .words = 40, .question = -0.5};
    struct reading r = {.words = 40, .tone = TONE_GENTLE};
    (void)state;
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-2)), 1e-12);
    NEAR(world_best(&l, &t), 0.05 + 0.87 / (1 + exp(-2.5)), 1e-12);
    r.has_example = true;
    NEAR(world_liking(&l, &t, &r), world_best(&l, &t), 1e-12);
    assert_null(world_complaint(&l, &t, &r));
    r.tone = TONE_BALANCED;
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-1.5)), 1e-12);
    assert_string_equal(world_complaint(&l, &t, &r), "Too harsh for me.");
    r = (struct reading){.words = 120, .tone = TONE_GENTLE, .has_question = true};
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-0.5)), 1e-12);
    assert_string_equal(world_complaint(&l, &t, &r), "That is too long for me.");
    r = (struct reading){.words = 40, .tone = TONE_GENTLE, .has_question = true};
    assert_string_equal(world_complaint(&l, &t, &r), "Please stop asking me questions.");
}

static void likes_a_coach(void **state)
{
    struct leaning l = {.tone = TONE_GENTLE,
                        .words = 40,
                        .tone_weight = 2,
                        .words_weight = 1,
                        .coach_weight = 0.5,
                        .base = -1};
    struct taste t = {.tone = TONE_GENTLE, .words = 40, .coach = 1};
    struct reading r = {.words = 40, .tone = TONE_GENTLE, .coach = 1};
    (void)state;
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-2.5)), 1e-12);
    NEAR(world_liking(&l, &t, &r), world_best(&l, &t), 1e-12);
    r.coach = 0;
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-2)), 1e-12);
    assert_null(world_complaint(&l, &t, &r)); /* there is nothing about a coach to write */
    r.coach = -1;
    NEAR(world_liking(&l, &t, &r), 0.05 + 0.87 / (1 + exp(-2)), 1e-12);
}

/* A share of those who disliked an answer turns away, most from the coach that they like less. */
static void chooses(void **state)
{
    (void)state;
    for (int coach = 0; coach < WORLD_COACHES; coach++)
        for (int liked = 0; liked < WORLD_COACHES; liked++)
            for (int plain = 0; plain < 2; plain++) {
                struct person p = {.coach = coach, .taste.coach = liked, .is_plain = plain};
                double leaves = coach == liked ? WORLD_STRAYS : WORLD_LEAVES;
                assert_int_equal(world_next_coach(&p, true, 0), coach);
                assert_int_equal(world_next_coach(&p, false, leaves - 1e-9), 1 - coach);
                assert_int_equal(world_next_coach(&p, false, leaves), coach);
                assert_int_equal(p.coach, coach);
            }
    assert_true(WORLD_STRAYS > 0 && WORLD_STRAYS < WORLD_LEAVES);
}

static void counts(void **state)
{
    static struct diary d;
    struct leaning l = {.base = 0};
    struct person plain = {.is_plain = true, .taste.words = 40},
                  other = {.taste.words = 40, .taste.coach = 1};
    struct chat chats[] = {
        {.person = &other,
         .is_answered = true,
         .has_thumb = true,
         .is_liked = true,
         .liking = 0.7,
         .reading.coach = 1,
         .prompt_tokens = 1000,
         .answer_tokens = 100,
         .model = "ft:sim-1-mini:x"},
        {.person = &other, .is_answered = true, .is_hit = true, .liking = 0.3, .model = "sim-1"},
        {.person = &plain,
         .is_answered = true,
         .has_thumb = true,
         .liking = 0.2,
         .prompt_tokens = 1000,
         .answer_tokens = 100,
         .model = "sim-1"},
        {.person = &plain},
    };
    struct outcome o;
    (void)state;
    d.prices = (struct prices){.input = 2, .output = 8, .tuned_input = 1, .tuned_output = 4};
    diary_add(&d, 1, &l, chats, 4);
    NEAR(d.weeks[0].learning.usd, 0.0014, 1e-12);
    NEAR(d.weeks[0].plain.usd, 0.0028, 1e-12);
    assert_int_equal((int)d.weeks[0].plain.chats, 1);
    assert_int_equal((int)d.weeks[0].learning.coach, 1);
    assert_int_equal((int)d.weeks[0].plain.coach, 1);
    struct version *v = diary_version(&d, "worse");
    diary_measure(v, chats, 2); /* one pair says nothing of how sure it is */
    assert_false(v->is_measured);
    struct chat pairs[4] = {chats[0], chats[1], chats[0], chats[1]};
    diary_measure(v, pairs, 4);
    NEAR(v->truth, -0.4, 1e-12);
    assert_true(version_is_worse(v));
    v->is_promoted = true;
    outcome_of(&d, &o);
    assert_int_equal(o.worse_promoted, 1);
    NEAR(o.last, 1, 1e-12);
    NEAR(o.plain, 0, 1e-12);
    NEAR(o.expected_last, 0.5, 1e-12); /* one of 0.7, one of 0.3 */
    NEAR(o.expected_plain, 0.2, 1e-12);
    NEAR(o.way, 0.3 / (o.best - 0.2), 1e-12);
    NEAR(o.saved, 0.75, 1e-12);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(population), cmocka_unit_test(leanings),      cmocka_unit_test(reads),
    cmocka_unit_test(likes),      cmocka_unit_test(likes_a_coach), cmocka_unit_test(chooses),
    cmocka_unit_test(counts),
};
UNIT_MAIN(tests)
