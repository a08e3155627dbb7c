#!/usr/bin/python3
"""A line for each report of ./dev flywheel, and what they come to together."""

import json
import sys

LINE = "%5s  %6s  %9s  %6s  %9s  %10s  %5s  %8s  %5s  %14s  %5s"
reports = []
for path in sys.argv[1:]:
    with open(path) as file:
        reports.append(json.load(file))
print(LINE % ("seed", "start", "last week", "oracle", "of way", "cost saved", "tried", "promoted", "worse", "worse promoted", "s"))
for r in reports:
    print(LINE % (r["seed"], *("%.1f %%" % (100 * r[name]) for name in ("start", "last_week", "oracle", "way_to_oracle", "cost_saved")),
                  r["versions_tried"], r["versions_promoted"], r["versions_worse"], r["worse_promoted"], round(r["seconds"])))
print("%d of %d with all goals; of %d worse versions %d were promoted" % (
    sum(r["goals_met"] for r in reports), len(reports), sum(r["versions_worse"] for r in reports), sum(r["worse_promoted"] for r in reports)))
