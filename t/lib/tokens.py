#!/usr/bin/python3
"""JSON Web Tokens with a shared secret, as Supabase issues them, for tests and ./dev.

    t/lib/tokens.py KEY_FILE CLAIMS

prints one of these claims, JSON. The secret comes in a file, because everybody sees arguments.
"""

import base64
import hashlib
import hmac
import json
import sys

HEADER = {"alg": "HS256", "typ": "JWT"}


def encoded(data):
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_input(header, claims):
    """What a signature is of; claims may be JSON already."""
    texts = [part if isinstance(part, str) else json.dumps(part) for part in (header, claims)]
    return ".".join(encoded(text.encode()) for text in texts)


def jwt(claims, secret, header=None):
    """A token signed by HS256, whatever its header says; the secret is text or bytes."""
    text = signing_input(header or HEADER, claims)
    key = secret.encode() if isinstance(secret, str) else secret
    return text + "." + encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print(jwt(sys.argv[2], file.read().strip()))
