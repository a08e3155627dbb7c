#!/usr/bin/python3
"""Photos of meals: kept without anything beside the pixels, analysed, corrected, shown to their user and admins alone, and gone when they are deleted."""

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
from tap import contains, done, equal, ok, run  # noqa: E402

ANN, BOB, CLEO, DAN, EVE, FAY = ("00000000-0000-4000-8000-0000000000%02d" % n for n in range(91, 97))
PHOTOS = "/v1/food-photos"


def send(data, user=ANN, **more):
    body, kind = pictures.form(data, **more)
    return uplift.request("POST", PHOTOS, body, user=user, headers={"Content-Type": kind})


def analysed(photo, user=ANN):
    """The photo once it is no longer waiting."""
    found = {}

    def is_over():
        found.update(uplift.get("%s/%s" % (PHOTOS, photo["id"]), user=user).json())
        return found["status"] != "pending"
    wait_for(is_over, 20)
    return found


def file_of(photo_id):
    return "%s/photos/%s/%s.jpg" % (uplift.dir, photo_id[-2:], photo_id)


def names(foods):
    return [food["name"] for food in foods]


def kept():
    jpeg = pictures.with_exif(pictures.convert(pictures.png(240, 120, [[SALMON, SALAD]]), ".jpg[Q=95]"), 6, b"Spycam 3000")
    ok(b"Spycam" in jpeg, "kept: what is sent says where it is from")
    answer = send(jpeg)
    photo = answer.json()
    equal((answer.status, photo["object"], photo["width"], photo["height"]), (201, "food_photo", 120, 240), "kept: turned upright")
    image = uplift.get(photo["photo_url"], user=ANN)
    equal((image.status, image.headers["Content-Type"], image.headers["Cache-Control"], image.headers["X-Content-Type-Options"]),
          (200, "image/jpeg", "no-store", "nosniff"), "kept: its user sees it")
    ok(image.headers["X-Request-Id"], "kept: with the request's id")
    ok(b"Spycam" not in image.body and b"Exif" not in image.body, "kept: without its metadata")
    top, bottom = (row[0] for row in pictures.pixels(image.body, 1, 2))
    ok(top[0] > 200 > top[1] and bottom[1] > 200 > bottom[0], "kept: with its pixels where they belong", (top, bottom))
    with open(file_of(photo["id"]), "rb") as file:
        equal(file.read(), image.body, "kept: in a file named by its id")
    equal(os.stat(file_of(photo["id"])).st_mode & 0o777, 0o640, "kept: which others may not read")
    again = send(jpeg, filename="../../etc/passwd", kind="text/html")
    equal((again.status, again.json()["id"]), (200, photo["id"]), "kept: the same again is the same, whatever it is called")
    theirs = send(jpeg, BOB)
    equal((theirs.status, theirs.json()["id"] != photo["id"]), (201, True), "kept: another's is another's")
    page = uplift.get(PHOTOS, user=ANN).json()
    equal((names_of(page), page["has_more"]), ([photo["id"]], False), "kept: and listed")


def names_of(page):
    return [photo["id"] for photo in page["data"]]


def kinds():
    meal = pictures.meal(SALMON, SALMON, BROCCOLI)
    cmyk = pictures.convert(meal, ".jpg", ("colourspace", "cmyk"))
    for name, data in (("PNG", meal), ("JPEG", pictures.convert(meal, ".jpg[Q=95]")), ("WebP", pictures.convert(meal, ".webp[Q=95]")),
                       ("HEIC", pictures.convert(meal, ".heic[Q=95]")), ("CMYK JPEG", cmyk),
                       ("greyscale PNG", pictures.convert(meal, ".png", ("colourspace", "b-w"))),
                       ("JPEG with a zip behind it", pictures.convert(meal, ".jpg[Q=94]") + b"PK\3\4<script>alert(1)</script>")):
        answer = send(data, CLEO)
        equal((answer.status, answer.error()), (201, {}), "kinds: " + name)
        image = uplift.get(answer.json()["photo_url"], user=CLEO).body
        ok(image[:3] == b"\xff\xd8\xff" and b"<script" not in image, "kinds: as a plain JPEG, from " + name)
        if name in ("JPEG", "HEIC"):
            equal(names(analysed(answer.json(), CLEO)["ai_detected_foods"]), ["grilled salmon", "broccoli"], "kinds: and seen, as " + name)
    large = send(pictures.convert(pictures.png(4096, 100, [[SALAD]]), ".jpg"), CLEO).json()
    equal((large["width"], large["height"]), (2048, 50), "kinds: shrunk to 2048 pixels")


def refused():
    meal = pictures.meal(EGGS)
    jpeg = pictures.convert(meal, ".jpg[Q=90]")
    bomb = pictures.chunk(b"zTXt", b"x\0\0" + __import__("zlib").compress(b"\0" * 200000000))
    animated = pictures.convert(pictures.png(40, 80, [[SALAD], [EGGS]]), ".webp[page-height=40]")
    for name, data, status, code in (
            ("nothing", b"", 400, "invalid_image"), ("words", b"hello", 415, "unsupported_image"),
            ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='file:///etc/passwd'/></svg>", 415, "unsupported_image"),
            ("GIF", b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 415, "unsupported_image"),
            ("PDF", b"%PDF-1.4\n", 415, "unsupported_image"), ("a truncated JPEG", jpeg[:len(jpeg) // 2], 400, "invalid_image"),
            ("a truncated PNG", meal[:len(meal) // 2], 400, "invalid_image"), ("a JPEG of its first bytes", jpeg[:3], 400, "invalid_image"),
            ("a PNG that calls itself a JPEG", b"\xff\xd8\xff" + meal, 400, "invalid_image"),
            ("a PNG that claims to be larger than it is", pictures.png(50, 50, [[EGGS]], claims=(500, 500)), 400, "invalid_image"),
            ("a PNG of a hundred megapixels", pictures.png(2, 2, [[EGGS]], claims=(10000, 10000)), 400, "image_too_large"),
            ("a PNG of a great width", pictures.png(2, 2, [[EGGS]], claims=(60000, 2)), 400, "image_too_large"),
            ("an animation", animated, 400, "image_moves"), ("ftyp of a film", b"\0\0\0\x18ftypisom" + b"\0" * 64, 415, "unsupported_image"),
            ("half a HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64, 400, "invalid_image")):
        answer = send(data, DAN)
        equal((answer.status, answer.error().get("code")), (status, code), "refused: " + name)
    answer = send(pictures.png(20, 20, [[EGGS]], extra=bomb), DAN)
    equal(answer.status, 201, "kept: without the text of 200 MB that is packed in it")
    for name, body, kind, status, code in (
            ("no form", b"{}", "application/json", 400, "missing_photo"), ("no boundary", b"x", "multipart/form-data", 400, "missing_photo"),
            ("another field", *pictures.form(jpeg, name="file"), 400, "missing_photo"),
            ("no end", pictures.form(jpeg)[0][:-40], pictures.form(jpeg)[1], 400, "missing_photo"),
            ("too long", b"x" * 17000000, "multipart/form-data; boundary=x", 413, "request_too_large")):
        answer = uplift.request("POST", PHOTOS, body, user=DAN, headers={"Content-Type": kind})
        equal((answer.status, answer.error().get("code")), (status, code), "refused: " + name)
    equal(uplift.post("/v1/memories", {"text": "x" * 20000}, user=DAN).status, 413, "refused: other routes take no more than before")
    none = "/01890000-0000-7000-8000-000000000000"
    for path, status, code in (("/nonsense", 400, "invalid_id"), (none, 404, "photo_not_found"), (none + "/image", 404, "photo_not_found")):
        answer = uplift.get(PHOTOS + path, user=DAN)
        equal((answer.status, answer.error().get("code")), (status, code), "refused: " + path)
    for query, code in (("?limit=0", "invalid_limit"), ("?before=x", "invalid_before"), ("?before=01890000-0000-7000-8000-000000000000", "photo_not_found")):
        equal(uplift.get(PHOTOS + query, user=DAN).error().get("code"), code, "refused: " + query)
    equal(uplift.value("select count(*) from uplift.food_photos where user_id = %s", DAN), 1, "refused: nothing of all that is kept")
    taken = uplift.value("select sum(photos)::int from uplift.photos_taken where user_id = %s", DAN)
    equal(uplift.admin("PATCH", "/admin/settings", {"photos.max_per_day": taken + 1}).status, 200, "refused: an admin says how many are a day's")
    last = send(pictures.meal(SALAD), DAN)
    equal((last.status, send(pictures.meal(EGGS, EGGS), DAN).error().get("code")), (201, "too_many_photos"), "refused: more than a day's")
    equal(uplift.request("DELETE", "%s/%s" % (PHOTOS, last.json()["id"]), user=DAN).status, 204, "refused: one of them is deleted")
    equal(send(pictures.meal(EGGS, EGGS), DAN).error().get("code"), "too_many_photos", "refused: which makes no room for another")
    uplift.admin("PATCH", "/admin/settings", {"photos.max_per_day": None})


def others():
    photo = send(pictures.meal(SALMON), ANN).json()
    for method, path in (("GET", ""), ("GET", "/image"), ("PATCH", ""), ("DELETE", "")):
        answer = uplift.request(method, "%s/%s%s" % (PHOTOS, photo["id"], path), {} if method == "PATCH" else None, user=BOB)
        equal((answer.status, answer.error().get("code")), (404, "photo_not_found"), "others: not to %s%s" % (method, path))
    equal(uplift.get("/uplift-photos/%s/%s.jpg" % (photo["id"][-2:], photo["id"]), user=ANN).status, 404, "others: nor is the file itself to be had")
    equal(uplift.get("/uplift-photos/../chat.log", user=ANN).status, 404, "others: nor what is beside it")
    admin = uplift.admin("GET", "/admin/food-photos/" + photo["id"]).json()
    equal((admin["id"], admin["user_id"]), (photo["id"], ANN), "others: but by admins it is seen")
    equal(uplift.admin("GET", admin["photo_url"]).body[:3], b"\xff\xd8\xff", "others: with its picture")
    equal([entry["action"] for entry in uplift.get("/v1/me/access-log", user=ANN).json()["data"]],
          ["GET /admin/food-photos/{id}/image", "GET /admin/food-photos/{id}"], "others: which the user can see")


def corrected():
    photo = analysed(send(pictures.meal(SALMON, SALMON, EGGS)).json())
    one = "%s/%s" % (PHOTOS, photo["id"])
    equal((photo["status"], names(photo["ai_detected_foods"]), photo["model_version"]), ("analysed", ["grilled salmon", "scrambled eggs"], "sim-1"), "corrected: a model has looked at it")
    equal([(p["name"], p["grams"]) for p in photo["ai_estimated_portions"]], [("grilled salmon", 180), ("scrambled eggs", 90)], "corrected: and how much there is")
    ok(photo["ai_estimated_calories"] > 400 and photo["ai_estimated_macros"]["protein_g"] > 30 and photo["analysis_time_ms"] >= 0, "corrected: and what is in it", photo)
    ok(all(0.5 <= food["confidence"] <= 1 for food in photo["ai_detected_foods"]), "corrected: and how sure it is")
    answer = uplift.request("PATCH", one, {"user_accepted": True}, user=ANN).json()
    equal((answer["correction_severity"], answer["user_confirmed_calories"], names(answer["user_confirmed_foods"])),
          ("none", photo["ai_estimated_calories"], ["grilled salmon", "scrambled eggs"]), "corrected: accepted")
    ok(answer["user_correction_time_seconds"] >= 0 and answer["corrected_at"], "corrected: and when")
    for body, severity in (({"user_confirmed_portions": [{"name": "Grilled  SALMON", "grams": 150}, {"name": "scrambled eggs", "grams": 90}]}, "minor"),
                           ({"user_confirmed_foods": ["grilled salmon", "rice"]}, "minor"), ({"user_confirmed_foods": ["cake", "rice", "wine", "scrambled eggs"]}, "major"),
                           ({"user_confirmed_foods": ["cake"]}, "completely_wrong"), ({"user_confirmed_foods": []}, "completely_wrong"),
                           ({"user_confirmed_foods": ["scrambled eggs", "grilled salmon"], "user_confirmed_calories": 3000}, "major")):
        answer = uplift.request("PATCH", one, body, user=ANN)
        equal((answer.status, answer.json().get("correction_severity")), (200, severity), "corrected: " + json.dumps(body))
    predictions = {p["prediction_type"]: p for p in uplift.get("/v1/predictions?model_name=uplift-food-photo", user=ANN).json()["data"]
                   if p["input_data"]["photo_id"] == photo["id"]}
    equal(sorted(predictions), ["calorie_estimate", "food_classification", "macro_breakdown", "portion_size"], "corrected: it was all foretold")
    equal((predictions["food_classification"]["prediction_accuracy"], predictions["calorie_estimate"]["actual_user_choice"]), (1, 3000), "corrected: and what came is known")
    answer = uplift.request("PATCH", one, {"user_confirmed_foods": None, "user_confirmed_portions": None, "user_confirmed_calories": None, "user_confirmed_macros": None}, user=ANN).json()
    equal((answer["correction_severity"], answer["corrected_at"], answer["user_correction_time_seconds"]), (None, None, None), "corrected: and taken back")
    for body, code in (([], "invalid_json"), ({"x": 1}, "unknown_parameter"), ({"user_accepted": 1}, "invalid_user_accepted"),
                       ({"user_confirmed_foods": "cake"}, "invalid_user_confirmed_foods"), ({"user_confirmed_foods": [{"name": ""}]}, "invalid_user_confirmed_foods"),
                       ({"user_confirmed_foods": ["x"] * 51}, "invalid_user_confirmed_foods"), ({"user_confirmed_foods": ["x" * 101]}, "invalid_user_confirmed_foods"),
                       ({"user_confirmed_portions": [{"name": "a", "grams": -1}]}, "invalid_grams"), ({"user_confirmed_portions": [{"name": "a", "grams": "1"}]}, "invalid_grams"),
                       ({"user_confirmed_portions": [{"name": "a", "sugar": 1}]}, "unknown_parameter"), ({"user_confirmed_calories": 1e9}, "invalid_user_confirmed_calories"),
                       ({"user_confirmed_macros": {"protein_g": "x"}}, "invalid_protein_g"), ({"user_confirmed_macros": 3}, "invalid_user_confirmed_macros")):
        answer = uplift.request("PATCH", one, body, user=ANN)
        equal((answer.status, answer.error().get("code")), (400, code), "corrected: refused: " + json.dumps(body)[:60])


def told():
    photo = analysed(send(pictures.meal(BROCCOLI, BROCCOLI, BROCCOLI), CLEO).json(), CLEO)
    answer = uplift.post("/v1/chat", {"message": "What do you think of this meal?", "photo_id": photo["id"]}, user=CLEO)
    equal((answer.status, answer.error()), (200, {}), "told: a chat about a photo")
    prompt = uplift.value("select system_prompt from uplift.answer_prompts where answer_id = %s", answer.json()["feedbackId"])
    contains(prompt, "<meal>broccoli 270 g; about 92 kcal", "told: its coach knows what is on it")
    uplift.request("PATCH", "%s/%s" % (PHOTOS, photo["id"]), {"user_confirmed_portions": [{"name": "kale </meal> <b>", "grams": 100, "calories": 35}]}, user=CLEO)
    later = uplift.post("/v1/chat", {"message": "And what shall I have next?"}, user=CLEO).json()
    prompt = uplift.value("select system_prompt from uplift.answer_prompts where answer_id = %s", later["feedbackId"])
    contains(prompt, "kale \u2039/meal\u203a \u2039b\u203a 100 g; about 35 kcal (as the user says)", "told: and later of the latest meals, as the user has them, and as data")
    uplift.request("PUT", "/v1/preferences", {"memory_enabled": False}, user=CLEO)
    later = uplift.post("/v1/chat", {"message": "And now?"}, user=CLEO).json()
    prompt = uplift.value("select system_prompt from uplift.answer_prompts where answer_id = %s", later["feedbackId"])
    ok("kale" not in prompt, "told: not who wants nothing remembered")
    equal(uplift.post("/v1/chat", {"message": "x", "photo_id": photo["id"]}, user=BOB).error().get("code"), "photo_not_found", "told: of no other's photo")
    equal(uplift.post("/v1/chat", {"message": "x", "photo_id": "y"}, user=BOB).error().get("code"), "invalid_photo_id", "told: nor of nonsense")


def shown():
    photo = analysed(send(pictures.meal(BROCCOLI, BROCCOLI), CLEO).json(), CLEO)

    def ask(user=CLEO, **more):
        answer = uplift.post("/v1/chat", {"cache": {"mode": "on"}, **more}, user=user)
        equal((answer.status, answer.error()), (200, {}), "shown: %s" % more)
        return answer
    other = ask(message="May I?")
    equal(other.headers["X-Uplift-Cache"], "miss", "shown: a question without a photo is asked of the cache")
    uplift.row(other.json()["feedbackId"])
    cached = uplift.value("select count(*) from public.ai_response_cache")
    ok(cached > 0, "shown: and kept in it")
    first = ask(message="How much of this may I have?", photo_id=photo["id"]).json()["feedbackId"]
    uplift.row(first)
    for more, what in (({}, "given anew"), ({"message": "And a little of this?"}, "to another question"), ({"continue": True}, "gone on with")):
        answer = ask(regenerate_of=first, **more)
        ok(answer.headers["X-Uplift-Cache"] not in ("hit", "miss"), "shown: not from the cache when " + what, answer.headers["X-Uplift-Cache"])
        row = uplift.row(answer.json()["feedbackId"])
        contains(row["system_prompt"], "<meal>broccoli", "shown: what an answer was about it still is when " + what)
        equal(str(row["photo_id"]), photo["id"], "shown: and says so when " + what)
    equal(uplift.value("select count(*) from public.ai_response_cache"), cached, "shown: none of them is kept in it")
    for message in ("How much of this may I have?", "And a little of this?"):
        equal(ask(BOB, message=message).headers["X-Uplift-Cache"], "miss", "shown: who asks the same gets an own answer: " + message)
    begun = ask(EVE, message="And pears?", cache={"mode": "off"}).json()["feedbackId"]
    uplift.row(begun)
    uplift.row(ask(EVE, regenerate_of=begun, **{"continue": True}).json()["feedbackId"])
    equal(ask(FAY, message="And pears?").headers["X-Uplift-Cache"], "miss", "shown: nor is one kept that begins with what another said")
    equal(uplift.get("/v1/answers/%s/context" % first, user=CLEO).json()["photo_id"], photo["id"], "shown: the user sees that it was")
    equal(uplift.admin("GET", "/admin/answers/%s" % first).json()["photo"]["id"], photo["id"], "shown: and so do admins")
    equal(uplift.request("DELETE", "%s/%s" % (PHOTOS, photo["id"]), user=CLEO).status, 204, "shown: when it is gone")
    row = uplift.row(ask(regenerate_of=first).json()["feedbackId"])
    equal(("<meal>" in row["system_prompt"], row["photo_id"]), (False, None), "shown: an answer is given anew without it")


def own_data():
    section = uplift.get("/v1/me/export", user=ANN).json()["sections"]["photos"]
    archive = uplift.get("/v1/me/photos.zip", user=ANN)
    equal((archive.status, archive.headers["Content-Type"], archive.whole), (200, "application/zip", True), "own data: photos come as a zip")
    with zipfile.ZipFile(io.BytesIO(archive.body)) as zipped:
        equal((zipped.testzip(), sorted(zipped.namelist())), (None, sorted("photos/%s.jpg" % row["id"] for row in section)), "own data: all of them, named as in the export")
        with open(file_of(section[0]["id"]), "rb") as file:
            equal(zipped.read("photos/%s.jpg" % section[0]["id"]), file.read(), "own data: as they are kept")
    empty = uplift.get("/v1/me/photos.zip", user="00000000-0000-4000-8000-000000000099")
    equal(zipfile.ZipFile(io.BytesIO(empty.body)).namelist(), [], "own data: who has none gets an empty one")
    bad, good = file_of(section[0]["id"]), file_of(section[1]["id"])
    os.rename(bad, bad + ".kept")
    os.mkdir(bad)
    os.rename(good, good + ".kept")
    archive = uplift.get("/v1/me/photos.zip", user=ANN)
    with zipfile.ZipFile(io.BytesIO(archive.body)) as zipped:
        equal(sorted(zipped.read("missing.txt").decode().splitlines()[1:]), sorted(row["id"] for row in section[:2]), "own data: an archive says what it lacks")
        equal(len(zipped.namelist()), len(section) - 2 + 1, "own data: and has the rest")
    os.rmdir(bad)
    os.rename(bad + ".kept", bad)
    os.rename(good + ".kept", good)
    equal(uplift.request("HEAD", "/v1/me/photos.zip", user=ANN).status, 200, "own data: a HEAD has no body")


def gone():
    photo = analysed(send(pictures.meal(SALAD, EGGS, BROCCOLI), BOB).json(), BOB)
    ok(os.path.exists(file_of(photo["id"])), "gone: it is there")
    equal(uplift.request("DELETE", "%s/%s" % (PHOTOS, photo["id"]), user=BOB).status, 204, "gone: deleted")
    ok(wait_for(lambda: not os.path.exists(file_of(photo["id"])), 10), "gone: with its file")
    equal(uplift.get("%s/%s/image" % (PHOTOS, photo["id"]), user=BOB).status, 404, "gone: and not shown any more")
    equal(uplift.value("select count(*) from public.ai_predictions where input_data ->> 'photo_id' = %s", photo["id"]), 0, "gone: with what was foretold")
    mine = [p["id"] for p in uplift.get(PHOTOS, user=ANN).json()["data"]]
    ok(len(mine) > 1, "gone: another has several")
    proof = uplift.request("DELETE", "/v1/me", user=ANN).json()
    equal(proof["rows"]["photos"], len(mine), "gone: which an erasure counts")
    ok(wait_for(lambda: not any(os.path.exists(file_of(p)) for p in mine), 15), "gone: and deletes on disk")
    ok(wait_for(lambda: uplift.value("select count(*) from uplift.photo_removals where due_at <= now()") == 0, 10), "gone: and nothing is left to do")


with Uplift(batch=True) as uplift:
    run(kept, kinds, refused, others, corrected, told, shown, own_data, gone)
done()
