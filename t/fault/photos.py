#!/usr/bin/python3
"""Photos while things fail: a reader that takes its time or is not there, a directory that cannot be written, workers that end in the middle."""

import os
import shutil
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import pictures  # noqa: E402
from harness import Uplift  # noqa: E402
from pictures import BROCCOLI, EGGS, SALAD, SALMON  # noqa: E402
from process import wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

ANN, BOB = "00000000-0000-4000-8000-000000000051", "00000000-0000-4000-8000-000000000052"
PHOTOS = "/v1/food-photos"


def send(*colours, user=ANN):
    body, kind = pictures.form(pictures.meal(*colours))
    return uplift.request("POST", PHOTOS, body, user=user, headers={"Content-Type": kind})


def slow_reader():
    """vipsheader that waits until somebody writes to a pipe, between us and the real one."""
    directory, gate = uplift.dir + "/vips", uplift.dir + "/vips/go"
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    os.mkfifo(gate)
    os.chmod(gate, 0o644)
    os.symlink("/usr/bin/vipsthumbnail", directory + "/vipsthumbnail")
    with open(directory + "/vipsheader", "w") as file:
        file.write("#!/bin/sh\n: <%s\nexec /usr/bin/vipsheader \"$@\"\n" % gate)
    os.chmod(directory + "/vipsheader", 0o755)
    uplift.restart_chat(UPLIFT_VIPS_DIR=directory, UPLIFT_WORKERS="1")
    answers = {}
    threads = [threading.Thread(target=lambda u=user: answers.update({u: send(SALMON, user=u).status})) for user in (ANN, BOB)]
    for thread in threads:
        thread.start()
    ok(wait_for(lambda: uplift.value("select count(*) from uplift.photo_removals") == 2, 10), "slow: two photos are being read")
    ok(wait_for(lambda: send(EGGS).error().get("code") == "too_many_at_once", 10), "slow: another of one who has one waits")
    equal(send(EGGS).headers["Retry-After"], "1", "slow: and is told for how long")
    equal(uplift.post("/v1/chat", {"message": "How do I start?"}).status, 200, "slow: chats do not")
    with open(gate, "w"):
        for thread in threads:
            thread.join()
    equal(answers, {ANN: 201, BOB: 201}, "slow: and all come to their end")
    shutil.rmtree(directory)
    equal((send(EGGS).status, send(EGGS).error().get("code")), (503, "image_reader_unavailable"), "no reader: is told as ours to mend")
    uplift.restart_chat(UPLIFT_VIPS_DIR=None, UPLIFT_WORKERS="2")


def no_room():
    uplift.restart_chat(UPLIFT_PHOTO_DIR=uplift.dir + "/nowhere")
    answer = send(BROCCOLI)
    equal((answer.status, answer.error().get("code")), (503, "photo_store_unavailable"), "no room: is told as ours to mend")
    equal(uplift.value("select count(*) from public.food_photo_training_data where photo_hash is not null and user_id = %s", ANN), 1, "no room: and nothing is kept of it")
    uplift.restart_chat(UPLIFT_PHOTO_DIR=uplift.dir + "/photos")
    equal(send(BROCCOLI).status, 201, "no room: later it is taken")


def status_of(photo):
    return uplift.value("select status from uplift.food_photos where id = %s", photo)


def workers_end():
    with Scripted() as provider:
        provider.hold()
        provider.says = lambda body: (provider.gate.wait(60), '{"foods": [], "lighting_quality": "good", "image_angle": "level", "background_complexity": "simple"}')[1]
        uplift.restart_chat(UPLIFT_VISION_URL=provider.url)
        photo = send(SALAD, SALAD).json()["id"]
        ok(wait_for(lambda: len(provider.requests) == 1, 10), "ends: a photo is being looked at")
        equal(uplift.restart_chat(), 0, "ends: a worker that is told to ends, and does not wait for that")
        ok(wait_for(lambda: len(provider.requests) == 2, 10), "ends: the next begins anew at once")
        uplift.kill_chat()
        uplift.sql("update uplift.food_photos set next_at = now() where id = %s", photo)  # as when its time is over
        uplift.start_chat()
        ok(wait_for(lambda: len(provider.requests) == 3, 10), "ends: so it does where one was killed")
        provider.go()
        ok(wait_for(lambda: status_of(photo) == "analysed", 10), "ends: and it is known in the end")
        equal(uplift.value("select count(*) from public.ai_errors where input_data ->> 'photo_id' = %s", photo), 0, "ends: for which nobody is to blame")


with Uplift(expected="cannot be run|could not be kept") as uplift:
    run(slow_reader, no_room, workers_end)
done()
