"""The tables that ./dev bench prints, one for each part as soon as it is measured, and the goals at the end."""

import time

import board
import context
import dashboard
import export
import gateway
import growth
import learning
import retrieval

# Without chats: the module, and with how many rows, all and --quick.
BATCH_PARTS = {"learning": (learning, 1000000, 20000), "export": (export, 200000, 20000),
               "retrieval": (retrieval, 100000, 10000), "context": (context, 100000, 10000),
               "growth": (growth, 10000000, 200000), "dashboard": (dashboard, 10000000, 200000)}


def bar(value, most, width=30):
    filled = value / most * width if most else 0
    return "█" * int(filled) + ("▌" if filled % 1 >= 0.5 else "")


def goal(text, good, wanted):
    print("  %-62s %s (wanted: %s)" % (text, "reached" if good else "NOT REACHED", wanted))


def heading(text):
    print("\n%s\n%s" % (text, "-" * len(text)))


def failures(row):
    return "  %d failed%s" % (row["failed"], ": %s" % row["error"] if row.get("error") else "") if row["failed"] else ""


def show_saturation(f):
    s = f["saturation"]
    heading("At saturation, 64 connections: answers a second, and ms from request to end")
    most = max(row["per_second"] for row in s.values())
    for name, row in s.items():
        print("  %-18s %9.0f/s  p50 %7.2f  p99 %7.2f  %s%s" % (
            name, row["per_second"], row["p50"], row["p99"], bar(row["per_second"], most), failures(row)))
    heading("CPU for one chat, in microseconds")
    most = max(value for row in f["cpu_us_per_chat"].values() for value in row.values())
    for target, row in f["cpu_us_per_chat"].items():
        print("  %s: %.0f in all" % (target, sum(row.values())))
        for name, value in row.items():
            print("    %-16s %9.0f  %s" % (name, value, bar(value, most)))


def show_board(f):
    heading("As gateways are compared elsewhere")
    board.show(f["board"], bar)


def show_gateway(f):
    heading("The gateway: answers a second at saturation, with and without")
    gateway.show(f["gateway"], bar)


def show_rate(f):
    heading("Streams at half of uplift's saturation: ms to the first token")
    most = max(row["first_p99"] for row in f["rate"].values())
    for name, row in f["rate"].items():
        print("  %-18s %6.0f/s  p50 %7.2f  p99 %7.2f  %s%s" % (
            name, row["rate"], row["first_p50"], row["first_p99"], bar(row["first_p99"], most), failures(row)))


def show_tokens(f):
    heading("200 streams of 50 tokens a second: CPU for one token in microseconds, and its way in ms")
    for name, row in f["tokens"].items():
        cpu = row["cpu_us_per_token"]
        print("  %-18s nginx %5.1f  workers %5.1f  Postgres %5.1f   way p50 %6.2f  p99 %6.2f%s" % (
            name, cpu["nginx"], cpu["workers"], cpu["Postgres"], row["lag_p50"], row["lag_p99"], failures(row)))


def show_open(f):
    heading("%d streams open at once, a token a second each: memory of one in KB (PSS), and a token's way in ms" % f["open"]["chats"])
    for name in ("nginx as a proxy", "uplift"):
        row = f["open"][name]
        kb = row["kb_per_chat"] or {"nginx": 0, "workers": 0}
        print("  %-18s nginx %5.1f  workers %5.1f   way p50 %6.2f  p99 %6.2f%s%s" % (
            name, kb["nginx"], kb["workers"], row["lag_p50"], row["lag_p99"],
            "" if row["kb_per_chat"] else "  never all open", failures(row)))


def show_instructions(f):
    heading("Instructions of a worker for one chat (callgrind)")
    for name, value in f["instructions_per_chat"].items():
        print("  %-18s %9.0f" % (name, value))


SHOWN = {"saturation": show_saturation, "board": show_board, "gateway": show_gateway, "rate": show_rate, "tokens": show_tokens, "open": show_open,
         "instructions": show_instructions}


def show_head(f):
    print("uplift, measured %s on %s; medians of %d rounds of %d s" % (
        time.strftime("%Y-%m-%d %H:%M"), f["machine"], f["rounds"], f["seconds"]), flush=True)


def show(part, f):
    """The table of a part that has been measured."""
    if part in BATCH_PARTS:
        heading("Batch: " + part)
        BATCH_PARTS[part][0].show(f[part])
    else:
        SHOWN[part](f)
    print(end="", flush=True)


def show_goals(f):
    heading("Goals")
    if "saturation" in f:
        ratio = f["saturation"]["nginx as a proxy"]["ratio"]
        goal("of what nginx does as a plain proxy: 1/%.1f" % (1 / ratio), ratio >= 1 / 9, "at least 1/9")
        if "Portkey gateway" in f["saturation"]:
            ratio = f["saturation"]["Portkey gateway"]["ratio"]
            goal("times the Portkey gateway: %.1f" % ratio, ratio >= 6, "at least 6")
    if "board" in f:
        for text, good, wanted in board.goals(f["board"]):
            goal(text, good, wanted)
    if "gateway" in f:
        for text, good, wanted in gateway.goals(f["gateway"]):
            goal(text, good, wanted)
    if "rate" in f:
        added = f["added_first_p99_ms"]
        goal("added to the 99th percentile of the first token: %.2f ms" % added, added <= 10, "at most 10 ms")
    if "open" in f and f["open"]["uplift"]["kb_per_chat"]:
        kb = f["open"]["uplift"]["kb_per_chat"]["workers"]
        goal("memory of the workers for an open chat: %.1f KB" % kb, kb < 35, "under 35 KB")
    for name, (module, _, _) in BATCH_PARTS.items():
        for text, good, wanted in module.goals(f[name]) if name in f else ():
            goal(text, good, wanted)
    if "missing_rows" not in f:
        return
    missing = sum(f.get("missing_rows", {}).values())
    goal("answers told and not stored: %d of %d" % (missing, sum(f.get("rows", {}).values())), missing == 0, "none")
