#!/usr/bin/python3
"""Predictions: recorded by a route or by SQL, with their outcomes."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

ANN, BOB = ("00000000-0000-4000-8000-0000000000%02d" % n for n in (61, 62))
MISSING = "01890000-0000-7000-8000-000000000000"
PREDICTIONS = "/v1/predictions"
TYPES = ("food_suggestion", "portion_size", "meal_plan", "calorie_estimate", "macro_breakdown", "food_classification", "coaching_response")


def foretell(user=ANN, **more):
    return uplift.post(PREDICTIONS, dict({"prediction_type": "calorie_estimate", "model_name": "plates", "model_version": "3"}, **more), user=user)


def recorded():
    for kind in TYPES:
        answer = foretell(prediction_type=kind, predicted_output={"n": 1}, input_data=["x"], confidence_score=0.25)
        equal((answer.status, answer.json()["prediction_type"], answer.json()["confidence_score"]), (201, kind, 0.25), "recorded: " + kind)
    made = foretell(predicted_output=500, confidence_score=0.8).json()
    one = PREDICTIONS + "/" + made["id"]
    equal(uplift.get(one, user=ANN).json(), made, "recorded: and read again")
    page = uplift.get(PREDICTIONS + "?limit=3", user=ANN).json()
    equal((len(page["data"]), page["has_more"], page["data"][0]["id"]), (3, True, made["id"]), "list: a page, the newest first")
    rest = uplift.get(PREDICTIONS + "?before=" + page["data"][2]["id"], user=ANN).json()
    equal((len(rest["data"]), rest["has_more"]), (5, False), "list: and the rest")
    equal(len(uplift.get(PREDICTIONS + "?prediction_type=meal_plan&model_name=plates", user=ANN).json()["data"]), 1, "list: of a type")
    came = uplift.request("PATCH", one, {"actual_user_choice": 400}, user=ANN)
    equal((came.status, came.json()["prediction_accuracy"]), (200, 0.75), "outcome: how right it was")
    ok(came.json()["feedback_received_at"] and came.json()["feedback_delay_seconds"] >= 0, "outcome: when, and how late")
    equal(uplift.request("PATCH", one, {"actual_user_choice": 400}, user=ANN).json(), came.json(), "outcome: the same again changes nothing")
    equal(uplift.request("PATCH", one, {"actual_user_choice": 500}, user=ANN).json()["prediction_accuracy"], 1.0, "outcome: another takes its place")
    for method, body in (("GET", None), ("PATCH", {"user_accepted": True})):
        equal(uplift.request(method, one, body, user=BOB).error().get("code"), "prediction_not_found", "another's: not to %s" % method)
    equal(uplift.get(PREDICTIONS, user=BOB).json()["data"], [], "another's: nor in a list")


def for_a_user():
    key = uplift.admin("POST", "/admin/api-keys", {"name": "plates", "scopes": ["feedback", "act"]}).json()["key"]
    made = uplift.request("POST", PREDICTIONS, {"prediction_type": "meal_plan", "model_name": "m", "model_version": "1"}, user=None, token=key,
                          headers={"X-Uplift-User": ANN})
    equal(made.status, 201, "API key: it records for a user")
    equal(uplift.get(PREDICTIONS + "/" + made.json()["id"], user=ANN).status, 200, "API key: whose it then is")


def bad_inputs():
    for more, status, code in (
            ({"prediction_type": "weather"}, 400, "invalid_prediction_type"), ({"prediction_type": None}, 400, "missing_prediction_type"),
            ({"confidence_score": 2}, 400, "invalid_confidence_score"), ({"confidence_score": -0.1}, 400, "invalid_confidence_score"),
            ({"confidence_score": "NaN"}, 400, "invalid_confidence_score"), ({"model_name": "m" * 101}, 400, "invalid_model_name"),
            ({"model_version": 3}, 400, "invalid_model_version"), ({"model_name": "uplift-x"}, 400, "invalid_model_name"),
            ({"input_data": "x" * 20000}, 413, "request_too_large"), ({"input_data": "x" * 1000000}, 413, "request_too_large"),
            ({"predicted_output": "a\0b"}, 400, "invalid_json"), ({"nonsense": 1}, 400, "unknown_parameter")):
        answer = foretell(**more)
        equal((answer.status, answer.error().get("code")), (status, code), "refused: " + repr(more)[:50])
    for text in ('{"confidence_score": NaN}', '{"confidence_score": 1e999999999}', "[]", "{", ""):
        answer = uplift.request("POST", PREDICTIONS, text, user=ANN, headers={"Content-Type": "application/json"})
        equal(answer.status, 400, "refused: " + text)
    made = PREDICTIONS + "/" + foretell().json()["id"]
    for path, body, status, code in (
            (made, {"user_accepted": 1}, 400, "invalid_user_accepted"), (made, {"user_satisfaction_rating": 0}, 400, "invalid_user_satisfaction_rating"),
            (made, {"confidence_score": 1}, 400, "unknown_parameter"), (made, [], 400, "invalid_json"),
            (PREDICTIONS + "/" + MISSING, {"user_accepted": True}, 404, "prediction_not_found"),
            (PREDICTIONS + "/nonsense", {"user_accepted": True}, 400, "invalid_id")):
        answer = uplift.request("PATCH", path, body, user=ANN)
        equal((answer.status, answer.error().get("code")), (status, code), "refused: %s of %s" % (body, path[16:24]))
    for query, code in (("?limit=0", "invalid_limit"), ("?before=x", "invalid_before"), ("?before=" + MISSING, "prediction_not_found"),
                        ("?prediction_type=weather", "invalid_prediction_type")):
        equal(uplift.get(PREDICTIONS + query, user=ANN).error().get("code"), code, "refused: " + query)


with Uplift(batch=True) as uplift:
    run(recorded, for_a_user, bad_inputs)
done()
