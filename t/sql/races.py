#!/usr/bin/python3
"""Two sessions at once: a thumb and its answer, the same event twice, one new user, recorders that cross."""

import json
import os
import sys
import threading
import time

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN = "00000000-0000-4000-8000-00000000000a"


def id_of(n):
    return "10000000-0000-4000-8000-%012d" % n


def answer(n, conversation=1, user=ANN):
    return {"id": id_of(n), "user_id": user, "conversation_id": id_of(conversation), "user_message": "q",
            "ai_response": "a", "created_at": "2026-01-01T00:00:00Z"}


def connect():
    return psycopg2.connect(cluster.conninfo("races", "uplift_app"))


def call(connection, sql, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()


def record(connection, *answers):
    return call(connection, "select outcome from uplift_chat.record_answers(%s::json)", json.dumps(answers))


def give(connection, n, changes, event=None):
    return call(connection, "select helpful, pending from uplift_chat.give_feedback(%s::uuid, %s::uuid, %s::jsonb, true, now(), %s::uuid)",
                ANN, id_of(n), json.dumps(changes), event)[0]


def admin(sql):
    return cluster.psql("races", sql=sql).stdout.strip()


class Call(threading.Thread):
    """A call in the background, committed when it returns."""

    def __init__(self, function, *arguments, connection=None):
        super().__init__(daemon=True)
        self.connection = connection or connect()
        self.pid = self.connection.get_backend_pid()
        self.function, self.arguments = function, arguments
        self.result = self.error = None
        self.start()

    def run(self):
        try:
            self.result = self.function(self.connection, *self.arguments)
            self.connection.commit()
        except psycopg2.Error as error:
            self.error = error
            self.connection.rollback()

    def waits(self):
        """True as soon as its backend waits for a lock; false when it ended without."""
        for _ in range(1000):
            if admin("select wait_event_type from pg_stat_activity where pid = %d" % self.pid) == "Lock":
                return True
            if not self.is_alive():
                return False
            time.sleep(0.01)
        return False

    def end(self):
        self.join(20)
        if self.is_alive():
            return "still waiting"
        self.connection.close()
        return self.error or self.result


cluster = Cluster()
cluster.start()
cluster.psql("template1", sql="create role uplift_owner login createrole")
cluster.createdb("races", owner="uplift_owner")
for script in ("install.sql", "demo.sql"):
    cluster.psql("races", file=ROOT + "/sql/" + script, user="uplift_owner")
first = connect()

def waiting():
    return admin("select count(*) from uplift.feedback_said where waiting is not null")


def row(n):
    return admin("select concat_ws('|', helpful, rating) from public.coach_response_feedback where id = '%s'" % id_of(n))


# Before, while and after the row of its answer is written.
record(first, answer(1))
thumb = Call(give, 1, {"helpful": True})
ok(thumb.waits(), "a thumb for an answer that is being written waits for it")
first.commit()
equal(thumb.end(), (True, False), "and is then written to it")
equal(row(1), "t", "its row")
equal(give(first, 1, {"rating": 4}), (True, False), "after that it is written at once")
first.commit()

equal(give(first, 2, {"helpful": True}), (True, True), "a thumb for an answer that is not there yet")
group = Call(record, answer(2), answer(3))
ok(group.waits(), "an answer that comes meanwhile waits for it")
more = Call(give, 2, {"rating": 2})
ok(more.waits(), "and so does another word on it")
first.commit()
equal(group.end(), [("recorded",), ("recorded",)], "the answer is recorded")
equal(more.end()[1], False, "the word is given to its row")
equal(row(2), "t|2", "which has both")
equal(waiting(), "0", "nothing is left waiting")

equal(give(first, 8, {"helpful": True}), (True, True), "a thumb for an answer that is not there yet, once more")
first.rollback()
equal(Call(record, answer(8)).end(), [("recorded",)], "one that was not committed holds up nothing")
equal(row(8), "", "and is not there")

# A lock of the answer's own: feedback for one that is not there holds up no other.
equal(give(first, 9, {"helpful": True}), (True, True), "somebody gives feedback on an answer that streams")
equal(Call(record, answer(6, 6)).end(), [("recorded",)], "meanwhile others are recorded")
equal(Call(give, 7, {"helpful": False}).end(), (False, True), "and get feedback")
record(first, answer(9))
first.commit()
equal(Call(record, answer(7)).end(), [("recorded",)], "each answer that comes")
equal((row(9), row(7), waiting()), ("t", "f", "0"), "finds its feedback")


def give_all(connection, numbers):
    for n in numbers:
        give(connection, n, {"helpful": True})
        connection.commit()
    return "done"


def record_all(connection, numbers):
    for n in numbers:
        record(connection, answer(n, n), answer(n + 1000, n))
        connection.commit()
    return "done"


numbers = list(range(200, 400))
both = [Call(give_all, numbers), Call(record_all, numbers), Call(give_all, [n + 1000 for n in numbers])]
equal([call.end() for call in both], ["done"] * 3, "feedback and answers, each as fast as it can")
equal(admin("select count(*) from public.coach_response_feedback where helpful and conversation_id = any (array(select "
            "('10000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(200, 399) n))"), "400",
      "no answer misses its thumb, whichever came first")
equal(waiting(), "0", "and none is left waiting")

record(first, answer(4))
group = Call(record, answer(5, 2))
equal(group.end(), [("recorded",)], "groups do not wait for each other")
first.commit()

give(first, 3, {"helpful": True}, id_of(900))
again = Call(give, 3, {"helpful": True}, id_of(900))
ok(again.waits(), "the same event by two loaders: one waits")
first.commit()
equal(again.end(), (True, False), "and finds it done")
equal(admin("select count(*) from uplift.feedback_events where answer_id = '%s'" % id_of(3)), "1", "it counts once")

stranger = "00000000-0000-4000-8000-0000000000ff"
record(first, answer(10, 10, stranger))
group = Call(record, answer(11, 11, stranger))
ok(group.waits(), "two answers of one new user: one waits")
first.commit()
equal(group.end(), [("recorded",)], "and both are recorded")

record(first, answer(20, 20))
group = Call(record, answer(20, 20))
ok(group.waits(), "the same answer by two loaders: one waits")
first.commit()
equal(group.end(), [("duplicate",)], "and finds it there")
equal(admin("select count(*) from public.coach_response_feedback where id = '%s'" % id_of(20)), "1", "it is there once")

record(first, answer(30, 40))
group = Call(record, answer(31, 41), answer(32, 40))
ok(group.waits(), "two groups with one conversation: one waits")
first.commit()
equal(group.end(), [("recorded",), ("recorded",)], "and both are recorded")


def cross(connection, numbers):
    for _ in range(100):
        record(connection, *[answer(1000 + n + 100 * numbers[0], 50 + n) for n in numbers])
        connection.commit()
    return "done"


forth, back = Call(cross, range(1, 9)), Call(cross, range(8, 0, -1))
equal((forth.end(), back.end()), ("done", "done"), "groups with the same conversations in opposite order do not deadlock")
first.close()

# Whoever learns waits for others who learn of the same user; feedback, which is applied where answers are recorded, does not.
one = psycopg2.connect(cluster.conninfo("races"))
call(one, "select uplift.lock_memories(%s)", ANN)
learner = Call(lambda c: call(c, "select uplift_chat.learn_memories(%s::uuid[])", [id_of(500)]))
equal(learner.end(), [(0,)], "who learns nothing waits for nobody")
recorder = Call(record, {**answer(500, 500), "user_message": "I want to run a marathon."})
equal(recorder.end(), [("recorded",)], "an answer is recorded while somebody learns of its user")
learner = Call(lambda c: call(c, "select uplift_chat.learn_memories(%s::uuid[])", [id_of(500)]))
ok(learner.waits(), "who learns of them waits")
equal(Call(give, 500, {"feedback_text": "far too long"}).end()[1], False, "but not their feedback")
equal(admin("select memory_text from public.ai_episodic_memory where user_id = '%s'" % ANN), "Keep answers short.", "which counts at once")
one.commit()
equal(learner.end(), [(1,)], "and then learns")

# Who takes back what was learnt of an edited message, and learns of others, waits for all users in one order.
BOB = "00000000-0000-4000-8000-00000000000b"  # behind Ann
first = connect()
record(first, {**answer(700, 700, BOB), "user_message": "I want to swim."}, {**answer(702, 702), "user_message": "I want to row."})
record(first, {**answer(701, 700, BOB), "user_message": "I want to ski.", "regenerate_of": id_of(700)})
first.commit()
call(one, "select uplift.lock_memories(%s)", ANN)
learner = Call(lambda c: call(c, "select uplift_chat.learn_memories(%s::uuid[])", [id_of(701), id_of(702)]))
ok(learner.waits(), "who learns of two users waits for the first")
equal(admin("select pg_try_advisory_xact_lock(uplift.memory_lock('%s'))" % BOB), "t", "and meanwhile keeps nobody from the second, although of that one something is to be taken back")
one.commit()
equal(learner.end(), [(2,)], "and then learns")

# A summary that is made while an answer that it covers is given anew.
SEEN = ("select uplift_batch.turns_to_summarise(%s, %s, 200) ->> 'seen'", ANN, id_of(600))
KEEP = "select uplift_batch.keep_summary(%s, %s, 200, %s, null) ->> 'has_changed'"
first = connect()
record(first, *[{**answer(n, 600), "user_message": "Let's run %d km. " % n + "x" * 200, "created_at": "2026-01-01T00:00:%02dZ" % (n - 600)}
                for n in range(601, 609)])
first.commit()
seen = call(one, *SEEN)[0][0]
one.commit()
record(first, {**answer(610, 600), "regenerate_of": id_of(605), "created_at": "2026-01-01T00:01:00Z"})
keeper = Call(lambda c: call(c, KEEP, ANN, id_of(600), seen), connection=psycopg2.connect(cluster.conninfo("races")))
ok(keeper.waits(), "a summary waits for an answer that is given anew at that moment")
first.commit()
equal(keeper.end(), [("true",)], "and is not of what was before")
equal(call(one, KEEP, ANN, id_of(600), call(one, *SEEN)[0][0]), [(None,)], "but of what is now")
again = Call(record, {**answer(611, 600), "regenerate_of": id_of(602), "created_at": "2026-01-01T00:02:00Z"})
ok(again.waits(), "one that is given anew while the summary is being made waits for it")
one.commit()
equal(again.end(), [("recorded",)], "is recorded")
equal(admin("select is_valid from uplift.conversation_summaries"), "f", "and the summary holds no longer")
gone = Call(lambda c: call(c, "delete from public.coach_response_feedback where id = %s returning 1", id_of(603)), connection=psycopg2.connect(cluster.conninfo("races")))
equal(gone.end(), [(1,)], "nor is there anything to wait for when one is deleted")
first.close()
one.close()

# Two who add to a set that nobody counted yet, as a deployment's own is.
admin("insert into ai_training_datasets (id, dataset_name) values ('%s', 'Own')" % id_of(90))
admin("update ai_training_datasets set revision = null where id = '%s'" % id_of(90))


def add(connection, n):
    call(connection, "insert into ai_training_examples (dataset_id, messages, split, quality_score, is_validated)"
         " values (%s, %s, 'train', 4, true)"
         " returning id", id_of(90), json.dumps([{"role": "user", "content": "q%d" % n}, {"role": "assistant", "content": "a"}]))
    return "done"


one = psycopg2.connect(cluster.conninfo("races"))
add(one, 1)
other = Call(add, 2, connection=psycopg2.connect(cluster.conninfo("races")))
ok(other.waits(), "two add to a set that was not counted: one waits")
one.commit()
equal(other.end(), "done", "and both are added")
equal(admin("select total_examples || ' ' || (select sum(examples) from uplift.dataset_cells where dataset_id = d.id)"
            " from ai_training_datasets d where id = '%s'" % id_of(90)), "2 2", "and counted")
one.close()

# A user's context is not made of what is just being changed.
one = psycopg2.connect(cluster.conninfo("races"))
call(one, "insert into user_traits (user_id, trait_key, trait_value) values (%s, 'diet', 'vegan') returning user_id", ANN)
equal(admin("select uplift.refresh_context('%s')" % ANN), "f", "while a trait is being written no context is made")
one.commit()
equal(admin("select uplift.refresh_context('%s')" % ANN), "t", "and then it is")
facts = "select context_data ->> 'facts' from ai_context_cache where user_id = '%s'" % ANN
equal(admin(facts), "- diet: vegan", "with the trait")
call(one, "select uplift.refresh_context(%s)", ANN)


def write_trait(connection):
    call(connection, "update user_traits set trait_value = 'keto' where user_id = %s returning 1", ANN)
    return "done"


other = Call(write_trait, connection=psycopg2.connect(cluster.conninfo("races")))
ok(other.waits(), "who writes a trait while the context is made waits")
one.commit()
equal(other.end(), "done", "for no longer than that")
equal(admin(facts), "", "and takes away what was made without it")
one.close()

# Thumbs on answers that cite the same source wait neither for each other nor for who counts them.
CITES = {"trace": {"source_ids": [id_of(70)], "citations": [{"number": 1, "source_id": id_of(70)}]}}
admin("insert into ai_knowledge_sources (id, source_name, content) values ('%s', 'Guide', 'x')" % id_of(70))
first = connect()
record(first, *({**answer(n, 60), **CITES} for n in (61, 62, 63)))
first.commit()
equal(give(first, 61, {"helpful": True}), (True, False), "a thumb on an answer that cites a source")
equal(Call(give, 62, {"helpful": True}).end(), (True, False), "meanwhile another one on the same source")
counts = "select concat_ws('|', times_referenced, helpful_votes, not_helpful_votes) from ai_knowledge_sources where id = '%s'" % id_of(70)


def count_use(connection):
    return call(connection, "select uplift_batch.count_knowledge_use(100)")[0][0]["changes"]


def batch():
    return psycopg2.connect(cluster.conninfo("races", "uplift_batch"))


equal(Call(count_use, connection=batch()).end(), 4, "they are counted meanwhile, but for what is not committed")
equal(admin(counts), "3|1|0", "three were offered it, one thumb is there")
first.commit()
one = batch()
equal(count_use(one), 1, "the other one is counted once it is there")
other = Call(give, 63, {"helpful": False})
equal(other.end(), (False, False), "and who gives one while the source is being written does not wait")
also = Call(count_use, connection=batch())
ok(also.waits(), "only one counts at a time")
one.commit()
equal(also.end(), 1, "the next one what came since")
equal(admin(counts), "3|2|1", "all are counted, each once")

# One withdraws what is searched of two sources that say the same, while the other is being written.
def know(connection, n):
    call(connection, "insert into ai_knowledge_sources (id, source_name, content) values (%s, 'x', 'the same') returning id", id_of(n))
    return "done"


one, two = (psycopg2.connect(cluster.conninfo("races")) for _ in range(2))
know(one, 91)
one.commit()
call(one, "update ai_knowledge_sources set is_active = false where id = %s returning id", id_of(91))
other = Call(know, 92, connection=two)
ok(other.waits(), "one source is withdrawn while another that says the same is written: one waits")
one.commit()
equal(other.end(), "done", "both are done")
equal(admin("select string_agg(ref::text, ' ') from uplift.search_texts where shelf = 'knowledge' and is_active and body = 'the same'"), id_of(92), "and what they say is still searched, once")
one.close()

# A turn is made ready to be found while its conversation is deleted, and by two workers at once.
def index(connection, *numbers):
    return call(connection, "select uplift_chat.index_answers(%s::uuid[])", [id_of(n) for n in numbers])[0][0]


def found(conversation=99):
    return admin("select ids from uplift.passages_for('%s', '%s', '{knee}', 1200)" % (ANN, id_of(conversation)))


first = connect()
record(first, {**answer(81, 80), "user_message": "My knee hurts"}, {**answer(83, 82), "user_message": "My other knee hurts"})
first.commit()
equal(index(first, 81), 1, "a turn is made ready to be found")
equal(Call(lambda c: call(c, "select uplift_chat.delete_conversation(%s::uuid, %s::uuid)", ANN, id_of(80))).end(), [("",)],
      "meanwhile its conversation is deleted, which waits for nobody")
first.commit()
equal(found(), "", "it is not found")
equal((index(first, 81, 83), found()), (1, ""), "nor made ready again; another one is")
also = Call(index, 83)
ok(also.waits(), "another worker waits")
first.commit()
equal((also.end(), found()), (0, "{%s}" % id_of(83)), "and finds it done")
equal(admin("select count(*) from uplift.passages where answer_id = '%s'" % id_of(81)), "0", "nothing is left of what was deleted")
first.close()

# Autopilot: two runners, and its switch while a runner, or that of rollouts, is at work.
def step(connection):
    return [d["decision"] for d in call(connection, "select uplift_batch.autopilot_step(false)")[0][0]["decisions"]]


def switch_off(connection):
    return call(connection, "select uplift_batch.admin_stop_autopilot(null, '{\"reason\": \"enough\"}', 'ann')")[0][0]["enabled"]


def running():
    return admin("select count(*) from uplift.autopilot_tests() t where t.is_running")


def switch_on():
    with batch() as connection:
        call(connection, """select uplift_batch.admin_start_autopilot(null, '{"max_usd_per_day": 1, "max_usd_per_month": 1, "max_share": 1,
            "max_at_once": 1, "min_stage_hours": 0, "min_users": 10}', 'ann')""")


switch_on()
first = batch()
equal(step(first), ["begun"], "a step of autopilot")
other = Call(step, connection=batch())
ok(other.waits(), "another runner waits for it")
first.commit()
equal((other.end(), running()), (["refused"], "1"), "and does not do it again")
first.rollback()
admin("update public.ai_experiments set status = 'completed' where status = 'running'")
equal(step(first), ["begun"], "the next step")
other = Call(switch_off, connection=batch())
ok(other.waits(), "the switch waits for it")
first.commit()
equal((other.end(), running()), (False, "0"), "and ends what it began")

switch_on()
admin("""insert into public.ai_experiments (experiment_name, control_variant, test_variants, success_metric, status) values
    ('wins', '{"variant_name": "a"}', array['{"variant_name": "b", "severity": 2}']::jsonb[], 'thumbs_up_rate', 'running');
    insert into uplift.experiment_events (experiment_id, event, who) select id, 'started', 'autopilot' from public.ai_experiments where experiment_name = 'wins';
    update public.ai_experiments set winner_variant = 'b' where experiment_name = 'wins'""")
equal(step(first), ["rolled_out"], "a winner")
first.commit()
admin("""insert into uplift.experiment_looks (experiment_id, metric, variant, figures)
    select r.experiment_id, v.metric, v.variant, v.figures::jsonb from uplift.rollouts r, (values ('users', '', '{"users": [500, 500]}'),
    ('thumbs_up_rate', 'production', '{"value": 0.5}'), ('thumbs_up_rate', 'candidate', '{"always_valid": {"lower": 0.1, "upper": 0.2}}')) v(metric, variant, figures)
    where r.status = 'running';
    update uplift.rollouts set stage = 3 where status = 'running'""")
rollout = admin("select id from uplift.rollouts where status = 'running'")
equal(call(first, "select uplift_batch.decide_rollout(%s::uuid) ->> 'step'", rollout), [("promoted",)], "is promoted")
other = Call(switch_off, connection=batch())
ok(other.waits(), "meanwhile the switch waits")
first.commit()
equal(other.end(), False, "and is off")
equal(admin("select count(*) from uplift.production_changes where ended_at is null"), "0", "with that taken back, too")
first.close()

# Two rollouts are promoted, and two experiments begin, at the same moment.
def roll_out(name, changes):
    return admin("select uplift_batch.admin_create_rollout(null, '%s', 'ann') ->> 'id'" % json.dumps({"name": name, "changes": changes}))


def promote(connection, rollout):
    return call(connection, "select uplift_batch.admin_promote_rollout(%s, '{\"reason\": \"x\"}', 'ann') ->> 'status'", rollout)[0][0]


def start(connection, experiment):
    return call(connection, "select uplift_batch.admin_start_experiment(%s, '{}', 'ann') ->> 'layer_from'", experiment)[0][0]


def draft(name):
    return admin("select uplift_batch.admin_create_experiment(null, '%s', 'ann') ->> 'id'" % json.dumps({
        "experiment_name": name, "success_metric": "latency", "control_variant": {"variant_name": "a"}, "layer": "L", "traffic_share": 0.5,
        "test_variants": [{"variant_name": "b", "top_p": 0.5}]}))


for round, base in enumerate(("nothing", "something")):
    warm, words = roll_out("warm", {"severity": 2 + round}), roll_out("words", {"prompt_suffix": base})
    one, two = (psycopg2.connect(cluster.conninfo("races")) for _ in range(2))
    equal(promote(one, warm), "promoted", "over %s a rollout is promoted" % base)
    other = Call(promote, words, connection=two)
    ok(other.waits(), "and another at once, which waits")
    one.commit()
    equal(other.end(), "promoted", "both are")
    equal(json.loads(admin("select uplift.changes_in_production('x')")), {"severity": 2 + round, "prompt_suffix": base}, "and both hold")
    one.close()
one, two = (psycopg2.connect(cluster.conninfo("races")) for _ in range(2))
equal(start(one, draft("one")), "0", "an experiment begins in a layer")
other = Call(start, draft("two"), connection=two)
ok(other.waits(), "and another at once, which waits")
one.commit()
equal(other.end(), "0.5", "each has its own half")
one.close()


# Photos of meals: one that is deleted while a model's answer comes, and two answers at once.
first = connect()


def take_photo(n):
    call(first, "select uplift_chat.begin_photo(%s, %s, md5(%s) || md5(%s), null, null, 'eyes')", ANN, id_of(n), str(n), str(n))
    call(first, "select uplift_chat.add_photo(%s, %s, md5(%s) || md5(%s), 9, 9, 9, 'eyes')", ANN, id_of(n), str(n), str(n))
    first.commit()
    call(first, "select uplift_chat.take_photo(60000)")
    first.commit()


def see(connection, n, food):
    portion = {"name": food, "confidence": 1, "amount": 1, "unit": "g", "grams": 1, "calories": 1, "protein_g": 1, "carbohydrate_g": 1, "fat_g": 1}
    return call(connection, "select uplift_chat.photo_analysed(%s, 1, %s, %s)", id_of(n), ANN, json.dumps({
        "model": "eyes", "provider": "p", "prompt_tokens": 1, "completion_tokens": 1, "analysis_time_ms": 1, "answer": {
            "foods": [portion], "lighting_quality": "good", "image_angle": "level", "background_complexity": "simple"}}))[0][0]


def delete_photo(connection, n):
    return call(connection, "select uplift_chat.delete_photo(%s, %s) ->> 'deleted'", ANN, id_of(n))[0][0]


take_photo(900)
equal(see(first, 900, "rice"), True, "a model has seen a photo")
other = Call(delete_photo, 900)
ok(other.waits(), "whose deletion waits for that")
first.commit()
equal(other.end(), "true", "and then deletes it")
equal(admin("select count(*) from public.ai_predictions where input_data ->> 'photo_id' = '%s'" % id_of(900)), "0", "with what was foretold of it meanwhile")
take_photo(901)
take_photo(902)
equal(see(first, 901, "rice"), True, "a model has seen one photo")
other = Call(see, 902, "soup")
ok(other.waits(), "and another one of the same user, which waits")
first.commit()
equal(other.end(), True, "both are told")
told = admin("select context_text from public.ai_context_cache where user_id = '%s' and context_type = 'recent_foods'" % ANN)
ok("rice" in told and "soup" in told, "and coaches know of both", told)
first.close()
cluster.stop()
done()
