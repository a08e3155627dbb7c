"""A provider that a test scripts: it keeps each request, says what it is told to, and waits where a test wants it to.

    with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
        provider.says = "Hello."
        uplift.post("/v1/chat", {"message": "hi"})
        provider.last()["messages"][-1]  # {"role": "user", "content": "hi"}

A stream is one chunk a word. hold() lets streams say their first word and no more until go().
"""

import http.server
import json
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        provider = self.provider
        text = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(text)
        provider.requests.append(body)
        provider.texts.append(text.decode())
        if provider.refusals:
            self.refuse(*provider.refusals.pop(0))
        elif body.get("stream"):
            self.stream(body)
        else:
            text = json.dumps(provider.completion(body)).encode()
            try:
                self.head("application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                self.close_connection = True  # whoever asked went away

    def head(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)

    def refuse(self, status, headers, error):
        text = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def event(self, data):
        text = ("data: %s\n\n" % (data if isinstance(data, str) else json.dumps(data))).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
        self.wfile.flush()

    def stream(self, body):
        provider = self.provider
        self.head("text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for delta in provider.thinks:
                self.event(provider.chunk(body, delta))
            says, finish = (s(body) if callable(s) else s for s in (provider.says, provider.finish_reason))
            for number, word in enumerate(says.split(" ")):
                if number == 1:
                    provider.gate.wait(60)
                self.event(provider.chunk(body, {"content": " " * (number > 0) + word}))
            self.event(provider.chunk(body, {}, finish))
            if (body.get("stream_options") or {}).get("include_usage"):
                self.event({**provider.chunk(body, {}), "choices": [], "usage": provider.usage})
            self.event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # whoever asked went away


class Scripted:
    def __init__(self):
        self.requests = []
        self.texts = []  # the same, as they came
        self.says = "Well said."  # or a function of the request
        self.thinks = []  # deltas of a stream that come before its text
        self.refusals = []  # what the next requests get instead: (status, headers, error)
        self.finish_reason = "stop"  # of a stream also a function of the request
        self.message = {}  # more for the message of an answer that is not streamed
        self.usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                      "prompt_tokens_details": {"cached_tokens": 2}}
        self.gate = threading.Event()
        self.gate.set()

    def __enter__(self):
        handler = type("ScriptedHandler", (Handler,), {"provider": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.go()
        self.server.shutdown()
        self.server.server_close()

    def hold(self):
        self.gate.clear()

    def go(self):
        self.gate.set()

    def last(self):
        """The last request."""
        return self.requests[-1]

    def chunk(self, body, delta, finish=None):
        return {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1762214400,
                "model": body["model"], "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def completion(self, body):
        says = self.says(body) if callable(self.says) else self.says
        message = {"role": "assistant", "content": says, "refusal": None, **self.message}
        return {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1762214400, "model": body["model"],
                "system_fingerprint": "fp_scripted", "usage": self.usage,
                "choices": [{"index": 0, "message": message, "logprobs": None,
                             "finish_reason": "tool_calls" if message.get("tool_calls") else self.finish_reason}]}
