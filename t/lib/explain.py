"""The plans of all statements that a call causes, those inside of functions too, as auto_explain tells them."""

import json

import psycopg2


class Explained:
    """A connection that sees the plan of every statement it causes."""

    def __init__(self, cluster, database):
        self.connection = psycopg2.connect(cluster.conninfo(database))
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        for setting in ("load 'auto_explain'", "set auto_explain.log_nested_statements = on",
                        "set auto_explain.log_analyze = on", "set auto_explain.log_buffers = on",
                        "set auto_explain.log_timing = off", "set auto_explain.log_format = json",
                        "set auto_explain.log_level = notice", "set plan_cache_mode = force_generic_plan", "set jit = off"):
            self.cursor.execute(setting)

    def begin(self):
        """From now on plans are told."""
        self.cursor.execute("set auto_explain.log_min_duration = 0")

    def value(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchone()[0]

    def plans(self, sql, user=None):
        """Of a statement that is then undone, as a superuser or as a user under row level security."""
        # Once unseen, so that the catalog's pages are not counted.
        self.plans_of(sql, user)
        return self.plans_of(sql, user)

    def plans_of(self, sql, user):
        self.cursor.execute("begin")
        if user:
            self.cursor.execute("select set_config('request.jwt.claims', json_build_object('sub', %s)::text, true)" % user)
        self.cursor.execute("set local client_min_messages = notice")
        if user:
            self.cursor.execute("set local role authenticated")
        self.connection.notices = Notices()
        try:
            self.cursor.execute(sql)
            notices = list(self.connection.notices)
        finally:
            self.cursor.execute("rollback")
        return [json.loads(n[n.index("{"):]) for n in notices if "plan:" in n]


class Notices(list):
    """psycopg2 keeps the last 50 only in its own list."""

    def append(self, item):
        list.append(self, item)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def pages_of(plans):
    """How many 8 kB pages were touched."""
    # Outermost statements count their functions' pages too.
    return max([p["Plan"].get("Shared Hit Blocks", 0) + p["Plan"].get("Shared Read Blocks", 0) for p in plans] or [0])


def rows_of(plans):
    """How many rows of tables were looked at."""
    return sum(node.get("Actual Loops", 1) * (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0))
               for plan in plans for node in nodes(plan["Plan"]) if "Relation Name" in node)
