"""A trainer with OpenAI's routes that a test scripts: it counts what it is asked, and answers what it is told to.

    with Trainer() as trainer, Uplift(batch=True, UPLIFT_TRAINER_URL=trainer.url) as up:
        trainer.answers["POST /fine_tuning/jobs"] = (403, {"error": {"code": "training_not_available"}})

An answer is (status, JSON or text), or a function of the request's path and body that returns one, None for what a
good trainer does, or CUT to do it and hang up before saying so.
"""

import http.server
import json
import re
import threading

CUT = object()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    trainer = None

    def log_message(self, *_):
        pass

    def answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        route = method + " " + re.sub(r"/(file|ftjob|model)-[^/]+", "/*", path)
        with self.trainer.lock:
            self.trainer.requests.append((method, self.path, body, dict(self.headers)))
            told = self.trainer.answers.get(route)
            if callable(told):
                told = told(path, body)
            status, value = told if isinstance(told, tuple) else self.trainer.do(route, path, body)
        if told is CUT:
            self.close_connection = True
            self.connection.close()
            return
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(value, bytes) else "application/json")
        for name, what in self.trainer.headers.items():
            self.send_header(name, what)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")


class Trainer:
    def __init__(self):
        self.lock = threading.RLock()
        self.requests, self.answers, self.headers = [], {}, {}
        self.files, self.jobs, self.events = {}, {}, []
        self.status, self.model, self.error = "succeeded", "ft:tiny:1", None

    def __enter__(self):
        handler = type("Bound", (Handler,), {"trainer": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def reset(self, **answers):
        with self.lock:
            self.requests, self.headers, self.files, self.jobs, self.events = [], {}, {}, {}, []
            self.status, self.model, self.error = "succeeded", "ft:tiny:1", None
            self.answers = dict(answers)

    def count(self, method, start):
        return sum(m == method and p.split("?")[0] == start for m, p, _, _ in self.requests)

    def view(self, job):
        over = self.status == "succeeded"
        return {**job, "status": self.status, "fine_tuned_model": self.model if over else None,
                "trained_tokens": 12345 if over else None, "error": self.error}

    def do(self, route, path, body):
        """What a good trainer does."""
        if route == "POST /files":
            name = re.search(rb'filename="([^"]+)"', body).group(1).decode()
            file = {"id": "file-%d" % (len(self.files) + 1), "object": "file", "filename": name, "purpose": "fine-tune",
                    "bytes": len(body), "status": "processed"}
            self.files[file["id"]] = file
            return 200, file
        if route == "GET /files":
            return 200, {"object": "list", "data": list(self.files.values()), "has_more": False}
        if route == "POST /fine_tuning/jobs":
            job = {"id": "ftjob-%d" % (len(self.jobs) + 1), "object": "fine_tuning.job", **json.loads(body)}
            self.jobs[job["id"]] = job
            return 200, self.view(job)
        if route == "GET /fine_tuning/jobs":
            return 200, {"object": "list", "data": [self.view(j) for j in self.jobs.values()], "has_more": False}
        if route == "GET /fine_tuning/jobs/*":
            job = self.jobs.get(path.split("/")[-1])
            return (200, self.view(job)) if job else (404, {"error": {"message": "no such job", "code": "not_found"}})
        if route == "GET /fine_tuning/jobs/*/events":
            return 200, {"object": "list", "data": self.events, "has_more": False}
        if route == "GET /fine_tuning/jobs/*/checkpoints":
            return 200, {"object": "list", "data": [], "has_more": False}
        if route == "POST /fine_tuning/jobs/*/cancel":
            self.status = "cancelled"
            return 200, self.view(self.jobs[path.split("/")[-2]])
        if path.startswith("/models/"):
            return 200, {"id": path[8:], "object": "model", "shutdown_date": None}
        return 404, {"error": {"message": "no such route", "code": None}}


def dataset(up, name, kind="conversation", count=120):
    """Of liked answers, a few of them for validation and test."""
    columns = {"conversation": "m || c, null, null, null", "preference": "m, c, w, null",
               "unpaired": "m, c, null, n % 2 = 0"}[kind]
    dataset_id = up.sql("insert into ai_training_datasets (dataset_name, dataset_type) values (%s, %s) returning id::text",
                        name, kind)[0]["id"]
    up.sql("insert into ai_training_examples (messages, completion, rejected, label, dataset_id, quality_score, split,"
           " is_validated, tokens) select " + columns.replace("%", "%%") + """, %s, 8,
            (array['train', 'validation', 'test'])[greatest(1, n %% 10 - 6)], true, 20
        from generate_series(1, %s) n, lateral (select
            jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Question ' || n)),
            jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', 'Answer ' || n)),
            jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', 'Worse ' || n))) as x(m, c, w)""",
           dataset_id, count)
    return dataset_id


def ask(up, **arguments):
    """A fine-tuning job, asked for; the answer."""
    return up.admin("POST", "/admin/finetuning-jobs", arguments)


def ended(up, job):
    """The fine-tuning job once its batch job has ended."""
    up.await_job(job["batch_job_id"])
    return up.admin("GET", job["status_url"]).json()
