#!/usr/bin/python3
"""Measures how many near duplicates are found: of texts of one answer and of whole conversations, each changed word by
word until a share of its pairs of neighbouring words is left, the part that has a band in common with the text it was
made from, and so is compared with it in full.

Texts are made up, of words as unevenly common as words are, seeded. The first table is by what examples are compared by, the
share of word pairs that both have (Jaccard); those below 0.8 are no duplicates, and should not be met often. The second is by
the share of words that were changed. The third says how often two texts that were made apart are compared.
"""

import argparse
import os
import random
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")
sys.path.insert(0, TOP + "/t/bench")

import psycopg2  # noqa: E402
from cluster import Cluster  # noqa: E402
from learning import Texts  # noqa: E402

SHARES = (0.95, 0.9, 0.85, 0.8, 0.7, 0.5, 0.3)
CHANGED = (0.01, 0.02, 0.05, 0.1, 0.2)
KINDS = {"one answer": (1, 14), "a conversation": (20, 90)}  # sentences


def pairs(words):
    return set(zip(words, words[1:]))


def likeness(one, other):
    one, other = pairs(one), pairs(other)
    return len(one & other) / max(len(one | other), 1)


def change(draw, words, stock):
    """One word replaced, put in or left out."""
    at, kind = draw.randrange(len(words)), draw.random()
    if kind < 0.6:
        words[at] = draw.choice(stock)
    elif kind < 0.8:
        words.insert(at, draw.choice(stock))
    elif len(words) > 3:
        del words[at]


def changed_to(draw, words, stock, share):
    """A copy that is so alike; looked at often where it is near."""
    copy = list(words)
    while likeness(words, copy) > share:
        for _ in range(max(1, int(len(words) * (likeness(words, copy) - share) / 4))):
            change(draw, copy, stock)
    return copy


class Found:
    """Asks the database which texts would be compared."""

    def __init__(self, connection):
        self.cursor = connection.cursor()

    def share(self, texts):
        """Of pairs of texts the part that has a band in common."""
        self.cursor.execute("""select avg((uplift.sketch(uplift.words_of(uplift.normalised(t.one)))
                && uplift.sketch(uplift.words_of(uplift.normalised(t.other))))::int)
            from unnest(%s::text[], %s::text[]) as t(one, other)""", ([" ".join(a) for a, _ in texts], [" ".join(b) for _, b in texts]))
        return float(self.cursor.fetchone()[0])


def measure(found, draw, texts, stock, count):
    print("%-16s %s" % ("", "".join("%9.2f" % share for share in SHARES)) + "   of the word pairs are in both")
    for kind, (least, most) in KINDS.items():
        made = [texts.say(least, most).lower().split() for _ in range(count)]
        print("%-16s %s" % (kind, "".join("%8.1f%%" % (100 * found.share([(words, changed_to(draw, words, stock, share)) for words in made]))
                                          for share in SHARES)), flush=True)
    print("%-16s %s" % ("", "".join("%8.0f%%" % (100 * share) for share in CHANGED)) + "   of the words were changed")
    for kind, (least, most) in KINDS.items():
        rows = []
        for share in CHANGED:
            both = []
            for _ in range(count):
                words = texts.say(least, most).lower().split()
                copy = list(words)
                for at in draw.sample(range(len(copy)), max(1, round(share * len(copy)))):
                    copy[at] = draw.choice(stock)
                both.append((words, copy))
            rows.append("%8.1f%%" % (100 * found.share(both)))
        print("%-16s %s" % (kind, "".join(rows)), flush=True)
    for kind, (least, most) in KINDS.items():
        apart = [(texts.say(least, most).lower().split(), texts.say(least, most).lower().split()) for _ in range(count * 5)]
        print("%-16s made apart: %.3f%% are compared" % (kind, 100 * found.share(apart)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="texts of each kind (1000)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    cluster = Cluster()
    cluster.start()
    try:
        cluster.createdb("likeness")
        result = cluster.psql("likeness", file=TOP + "/sql/install.sql")
        if result.returncode != 0:
            sys.exit(result.stderr)
        texts = Texts(args.seed)
        stock = " ".join(texts.sentences[:2000]).lower().split()
        measure(Found(psycopg2.connect(cluster.conninfo("likeness"))), random.Random(args.seed), texts, stock, args.count)
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
