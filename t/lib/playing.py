"""A provider that plays bytes: each request gets the next script, as it is, whatever was asked.

    with Playing() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
        provider.plays(events({"choices": [...]}, "[DONE]"))
        uplift.post("/v1/chat", {"message": "hi"})
        provider.seen[-1]["messages"]

A script is bytes, or a list of bytes and of these: a Gate, which holds the rest back until it is opened; HOLD, which
keeps the connection until the other side hangs up; RESET, which breaks it. At its end the connection is closed. Or it
is a function of the request that returns one. at(name) gives each provider of a routing an address and scripts of its
own.
"""

import gzip
import json
import socket
import struct
import threading

HOLD, RESET = "hold", "reset"


class Gate:
    """Between two parts of a script: has the play come here, and may it go on?"""

    def __init__(self):
        self.is_open = threading.Event()

    def open(self):
        self.is_open.set()


def text(data):
    return data if isinstance(data, str) else json.dumps(data)


def event(data, name=None):
    """One event of a stream."""
    return (("event: %s\n" % name if name else "") + "data: %s\n\n" % text(data)).encode()


def head(kind="text/event-stream", status="200 OK", headers=""):
    return ("HTTP/1.1 %s\r\nContent-Type: %s\r\n%sConnection: close\r\n\r\n" % (status, kind, headers)).encode()


def events(*all_data, kind="text/event-stream"):
    """A stream of these data, dictionaries as JSON; bytes go as they are."""
    return head(kind) + b"".join(data if isinstance(data, bytes) else event(data) for data in all_data)


def body(data, kind="application/json", status="200 OK", headers=""):
    """A whole answer."""
    return head(kind, status, headers) + (data if isinstance(data, bytes) else text(data).encode())


def zipped(data, kind):
    """The same, compressed though nobody asked for it."""
    return head(kind, headers="Content-Encoding: gzip\r\n") + gzip.compress(data)


def chunk(delta=None, finish=None, **more):
    """A chunk as OpenAI sends it; more: members of the choice."""
    return {"id": "chatcmpl-played", "object": "chat.completion.chunk", "created": 1762214400, "model": "played-1",
            "choices": [{"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish, **more}]}


def say(words, finish=None):
    return chunk({"content": words}, finish)


def usage(prompt, completion, **more):
    """OpenAI's last chunk."""
    return {**chunk(), "choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                                                "total_tokens": prompt + completion, **more}}


def whole(message, finish="stop", **more):
    """A whole answer as OpenAI sends it; more: members beside the choices."""
    return {"id": "chatcmpl-played", "object": "chat.completion", "created": 1762214400, "model": "played-1",
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}], **more}


class Part:
    """One provider of several at one port."""

    def __init__(self, url):
        self.url = url
        self.seen = []  # bodies of requests
        self.headers = []  # those of the last one, a line each
        self.scripts = []
        self.lock = threading.Lock()

    def plays(self, *scripts):
        """What the next requests get, in order; the last one also those after them. Forgets what was seen."""
        with self.lock:
            self.scripts = list(scripts)
            self.seen = []

    def next(self, request):
        with self.lock:
            self.seen.append(request)
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return script(request) if callable(script) else script


class Playing(Part):
    def __init__(self):
        super().__init__(None)
        self.parts = {}

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.root = "http://127.0.0.1:%d/" % self.listener.getsockname()[1]
        self.url = self.root + "v1"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def at(self, name):
        """The provider of that name."""
        return self.parts.setdefault(name, Part(self.root + name))

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as stream:
            try:
                length, line = 0, stream.readline()
                if not line:
                    return
                part = self.parts.get(line.split(b"/")[1].decode(), self)
                part.headers = [line.decode().strip() for line in iter(stream.readline, b"\r\n")]
                for line in part.headers:
                    if line.lower().startswith("content-length:"):
                        length = int(line.split(":")[1])
                self._play(client, part.next(json.loads(stream.read(length))))
                client.shutdown(socket.SHUT_WR)
            except (OSError, IndexError):
                pass  # one side hung up

    def _play(self, client, script):
        for part in [script] if isinstance(script, bytes) else script:
            if isinstance(part, Gate):
                part.is_open.wait(60)
            elif part == HOLD:
                while client.recv(4096):
                    pass
            elif part == RESET:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise ConnectionResetError
            else:
                client.sendall(part)
