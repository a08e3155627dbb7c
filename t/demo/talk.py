#!/usr/bin/python3
"""Lets made-up users talk to the coaches of a running uplift and say what they thought of it: what ./dev loop begins with.

Everything goes by the API, as clients do it. Users, questions and opinions are drawn anew with each run, so
that a later run is others' talk again.
"""

import argparse
import random
import sys
import time
import uuid

from client import add_arguments, connect

COACHES = ["coach_decibel_avatar", "coach_maple_avatar", "coach_ledger_avatar"]
GOALS = ["run ten kilometres", "sleep before midnight", "eat less sugar", "climb stairs without stopping", "swim a mile",
         "cook at home on weekdays", "lift my own weight", "walk to work", "stop snacking at night", "cycle up the hill behind the house",
         "drink more water", "stretch every morning", "bring my blood pressure down", "get back to tennis", "carry my daughter all day"]
HURDLES = ["it rains all week", "my knee hurts after ten minutes", "work runs late", "I travel every other week", "the gym is closed",
           "my friends order pizza", "I wake up at four", "the children are ill", "I lost my shoes", "it is dark when I come home",
           "I have no oven", "my budget is forty euros", "everybody at home eats sweets", "I hate mornings", "I fast until noon"]
QUESTIONS = ["How do I {goal} when {hurdle}?", "I want to {goal}, but {hurdle}. Where do I begin?", "Is it realistic to {goal} by June? {Hurdle}.",
             "Yesterday I gave up because {hurdle}. How do I still {goal}?", "What would you do first to {goal}? Mind that {hurdle}."]
FOLLOW_UPS = ["And what if that does not work for the first three days?", "Can you make that a plan for this week?",
              "What do I tell my partner about it?", "How will I know that it helps?", "Shorter, please: one thing for tomorrow."]
COMMENTS = ["just what I needed", "a bit long", "made me laugh", "my mail is sam@example.com if you want to know more", None, None, None]


def opinion(draw):
    """What a user says of an answer; most like most of them."""
    kind = draw.random()
    said = {"helpful": True} if kind < 0.72 else {"rating": 5} if kind < 0.82 else {"rating": 4, "helpful": True} if kind < 0.86 \
        else {"helpful": False} if kind < 0.95 else {}
    comment = draw.choice(COMMENTS) if said else None
    return {**said, **({"feedback_text": comment} if comment else {})}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--users", type=int, default=60)
    options = parser.parse_args()
    draw = random.Random(int(time.time()))
    client = connect(options)
    chats = thumbs = 0
    for number in range(options.users):
        user, coach = str(uuid.UUID(int=draw.getrandbits(128), version=4)), draw.choice(COACHES)
        client.call(user, "PUT", "/v1/preferences", {"training_consent": True})
        conversation = None
        for turn in range(draw.choice([1, 2, 3, 4, 5])):
            goal, hurdle = draw.choice(GOALS), draw.choice(HURDLES)
            question = draw.choice(QUESTIONS).format(goal=goal, hurdle=hurdle, Hurdle=hurdle[0].upper() + hurdle[1:]) if turn == 0 \
                else draw.choice(FOLLOW_UPS)
            answer = client.call(user, "POST", "/v1/chat", {"message": question, "coach_id": coach,
                                                            **({"conversation_id": conversation} if conversation else {})})
            conversation = answer["conversation_id"]
            said = opinion(draw)
            chats += 1
            if said:
                client.call(user, "PATCH", "/v1/feedback/" + answer["feedbackId"], said)
                thumbs += 1
            if said.get("helpful") is False and draw.random() < 0.8:
                again = client.call(user, "POST", "/v1/chat", {"regenerate_of": answer["feedbackId"], "coach_id": coach})
                client.call(user, "PATCH", "/v1/feedback/" + again["feedbackId"], {"helpful": True})
                chats += 1
                thumbs += 1
        if sys.stderr.isatty():
            print("\r%d of %d users, %d answers, %d with feedback" % (number + 1, options.users, chats, thumbs), end="",
                  file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print("%d users, %d answers, %d with feedback" % (options.users, chats, thumbs))


main()
