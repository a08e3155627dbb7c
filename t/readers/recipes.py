#!/usr/bin/python3
"""The recipes of EXPORT.md, run with the readers' own code: what each line of an export becomes for TRL, Axolotl and
LLaMA-Factory, up to what a trainer would learn of it.

The readers come from PyPI into var/readers (half a gigabyte, once), without PyTorch, which only training needs. So this is
no part of ./dev check; .ci/run runs it. It wants python3-venv.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

SYSTEM = {"role": "system", "content": "Be kind; \u00fcber \"all\"."}
# Of each set some examples: messages, completion, rejected, label.
EXAMPLES = {
    "conversation": [
        ([SYSTEM, ("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2\n\n- one\n- two")], None, None, None),
        ([("user", "q3"), ("unlearnt", "old"), ("user", "q4"), ("assistant", "line\u2028next\u0085end")], None, None, None),
        ([{"role": "developer", "content": "Be brief."}, ("user", "q5"), ("assistant", "a5 \U0001f600")], None, None, None)],
    "preference": [
        ([SYSTEM, ("user", "q1"), ("assistant", "before"), ("user", "q2")], [("assistant", "good")], [("assistant", "bad")], None),
        ([("user", "q3")], [("assistant", "better\u2028")], [("assistant", "worse")], None)],
    "unpaired": [
        ([SYSTEM, ("user", "q1"), ("assistant", "before"), ("user", "q2")], [("assistant", "good")], None, True),
        ([("user", "q3")], [("assistant", "bad")], None, False)]}
FORMATS = {"openai": "conversation", "trl-dpo": "preference", "trl-kto": "unpaired"}


def message(m):
    if isinstance(m, dict):
        return m
    return {"role": "assistant", "content": m[1], "weight": 0} if m[0] == "unlearnt" else {"role": m[0], "content": m[1]}


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if result.returncode != 0:
        sys.exit("%s failed:\n%s" % (" ".join(command[:4]), result.stdout[-3000:]))


def environment():
    """The Python that has the readers; made where it is missing or another."""
    directory = os.path.realpath(ROOT + "/var") + "/readers"
    stamp = hashlib.sha256()
    for name in ("requirements.txt", "needed.txt"):
        with open(HERE + "/" + name, "rb") as file:
            stamp.update(file.read())
    python = directory + "/bin/python"
    try:
        with open(directory + "/stamp") as file:
            if file.read() == stamp.hexdigest():
                return python
    except OSError:
        pass
    run(sys.executable, "-m", "venv", "--clear", directory)
    run(python, "-m", "pip", "install", "-q", "-r", HERE + "/needed.txt")
    run(python, "-m", "pip", "install", "-q", "--no-deps", "-r", HERE + "/requirements.txt")
    with open(directory + "/stamp", "w") as file:
        file.write(stamp.hexdigest())
    return python


def export(directory):
    """Files as fcgi-batch writes them, of examples in a database."""
    cluster = Cluster()
    cluster.start()
    cluster.createdb("readers")
    result = cluster.psql("readers", file=ROOT + "/sql/install.sql")
    equal((result.returncode, result.stderr), (0, ""), "installs")
    for name, kind in FORMATS.items():
        quoted = ["insert into ai_training_datasets (id, dataset_name, dataset_type) values (md5('%s')::uuid, '%s', '%s')" % (kind, kind, kind)]
        for number, parts in enumerate(EXAMPLES[kind] * 5):
            values = [("$json$%s$json$" % json.dumps([message(m) for m in part]) if isinstance(part, list) else json.dumps(part)) for part in parts]
            quoted.append("insert into ai_training_examples (id, dataset_id, messages, completion, rejected, label, is_validated, split)"
                          " values (lpad('%d', 32, '0')::uuid, md5('%s')::uuid, %s, true, 'train')"
                          % (number + 1 + 1000 * len(kind), kind, ", ".join(values)))
        cluster.psql("readers", sql="; ".join(quoted))
        lines = cluster.psql("readers", sql="select lines from uplift_batch.export_page(md5('%s')::uuid, null, '%s', null, 0, null, 1000000)" % (kind, name)).stdout
        with open("%s/%s.jsonl" % (directory, name), "w") as file:
            file.write(lines[:-1])  # psql ends it once more
        equal(len(lines.splitlines()) - 1, len(EXAMPLES[kind]) * 5, "%s is exported" % name)
    cluster.stop()


def chatml(messages, answering=False):
    """As the template has them."""
    return "".join("<|im_start|>%s\n%s<|im_end|>\n" % (m["role"].replace("developer", "system"), m["content"]) for m in messages) \
        + ("<|im_start|>assistant\n" if answering else "")


def answers(messages):
    """Of a conversation each answer that is to be learnt, with what comes before."""
    return [(messages[:n], m) for n, m in enumerate(messages) if m["role"] == "assistant" and m.get("weight") != 0]


def wanted():
    """What each recipe should make of EXAMPLES, in the words of read.py."""
    talks = [[message(m) for m in example[0]] for example in EXAMPLES["conversation"]]
    single = [pair for talk in talks for pair in answers(talk)]
    pairs = [([message(m) for m in prompt], better[0][1], worse[0][1]) for prompt, better, worse, _ in EXAMPLES["preference"]]
    rated = [([message(m) for m in prompt], answer[0][1], label) for prompt, answer, _, label in EXAMPLES["unpaired"]]
    end, turn = "<|im_end|>", "<|im_end|>\n"
    return {
        "trl-sft": [{"prompt": chatml(before, True), "completion": m["content"] + turn} for before, m in single],
        "trl-dpo": [{"prompt": chatml(prompt, True), "chosen": better + turn, "rejected": worse + turn} for prompt, better, worse in pairs],
        "trl-kto": [{"prompt": chatml(prompt, True), "completion": answer + turn, "label": label} for prompt, answer, label in rated],
        "axolotl-sft": [{"text": chatml(talk), "learnt": [m["content"] + end for _, m in answers(talk)]} for talk in talks],
        "axolotl-dpo": [{"prompt": chatml(prompt, True), "chosen": better + end, "rejected": worse + end} for prompt, better, worse in pairs],
        "axolotl-kto": [{"prompt": chatml(prompt, True), "completion": answer + end, "label": label} for prompt, answer, label in rated],
        "llamafactory-sft": [{"text": chatml(before + [m]), "learnt": [m["content"] + turn]} for before, m in single],
        "llamafactory-dpo": [{"text": chatml(prompt, True) + better + turn, "chosen": [better + turn], "rejected": [worse + turn]}
                             for prompt, better, worse in pairs],
        "llamafactory-kto": [{"text": chatml(prompt, True) + answer + turn, "learnt": [answer + turn], "label": label}
                             for prompt, answer, label in rated]}


def main():
    python = environment()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        export(directory)
        result = subprocess.run([python, HERE + "/read.py", ROOT + "/src/batch/EXPORT.md", directory],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if not ok(result.returncode == 0, "the readers read", result.stdout[-4000:]):
            done()
        with open(directory + "/results.json") as file:
            results = json.load(file)
    equal(results.pop("not run"), [], "every recipe of the document was run")
    for name, made in wanted().items():
        equal(results.pop(name), made * 5, name + ": each line becomes what it should")
    equal(results, {}, "and nothing else was made")
    done()


main()
