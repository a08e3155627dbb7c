#!/usr/bin/python3
"""What users said of photos, for admins: how good models are, and data to train with; and a vision model that is slow, fails, answers nonsense, or is none."""

import base64
import io
import json
import os
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import pictures  # noqa: E402
from harness import Uplift  # noqa: E402
from pictures import BROCCOLI, EGGS, SALAD, SALMON  # noqa: E402
from process import wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

ANN, BOB = "00000000-0000-4000-8000-000000000081", "00000000-0000-4000-8000-000000000082"
PHOTOS = "/v1/food-photos"


def send(*colours, user=ANN):
    body, kind = pictures.form(pictures.meal(*colours))
    answer = uplift.request("POST", PHOTOS, body, user=user, headers={"Content-Type": kind})
    return answer.json()


def see(photo, user=ANN, status="analysed"):
    found = {}

    def is_so():
        found.update(uplift.get("%s/%s" % (PHOTOS, photo["id"]), user=user).json())
        return found["status"] == status
    ok(wait_for(is_so, 30), "%s: a photo" % status, found)
    return found


def say(photo, body, user=ANN):
    return uplift.request("PATCH", "%s/%s" % (PHOTOS, photo["id"]), body, user=user).json()


def figures():
    right = see(send(SALMON, SALMON))
    wrong = see(send(EGGS, EGGS, EGGS))
    say(right, {"user_accepted": True})
    portion = dict(wrong["ai_estimated_portions"][0], name="polenta", calories=270)
    say(wrong, {"user_confirmed_portions": [portion]})
    say(see(send(BROCCOLI, user=BOB), BOB), {"user_accepted": True}, BOB)
    uplift.request("PUT", "/v1/preferences", {"training_consent": False}, user=BOB)
    data = uplift.admin("GET", "/admin/food-photos/accuracy").json()["data"]
    equal([(d["model_version"], d["photos"], d["corrected"], d["severities"]) for d in data], [("sim-1", 3, 3, {"none": 2, "completely_wrong": 1})], "accuracy: by model")
    equal((data[0]["foods"], data[0]["calories"]["n"], data[0]["portions"]["mae"]), ({"n": 3, "precision": 0.6667, "recall": 0.6667, "f1": 0.6667}, 3, 0), "accuracy: of foods, portions and calories")
    ok(0 < data[0]["cost_usd"] < 0.1, "accuracy: and what it cost", data[0]["cost_usd"])
    text = uplift.get("/metrics", user=None).text
    ok('uplift_photos_total{result="kept"} 3' in text and 'uplift_photo_analyses_total{result="ok"} 3' in text, "accuracy: and all are counted", text[:100])
    equal(sum(b["n"] for b in data[0]["calibration"]["bins"]), 3, "accuracy: and how sure it was")
    for query, code in (("since=x", "invalid_since"), ("x=1", "unknown_argument")):
        equal(uplift.admin("GET", "/admin/food-photos/accuracy?" + query).error().get("code"), code, "accuracy: refused: " + query)


def exported():
    answer = uplift.admin("GET", "/admin/food-photos/export")
    equal((answer.status, answer.headers["Content-Type"], answer.whole), (200, "application/x-ndjson", True), "lines: they come whole")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    equal(len(lines), 2, "lines: of who agreed")
    for line in lines:
        system, user, assistant = line["messages"]
        equal((list(line), system["role"], user["role"], assistant["role"]), (["messages"], "system", "user", "assistant"), "lines: a question and its answer")
        url = user["content"][1]["image_url"]["url"]
        ok(url.startswith("data:image/jpeg;base64,"), "lines: with the picture")
        equal(base64.b64decode(url.split(",")[1])[:3], b"\xff\xd8\xff", "lines: which is a JPEG")
    said = [[food["name"] for food in json.loads(line["messages"][2]["content"])["foods"]] for line in lines]
    equal(said, [["grilled salmon"], ["polenta"]], "lines: and what the model should have said")
    folder = uplift.admin("GET", "/admin/food-photos/export?format=image-folder")
    with zipfile.ZipFile(io.BytesIO(folder.body)) as zipped:
        equal(zipped.testzip(), None, "folder: it is a zip")
        listed = [json.loads(line) for line in zipped.read("metadata.jsonl").splitlines()]
        equal(sorted(zipped.namelist()), sorted([line["file_name"] for line in listed] + ["metadata.jsonl", "annotations.json"]), "folder: with the images that it lists")
        coco = json.loads(zipped.read("annotations.json"))
    equal(([i["file_name"] for i in coco["images"]], sorted(c["name"] for c in coco["categories"])), ([line["file_name"] for line in listed], ["grilled salmon", "polenta"]), "folder: in the manner of COCO")
    category = {c["id"]: c["name"] for c in coco["categories"]}
    equal([(a["image_id"], category[a["category_id"]], a["grams"]) for a in coco["annotations"]], [(1, "grilled salmon", 180), (2, "polenta", 270)], "folder: with what is on each")
    both = [uplift.admin("GET", "/admin/food-photos/export?split=" + split).text.count("\n") for split in ("train", "validation", "test")]
    equal(sorted(both), [0, 0, 2], "splits: a user is on one side")
    for query, code in (("format=x", "invalid_format"), ("split=x", "invalid_split"), ("x=1", "unknown_argument")):
        equal(uplift.admin("GET", "/admin/food-photos/export?" + query).error().get("code"), code, "refused: " + query)
    equal(uplift.get("/admin/food-photos/export", user=ANN).error().get("code"), "admin_required", "refused: a user")
    seen = [[entry["action"] for entry in uplift.get("/v1/me/access-log", user=user).json()["data"]].count("GET /admin/food-photos/export") for user in (ANN, BOB)]
    equal(seen, [3, 0], "log: whose photos were in an export sees each, and who did not agree none")


MEAL = {"foods": [{"name": "soup", "confidence": 0.7, "amount": 1, "unit": "bowl", "grams": 300, "calories": 120, "protein_g": 4, "carbohydrate_g": 12, "fat_g": 5}],
        "lighting_quality": "dim", "image_angle": "level", "background_complexity": "simple"}


def slow_and_strict(provider):
    provider.hold()
    provider.says = lambda body: (provider.gate.wait(60), json.dumps(MEAL))[1]
    uplift.restart_chat(UPLIFT_VISION_URL=provider.url, UPLIFT_VISION_MODEL="eyes-2", UPLIFT_VISION_KEY="sk-eyes", UPLIFT_WORKERS="1")
    old = uplift.get(PHOTOS, user=BOB).json()["data"][0]["id"]
    path = "%s/photos/%s/%s.jpg" % (uplift.dir, old[-2:], old)
    waiting = [send(SALAD, colour) for colour in (SALMON, EGGS, BROCCOLI, SALAD)] + [send(SALMON, SALAD, EGGS), send(EGGS, SALAD, SALMON)]
    ok(wait_for(lambda: len(provider.requests) == 4, 10), "slow: a provider that takes its time is asked, about as many as there are threads for it")
    ok(os.path.exists(path), "slow: another photo has its file")
    equal(uplift.request("DELETE", "%s/%s" % (PHOTOS, old), user=BOB).status, 204, "slow: which is deleted meanwhile")
    ok(wait_for(lambda: not os.path.exists(path), 15), "slow: with its file, which waits for nobody")
    equal(uplift.post("/v1/chat", {"message": "How do I start?"}, user=BOB).status, 200, "slow: and holds up no chat")
    equal(uplift.get("%s/%s" % (PHOTOS, waiting[0]["id"]), user=ANN).json()["status"], "pending", "slow: nor who asks how far it is")
    provider.go()
    seen = [see(photo) for photo in waiting]
    equal([(s["model_version"], s["ai_detected_foods"][0]["name"], s["lighting_quality"]) for s in seen], [("eyes-2", "soup", "dim")] * 6, "slow: all of them are looked at in the end")
    asked = provider.last()
    equal((asked["model"], asked["response_format"]["json_schema"]["strict"], asked["response_format"]["json_schema"]["schema"]["additionalProperties"]),
          ("eyes-2", True, False), "strict: it is held to a schema")
    equal([part["type"] for part in asked["messages"][1]["content"]], ["text", "image_url"], "strict: and gets the picture")


def hurry(photo):
    """Lets the next tries of a photo come at once: each once the one before has failed, as its errors say."""
    for tries in (1, 2):
        wait_for(lambda: uplift.value("select count(*) from public.ai_errors where input_data ->> 'photo_id' = %s", photo["id"]) >= tries
                 or uplift.value("select status from uplift.food_photos where id = %s", photo["id"]) == "failed", 20)
        uplift.sql("update uplift.food_photos set next_at = now() where id = %s and status = 'pending'", photo["id"])


def fails(provider):
    provider.refusals = [(503, {"Retry-After": "1"}, {"message": "busy"})]
    equal(see(send(BROCCOLI, SALMON))["ai_detected_foods"][0]["name"], "soup", "fails: what may pass is tried again")
    equal(uplift.value("select count(*) from public.ai_errors where error_type = 'status_503' and provider = '127.0.0.1' and auto_recovered"), 1, "fails: and noted")
    provider.refusals = [(400, {}, {"param": "max_completion_tokens", "message": "Unknown parameter"})]
    see(send(BROCCOLI, EGGS, BROCCOLI))
    one, two = provider.requests[-2:]
    equal(("max_tokens" in one, "max_completion_tokens" in one, "max_tokens" in two, "max_completion_tokens" in two), (False, True, True, False),
          "fails: who knows the limit of tokens by its older name is asked with that")
    asked = len(provider.requests)
    see(send(BROCCOLI, SALMON, BROCCOLI))
    equal((len(provider.requests), provider.last().get("max_tokens", 0) > 0), (asked + 1, True), "fails: and so the next time, at once")
    provider.refusals = [(503, {}, {"message": "busy"})] * 3
    photo = send(SALMON, BROCCOLI, SALMON)
    hurry(photo)
    equal(see(photo, status="failed")["error_code"], "vision_unreachable", "fails: who is busy again and again was not to be reached")
    provider.refusals = [(400, {}, {"message": "no pictures here"})]
    equal(see(send(BROCCOLI, EGGS), status="failed")["error_code"], "vision_refused", "fails: what will not pass is not")
    for name, says, more, code, colours in (("words", "A lovely soup.", {}, "vision_answer_unusable", (SALAD, SALAD, SALMON)), ("another form", "{}", {}, "vision_answer_unusable", (SALAD, SALAD, EGGS)),
                                   ("too much", json.dumps({**MEAL, "secret": 1}), {}, "vision_answer_unusable", (SALAD, SALAD, BROCCOLI)),
                                   ("an absurd number", json.dumps({**MEAL, "foods": [{**MEAL["foods"][0], "grams": -5}]}), {}, "vision_answer_unusable", (EGGS, EGGS, SALMON)),
                                   ("a refusal", "", {"refusal": "I cannot look at that."}, "vision_refused", (EGGS, EGGS, SALAD))):
        provider.says, provider.message = says, more
        photo = send(*colours)
        hurry(photo)
        equal(see(photo, status="failed")["error_code"], code, "nonsense: " + name)


def off():
    uplift.restart_chat(UPLIFT_VISION_MODEL="none", UPLIFT_VISION_URL=None, UPLIFT_WORKERS="2")
    photo = send(EGGS, BROCCOLI)
    equal(photo["status"], "off", "off: without a model nothing is looked at")
    equal(say(photo, {"user_accepted": True})["error"]["code"], "photo_not_analysed", "off: there is nothing to accept")
    answer = say(photo, {"user_confirmed_foods": ["leaves"]})
    equal((answer["user_confirmed_foods"], answer["correction_severity"]), ([{"name": "leaves"}], None), "off: but users may say what it is")
    uplift.restart_chat(UPLIFT_PHOTO_DIR=None)
    equal(send(SALAD)["error"]["code"], "photos_off", "off: without a directory no photo is taken")
    equal(uplift.get("/v1/me/photos.zip", user=ANN).error().get("code"), "photos_off", "off: nor is any given")
    equal(uplift.get(PHOTOS, user=ANN).status, 200, "off: what is known is told")


def with_provider():
    with Scripted() as provider:
        slow_and_strict(provider)
        fails(provider)


with Uplift(batch=True) as uplift:
    run(figures, exported, with_provider, off)
done()
