"""FastCGI as nginx speaks it, to ask fcgi-chat without nginx (https://fastcgi-archives.github.io, section 3.3)."""

import socket
import struct

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
RESPONDER, KEEP_CONNECTION = 1, 1


def record(kind, content):
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def request(method, path, body=b"", headers=(), keep=False):
    """A whole request; the path without a query, headers as they are in HTTP."""
    parameters = {
        "REQUEST_METHOD": method, "DOCUMENT_URI": path, "QUERY_STRING": "", "REQUEST_URI": path,
        "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1", "UPLIFT_REQUEST_ID": "request-of-test", "GATEWAY_INTERFACE": "CGI/1.1"}
    parameters.update(("HTTP_" + name.upper().replace("-", "_"), value) for name, value in dict(headers).items())
    text = b"".join(struct.pack("!II", len(k) | 1 << 31, len(v) | 1 << 31) + k.encode() + v.encode()
                    for k, v in parameters.items())
    begin = record(BEGIN_REQUEST, struct.pack("!HB5x", RESPONDER, KEEP_CONNECTION if keep else 0))
    pieces = b"".join(record(STDIN, body[at:at + 65535]) for at in range(0, len(body), 65535))
    return begin + record(PARAMS, text) + record(PARAMS, b"") + pieces + record(STDIN, b"")


class Connection:
    """A connection to the Unix socket of fcgi-chat."""

    def __init__(self, uplift, timeout=20):
        self.uplift = uplift
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(uplift.dir + "/run/chat.sock")

    def send(self, method, path, body=b"", keep=True, **headers):
        self.socket.sendall(request(method, path, body, dict(
            {"Authorization": "Bearer " + self.uplift.token()}, **headers), keep))

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError("the connection was closed")
            data += piece
        return data

    def answer(self):
        """The status and the body of the answer to what was sent."""
        text = b""
        while True:
            _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", self._read(8))
            content = self._read(length + padding)[:length]
            if kind == END_REQUEST:
                head, _, body = text.partition(b"\r\n\r\n")
                return int(head.split()[1]), body.decode()
            text += content

    def ask(self, method, path, body=b"", **options):
        self.send(method, path, body, **options)
        return self.answer()

    def is_closed(self, seconds=5):
        """Whether the other side closes it in that time, with nothing more to say."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()
