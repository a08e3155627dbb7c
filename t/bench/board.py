"""What gateways are compared by elsewhere: what one connection waits, answers a second within a time, streams that are held,
and memory. Each in the same run as the provider alone, nginx as a plain proxy, and the Portkey gateway where it is there."""

import statistics
import threading
import time

from parts import family, pss_bytes

DEADLINES = (1, 5, 10, 50, 100)  # ms in which 99 % of the answers have to end
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of saturation
MOST = 8000  # streams a second that the load generator sends without being what is measured
HELD = (250, 500, 1000, 2000)
AFTER_S = 5  # so long after the load memory is looked at once more
TOKENS = 50  # of a stream of the kind quick
WANTED_ADDED = 1.0


def targets_of(bench):
    return [bench.proxy, bench.ours] + ([bench.portkey_target] if bench.portkey else [])


def one_connection(bench, say):
    """Streams one after the other: ms to the first token."""
    rounds = {}
    for number in range(bench.rounds):
        for target in [bench.alone, *targets_of(bench)]:
            say("one connection, round %d of %d: %s" % (number + 1, bench.rounds, target.name))
            found = target.load("canned", bench.seconds, open=1, ramp=0.001)
            rounds.setdefault(target.name, []).append(found)
            if target is bench.ours:
                bench.told += found["whole"]
    return {name: {"p50": statistics.median(r["first_ms"]["p50"] for r in found),
                   "p99": statistics.median(r["first_ms"]["p99"] for r in found),
                   "added_p50": statistics.median(r["first_ms"]["p50"] - p["first_ms"]["p50"] for r, p in zip(found, rounds["provider alone"])),
                   "added_p99": statistics.median(r["first_ms"]["p99"] - p["first_ms"]["p99"] for r, p in zip(found, rounds["provider alone"])),
                   "failed": sum(r["failed"] for r in found)} for name, found in rounds.items()}


def within(bench, say):
    """The most streams a second of which 99 % end within each deadline, of the rates that are tried."""
    figures, most = {}, {}
    bench.aim("whole")
    for target in targets_of(bench):
        found = target.saturate(1)
        most[target.name] = found["per_second"]
        if target is bench.ours:
            bench.told += found["done"] - found["failed"]
    bench.aim("canned")
    for target in targets_of(bench):
        best, tried = dict.fromkeys(DEADLINES, 0), 0
        for share in SHARES:
            rate = min(most[target.name] * share, MOST)
            if rate == tried:
                break
            tried = rate
            say("%.0f streams a second: %s" % (rate, target.name))
            found = target.load("canned", 1 if bench.quick else 3, rate=rate)
            if target is bench.ours:
                bench.told += found["whole"]
            if found["failed"] + found["unfinished"] == 0:
                for deadline in DEADLINES:
                    if found["total_ms"]["p99"] <= deadline:
                        best[deadline] = max(best[deadline], rate)
        figures[target.name] = {str(deadline): rate for deadline, rate in best.items()}
    return figures


def held(bench, say):
    """How many streams of 50 tokens a second may be open at once until a token is missing or a stream fails."""
    figures = {}
    for target in targets_of(bench):
        figures[target.name] = {"streams": 0, "way_p99": None}
        for count in HELD[:2] if bench.quick else HELD:
            say("%d streams of %d tokens a second: %s" % (count, TOKENS, target.name))
            found = target.load("quick", 1.2, open=count, ramp=1)
            if target is bench.ours:
                bench.told += found["whole"]
            if found["failed"] + found["unfinished"] > 0 or found["tokens"] != TOKENS * found["whole"]:
                break
            figures[target.name] = {"streams": count, "way_p99": found["lag_ms"]["p99"]}
    return figures


def memory(bench, say):
    """PSS in MB: before anything was asked, under load, and AFTER_S after it."""
    figures = {}
    for name, target, pids in (("uplift's workers", bench.ours, lambda: family(bench.uplift.chat.pid)),
                               ("Portkey gateway", bench.portkey and bench.portkey_target,
                                lambda: family(bench.portkey.process.pid))):
        if not target:
            continue
        say("memory: " + name)
        row = {"idle": pss_bytes(pids())}
        sampler = threading.Timer(bench.seconds / 2, lambda row=row, pids=pids: row.update(steady=pss_bytes(pids())))
        sampler.start()
        found = target.saturate(bench.seconds)
        sampler.join()
        if target is bench.ours:
            bench.told += found["done"] - found["failed"]
        time.sleep(AFTER_S)
        figures[name] = {**{key: value / 1e6 for key, value in row.items()}, "after": pss_bytes(pids()) / 1e6}
    return figures


def measure(bench, say):
    bench.aim("whole")
    figures = {"memory_mb": memory(bench, say)}
    bench.aim("canned")
    figures["one_connection"] = one_connection(bench, say)
    figures["within"] = within(bench, say)
    bench.aim("quick")
    figures["held"] = held(bench, say)
    return figures


def show(figures, bar):
    print("  One connection, streams one after the other: ms to the first token, and what of it is beyond the provider's own")
    for name, row in figures["one_connection"].items():
        print("    %-18s p50 %6.2f  p99 %6.2f   added %6.2f  %6.2f  %s" % (
            name, row["p50"], row["p99"], row["added_p50"], row["added_p99"], "%d failed" % row["failed"] if row["failed"] else ""))
    print("  Streams a second of which 99 %% end within %s ms" % ", ".join(map(str, DEADLINES)))
    most = max(max(row.values()) for row in figures["within"].values())
    for name, row in figures["within"].items():
        print("    %-18s %s  %s" % (name, "  ".join("%6.0f" % row[str(d)] for d in DEADLINES), bar(row["100"], most)))
    print("  Streams of 50 tokens a second each, open at once, every token of which arrived")
    for name, row in figures["held"].items():
        print("    %-18s %6d   a token's way p99 %s" % (
            name, row["streams"], "-" if row["way_p99"] is None else "%.2f ms" % row["way_p99"]))
    print("  Memory in MB (PSS): idle, under load, %d s later" % AFTER_S)
    for name, row in figures["memory_mb"].items():
        print("    %-18s %6.1f  %6.1f  %6.1f" % (name, row["idle"], row["steady"], row["after"]))
    print("  Answers are stored: uplift, each before its end is sent; the others store none")


def goals(figures):
    added = figures["one_connection"]["uplift"]["added_p99"]
    yield "added at one connection to the 99th percentile of the first token: %.2f ms" % added, added <= WANTED_ADDED, "at most 1 ms"
