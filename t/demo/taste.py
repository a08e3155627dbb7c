#!/usr/bin/python3
"""Lets made-up users with a taste talk to a coach of a running uplift: what ./dev experiment shows results of.

Each has a severity that they like best, around 2.2, and the further an answer is from it, the less likely they like it. What they
are answered with is for the experiment to decide: they only see the severity that their answer says it had.
"""

import argparse
import math
import random
import sys
import time
import uuid

from client import add_arguments, connect

QUESTIONS = ["I skipped my run again. What now?", "How do I start the week well?", "Was walking instead of running a failure?",
             "I ate late last night. How do I go on?", "What is one thing that I could do today?"]


def likes(draw, taste, severity):
    """A logistic curve of how far it is from the taste: 90 % at the taste itself, half at 0.9 from it."""
    return draw.random() < 1 / (1 + math.exp(2.4 * (abs(severity - taste) - 0.9)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--users", type=int, default=240)
    options = parser.parse_args()
    draw = random.Random(int(time.time()))
    client = connect(options)
    thumbs = 0
    for number in range(options.users):
        user, taste = str(uuid.UUID(int=draw.getrandbits(128), version=4)), draw.gauss(2.2, 0.4)
        conversation = None
        for _ in range(draw.choice([1, 1, 2, 3, 4])):
            answer = client.call(user, "POST", "/v1/chat", {"message": draw.choice(QUESTIONS),
                                                            **({"conversation_id": conversation} if conversation else {})})
            conversation = answer["conversation_id"]
            if draw.random() < 0.8:
                client.call(user, "PATCH", "/v1/feedback/" + answer["feedbackId"], {"helpful": likes(draw, taste, answer["severity"])})
                thumbs += 1
        if sys.stderr.isatty():
            print("\r%d of %d users, %d thumbs" % (number + 1, options.users, thumbs), end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("%d users, %d thumbs" % (options.users, thumbs))


main()
