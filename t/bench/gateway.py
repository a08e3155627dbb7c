"""What the gateway costs and saves, each measured against itself without it in the same run: the cache, limits with
budgets and routing, and metrics that are asked for."""

import statistics
import threading
import urllib.request

WANTED_HIT, WANTED_FEATURES, WANTED_SCRAPE = 1.15, 0.20, 0.01
SCRAPES = 20  # a second, because what one costs is far below the noise; a twentieth of the cost is what is told
NEVER = 1000000000  # a minute, or US dollars: nobody is refused

OFF = """
delete from uplift.rate_limits; delete from uplift.budget_spend; delete from uplift.budgets;
delete from uplift.model_prices where model = 'bench'; delete from uplift.model_routes; delete from uplift.gateway_models; delete from uplift.providers;
"""


def switch_on(uplift, url):
    """Limits of users and addresses, budgets of all three scopes, two providers that share the chats."""
    uplift.sql(OFF)
    uplift.sql("insert into uplift.rate_limits (scope, requests_per_minute, tokens_per_minute) values ('user', %s, %s), ('address', %s, null)",
               NEVER, NEVER, NEVER)
    uplift.sql("insert into uplift.budgets (scope, period, limit_usd) select s, 'day', %s from unnest('{total,coach,user}'::text[]) s", NEVER)
    uplift.sql("insert into uplift.model_prices (model, input_per_million, output_per_million) values ('bench', 1, 4)")
    uplift.sql("insert into uplift.providers (name, base_url) values ('second', %s)", url)
    uplift.sql("insert into uplift.gateway_models (name) values ('bench')")
    uplift.sql("insert into uplift.model_routes (model, position, provider, weight) values ('bench', 1, 'default', 1), ('bench', 1, 'second', 1)")
    uplift.synced()


def switch_off(uplift):
    uplift.sql(OFF)
    uplift.synced()


def ratios(a, b):
    """The median of each round's: rounds are what noise is the same within."""
    return statistics.median(x / y for x, y in zip(a, b))


class Scraper:
    """Asks for /metrics SCRAPES times a second."""

    def __init__(self, url):
        self.url, self.stop, self.count = url, threading.Event(), 0

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def run(self):
        while not self.stop.wait(1 / SCRAPES):
            urllib.request.urlopen(self.url, timeout=10).read()
            self.count += 1


def measure(bench, target, say):
    """target(name, more, distinct) makes an asker of uplift: more of the body, and whether each message is another."""
    uplift, seconds = bench.uplift, bench.seconds
    hit = target("hit", {"cache": {"mode": "on"}}, 20)
    miss = target("miss", {"cache": {"mode": "on"}}, 0)
    plain = target("plain", {}, None)
    runs = {name: [] for name in ("hit", "miss", "off", "on", "unwatched", "watched")}

    def run(name, asker):
        found = asker.saturate(seconds)
        if found["failed"]:
            raise SystemExit("bench: %d of %d requests failed (%s)" % (found["failed"], found["done"], name))
        bench.told += found["done"]
        runs[name].append(found["per_second"])

    calls = bench.provider_calls()
    hit.saturate(1)
    filled = bench.provider_calls() - calls
    hit_calls = 0
    for number in range(bench.rounds):
        say("cache, round %d of %d" % (number + 1, bench.rounds))
        calls = bench.provider_calls()
        run("hit", hit)
        hit_calls += bench.provider_calls() - calls
        run("miss", miss)
    for number in range(bench.rounds):
        say("limits, budgets and routing, round %d of %d" % (number + 1, bench.rounds))
        run("off", plain)
        switch_on(uplift, bench.provider.base("whole"))
        run("on", plain)
        switch_off(uplift)
    scrapes = 0
    for number in range(bench.rounds):
        say("metrics, round %d of %d" % (number + 1, bench.rounds))
        run("unwatched", plain)
        with Scraper("http://127.0.0.1:%d/metrics" % bench.front) as scraper:
            run("watched", plain)
        scrapes += scraper.count
    return {"per_second": {name: statistics.median(found) for name, found in runs.items()}, "filled": filled, "hit_calls": hit_calls,
            "hit_ratio": ratios(runs["hit"], runs["miss"]), "features_cost": 1 - ratios(runs["on"], runs["off"]),
            "scrape_cost": (1 - ratios(runs["watched"], runs["unwatched"])) / SCRAPES, "scrapes": scrapes}


def show(f, bar):
    most = max(f["per_second"].values())
    names = {"hit": "cache hits", "miss": "cache misses", "off": "no limits, budgets, routes", "on": "all of these",
             "unwatched": "metrics not asked for", "watched": "asked for %d times a second" % SCRAPES}
    for name, value in f["per_second"].items():
        print("  %-28s %9.0f/s  %s" % (names[name], value, bar(value, most)))


def goals(f):
    yield ("provider calls of %.0f hits a second: %d" % (f["per_second"]["hit"], f["hit_calls"]), f["hit_calls"] == 0, "none")
    yield "rate of hits to that of misses: %.2f" % f["hit_ratio"], f["hit_ratio"] >= WANTED_HIT, "at least %.2f" % WANTED_HIT
    yield ("throughput that limits, budgets and routing cost: %.1f %%" % (100 * f["features_cost"]),
           f["features_cost"] <= WANTED_FEATURES, "at most %.0f %%" % (100 * WANTED_FEATURES))
    yield ("throughput that scraping each second costs: %.2f %%" % (100 * f["scrape_cost"]), f["scrape_cost"] < WANTED_SCRAPE,
           "under %.0f %%" % (100 * WANTED_SCRAPE))
