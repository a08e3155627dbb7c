"""Whether a chat costs the same when there are many answers and users: at saturation, with ten thousand answers of a thousand users, and
with many answers of a tenth as many users. Both have a Postgres of their own and are asked in turn, because what the same chat costs on
one machine changes from minute to minute: the figure is the median of what each round cost of the one before it.

Each user has a conversation of ten turns. Chats are of random users; half of them go on with it, so that its turns go along, and half
begin a new one. Memory is turned off: what it costs is in t/bench/context.py, for a million users, too.
"""

import random
import statistics

from cluster import Cluster
from context import Side, vacuum
from parts import Provider

WANTED_GROWTH = 1.25
TURNS = 10
FIRST = 10000  # answers that it begins with
CHATS = 20000  # different ones that are asked for, the same again where there are not so many users
STEP = 100000  # users a transaction

# As recorded, but for triggers and foreign keys: those take time, and leave nothing behind here. Ids of conversations and answers begin
# with their time, as uplift's do.
FILL = """
create or replace function pg_temp.id_at(p_at timestamptz, p_salt text) returns uuid language sql immutable as
    $f$ select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '7' || substr(md5(p_salt), 1, 3) || '8' || substr(md5(p_salt), 4, 15))::uuid $f$;
create or replace function pg_temp.began(p_n int) returns timestamptz language sql immutable as
    $f$ select '%(since)s'::timestamptz + p_n * interval '%(apart)s' $f$;
set session_replication_role = replica;
insert into auth.users (id) select md5('user ' || n)::uuid from generate_series(%(first)s, %(last)s) n;
insert into public.user_coach_preferences (user_id, memory_enabled)
    select md5('user ' || n)::uuid, false from generate_series(%(first)s, %(last)s) n;
insert into uplift.conversations (id, user_id, coach_id, title, created_at, updated_at)
    select pg_temp.id_at(pg_temp.began(n), 'c' || n), md5('user ' || n)::uuid, 'coach_decibel_avatar', 'How do I start?', pg_temp.began(n), pg_temp.began(n) + interval '20 hours'
    from generate_series(%(first)s, %(last)s) n;
insert into public.coach_response_feedback (id, user_id, coach_id, protocol, conversation_id, user_message, ai_response, severity, mode, outcome,
        model_used, provider, helpful, rating, prompt_tokens, completion_tokens, tokens_used, cost_usd, time_to_first_token_ms, response_time_ms, created_at)
    select pg_temp.id_at(pg_temp.began(n) + t * interval '2 hours', n || ' ' || t), md5('user ' || n)::uuid, 'coach_decibel_avatar', 'chat',
        pg_temp.id_at(pg_temp.began(n), 'c' || n),
        'What do I do on day ' || t || ' when it rains all week?', repeat('Walk for ten minutes after the next meal. ', 5) || t, 1 + n %% 5, 'default', 'complete',
        'bench', 'bench', case when (n + t) %% 5 = 0 then (n + t) %% 15 > 0 end, case when (n + t) %% 9 = 0 then 1 + n %% 5 end, 400, 100, 500, 0.002,
        100 + n %% 300, 900 + n %% 700, pg_temp.began(n) + t * interval '2 hours'
    -- Turn by turn, as they come: those of a conversation do not lie side by side.
    from generate_series(1, %(turns)s) t cross join generate_series(%(first)s, %(last)s) n;
"""


def fill(up, first, last, since="2026-01-01", apart="2 seconds"):
    """Makes these users, their conversations, and the answers; a conversation begins `apart` after the one before."""
    up.sql(FILL % {"first": first, "last": last, "turns": TURNS, "since": since, "apart": apart})


def aim(side, users):
    """Chats of random users, in pairs: one in the user's conversation, one in a new one."""
    chance = random.Random(users)
    picked = chance.sample(range(1, users + 1), min(users, CHATS))
    found = side.up.value("select json_agg(array[c.user_id, c.id]) from unnest(%s::int[]) n"
                          " join uplift.conversations c on c.user_id = md5('user ' || n)::uuid", picked)
    bearers = {user: "Bearer " + side.up.token(user) for user, _ in found}
    # As many of the one as of the other, which are counted in step.
    side.target.people = [bearers[found[at % len(found)][0]] for at in range(CHATS)]
    side.target.messages = [{"message": "What do I do today, when it rains (%d)?" % at, **({"conversation_id": found[at % len(found)][1]} if at % 2 else {})}
                            for at in range(CHATS)]


def forget(side, since):
    """What was said in a round: the next one would have longer conversations to read."""
    side.up.sql("delete from public.coach_response_feedback where created_at > %s", since)
    vacuum(side.up)


class Size:
    """A Postgres with so many answers, and a server of uplift before it."""

    SETTINGS = {"max_connections": "200", "shared_buffers": "512MB", "max_wal_size": "8GB", "maintenance_work_mem": "512MB"}

    def __init__(self, provider, answers, say):
        self.answers, self.users, self.side = answers, answers // TURNS, None
        self.cluster = Cluster(fsync=True, settings=self.SETTINGS)
        self.cluster.start()
        try:
            self.side = Side(self.cluster, provider, ["00000000-0000-4000-8000-0000000000bb"], False)
            self.fill(say)
        except BaseException:
            self.remove()
            raise

    def fill(self, say):
        self.side.up.sql("delete from uplift.rate_limits")
        for first in range(1, self.users + 1, STEP):
            say("making %d answers of %d users: %.0f %%" % (self.answers, self.users, 100 * (first - 1) / self.users))
            fill(self.side.up, first, min(first + STEP - 1, self.users))
        vacuum(self.side.up)
        aim(self.side, self.users)
        self.since = self.side.up.value("select now()")

    def saturate(self, seconds):
        self.side.saturate(self.cluster, seconds)
        if self.users < CHATS:
            forget(self.side, self.since)

    def figures(self):
        return dict(self.side.figures(), users=self.users, bytes=self.side.up.value("select pg_database_size(current_database())"))

    def remove(self):
        if self.side:
            self.side.up.stop()
            self.side.up.remove()
        self.cluster.remove()


def measure(rows, say=lambda text: None):
    """The figures, by name. Less than a million rows is --quick: fewer and shorter rounds."""
    quick = rows < 1000000
    rounds, seconds = (3, 2) if quick else (9, 4)
    sizes = []
    try:
        with Provider() as provider:
            for answers in (FIRST, rows):
                sizes.append(Size(provider, answers, say))
            for number in range(rounds + 1):
                for size in sizes:
                    say("%d answers, %s" % (size.answers, "round %d of %d" % (number, rounds) if number else "warming up"))
                    size.saturate(seconds)
                    if number == 0:
                        size.side.runs = []
            first, last = ([in_all(run["cpu"]) for run in size.side.runs] for size in sizes)
            ratios = [b / a for a, b in zip(first, last)]
            return {"rows": rows, "sizes": {str(size.answers): size.figures() for size in sizes}, "ratios": ratios}
    finally:
        for size in sizes:
            size.remove()


def in_all(cpu):
    return sum(cpu.values())


def growth(f):
    return statistics.median(f["ratios"])


def show(f):
    print("what a chat costs when there are many answers and users, half of the chats in conversations of %d turns" % TURNS)
    for answers, row in f["sizes"].items():
        print("  %9s answers, %7d users, %6.1f GB  %6.0f answers/s; CPU a chat in us: %s" % (
            answers, row["users"], row["bytes"] / 1e9, row["per_second"], ", ".join("%s %.0f" % item for item in row["cpu_us"].items())))
    print("  round by round: %s" % ", ".join("%.2f" % ratio for ratio in f["ratios"]))


def goals(f):
    yield ("CPU a chat with %s answers, of that with %s: %.2f times" % (*reversed(list(f["sizes"])), growth(f)), growth(f) <= WANTED_GROWTH,
           "at most %.2f times" % WANTED_GROWTH)
