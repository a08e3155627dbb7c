#!/usr/bin/python3
"""What an erasure leaves outside the database: training files at the trainer and exports go, by job finish-erasures, and then
nothing says who it was."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import ask, dataset, ended  # noqa: E402

ANN = "00000000-0000-4000-8000-000000000081"


def files_of(up, erasure):
    return {f["kind"]: f for f in next(e for e in up.admin("GET", "/admin/erasures").json()["data"] if e["id"] == erasure)["files"]}


def main(up):
    data = dataset(up, "Erased")
    up.sql("insert into auth.users (id) values (%s) on conflict do nothing", ANN)
    example = up.value("select id from public.ai_training_examples where dataset_id = %s limit 1", data)
    up.sql("insert into uplift.training_example_sources (example_id, position, answer_id, user_id) values (%s, 9, gen_random_uuid(), %s)", example, ANN)
    trained = ended(up, ask(up, dataset_id=data, base_model="sim-1", suffix="erased").json())
    equal(trained["status"], "succeeded", "a model is trained on what a user said, among others")
    export = up.job("export-dataset", {"dataset_id": data, "name": "erased.jsonl"})["result"]["path"]
    other = up.job("export-dataset", {"dataset_id": dataset(up, "Kept"), "name": "kept.jsonl"})["result"]["path"]
    file = up.value("select training_file_id from public.ai_finetuning_jobs where id = %s", trained["id"])
    equal(up.get("/v1/files/" + file, plain=True).status, 200, "the trainer has the file")

    proof = up.admin("DELETE", "/admin/users/" + ANN).json()
    equal((proof["asked_by"], proof["rows"]["training_examples"], proof["model_versions"]), ("admin", 1, [trained["model_version_id"]]),
          "an erasure names the models that were trained with it")
    files = up.sql("select training_file_id, validation_file_id from public.ai_finetuning_jobs where id = %s", trained["id"])[0].values()
    equal(sorted((f["kind"], f["name"]) for f in proof["files"]), sorted([("export", export)] + [("training_file", name) for name in files if name]),
          "and the files, those to train on and those to look by")
    equal(up.job("finish-erasures")["result"], {"finished": 0, "files": 0, "files_left": 0, "late_rows": 0}, "what is under way has time to end")
    up.sql("update uplift.settings set value = '0' where key = 'erasures.finish_after_minutes'")

    os.chmod(os.path.dirname(export), 0o555)
    up.sql("update uplift.erasures set files = files || '[{\"kind\": \"export\", \"name\": \"/etc/passwd\"}]'")
    job = up.job("finish-erasures")
    ok(job["result"]["files"] >= 1 and job["result"]["files_left"] >= 1, "what can be deleted is", str(job["result"]))
    equal(up.get("/v1/files/" + file, plain=True).status, 404, "the trainer has the file no more")
    contains(str(up.sql("select files from uplift.erasures")), "not in the export directory", "no other file than an export is touched")
    ok(os.path.exists("/etc/passwd") and up.value("select finished_at is null from uplift.erasures"), "and as long as something is left it is not finished")
    os.chmod(os.path.dirname(export), 0o777)
    up.sql("update uplift.erasures set files = files - 2 where files ->> 2 like '%%passwd%%'")
    up.sql("update uplift.erasures e set files = (select jsonb_agg(f) from jsonb_array_elements(e.files) f where f ->> 'name' <> '/etc/passwd')")
    equal(up.job("finish-erasures")["result"]["finished"], 1, "the next run does the rest")
    equal([os.path.exists(export), os.path.exists(other)], [False, True], "the export is gone, that of another set is not")
    ok(all(f["erased_at"] for f in files_of(up, proof["id"]).values()), "the proof says when")
    equal(up.sql("select user_id, finished_at is not null as done from uplift.erasures"), [{"user_id": None, "done": True}], "and not any more who it was")
    up.sql("insert into uplift.erasures (user_hash, user_id, erased_at, asked_by, rows, model_versions, files)"
           " values ('x', %s, now() - interval '1 hour', 'admin', '{}', '{}', '[{\"kind\": \"training_file\", \"name\": \"../../x\", \"provider\": \"openai\"}]')", ANN)
    equal(up.job("finish-erasures")["result"]["files_left"], 1, "a name that is no file's is not asked for")


with Uplift(batch=True) as uplift:
    main(uplift)
done()
