"""Hostile requests over HTTP."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from benchmarks.hostile.hostile_values import guest_id, text, write_json
from benchmarks.hostile.inputs import HttpRequest, Input
from benchmarks.hostile.mqtt_inputs import RARE_OPERATIONS, make_fields, with_base64
from benchmarks.hostile.mutations import mutate, mutate_picture
from gateway.rest.api_v1 import ROUTES

BOUNDARY = "edge"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
FACE_REC, FACE_MATCH = "/face_rec", "/face_match"
MANY_PARTS = 2_000


@dataclass(frozen=True, slots=True)
class HttpInputs:
    """The maker of hostile requests. ``pictures``: those that are mutated."""

    pictures: Sequence[bytes]

    def mutated_picture(self, number: int, rng: random.Random) -> Input:
        """Return a request with a damaged picture, in one of the forms in which programs send pictures."""
        path = rng.choice((FACE_REC, FACE_REC, f"{FACE_REC}?facial_features=true", FACE_MATCH))
        request = _picture_request(path, mutate_picture(rng.choice(self.pictures), rng), self.pictures, rng)
        return Input(number, "picture over HTTP", "http", request, picture=True)

    def hostile_fields(self, number: int, rng: random.Random) -> Input:
        """Return a request with a good picture, in a form with hostile names, file names and queries."""
        query = "&".join(f"{_escape(rng.choice(QUERIES))}={_escape(text(rng))}" for _ in range(rng.randrange(3)))
        parts = [_part('name="file"; filename="' + _quotable(text(rng)) + '"', rng.choice(self.pictures))]
        names = [text(rng) for _ in range(rng.randrange(3))]
        parts += [_part(f'name="{_quotable(name)}"', text(rng).encode(errors="replace")) for name in names]
        rng.shuffle(parts)
        request = write_request("POST", f"{FACE_REC}?{query}", FORM, _form(parts), _hostile_headers(rng))
        return Input(number, "fields over HTTP", "http", request, well_formed=True, picture=True)

    def operation(self, number: int, rng: random.Random) -> Input:
        """Return an operation on people with hostile fields in its path, its query and its JSON."""
        method, path, operation = rng.choice(ROUTES)
        if operation in RARE_OPERATIONS and rng.random() < 0.9:
            method, path, operation = rng.choice(ROUTES)
        fields = make_fields(operation, self.pictures, rng)
        for name in ("person", "unknown", "sighting", "picture", "camera"):
            found = fields.pop(name, None) if f"<{name}>" in path else None
            path = path.replace(f"<{name}>", _escape(str(found) if found not in (None, "") else guest_id(rng)))
        body = b"" if method == "GET" else write_json(with_base64(fields), rng)
        if method == "GET" and fields:
            path += "?" + "&".join(f"{_escape(name)}={_escape(str(each)[:300])}" for name, each in fields.items())
        request = write_request(method, path, "application/json", body, _hostile_headers(rng))
        return Input(number, "operation over HTTP", "http", request, well_formed=True)

    def mutated_body(self, number: int, rng: random.Random) -> Input:
        """Return a request whose body was mutated as a whole, whatever it is."""
        picture = rng.choice(self.pictures)
        body = _form([_part('name="file"; filename="a.jpg"', picture), _part('name="name"', b"Guest 1")])
        if rng.random() < 0.4:
            body = json.dumps({"file_format": "jpg", "image_data": base64.b64encode(picture).decode()}).encode()
        kind = rng.choice((FORM, "application/json", "image/jpeg", "text/plain", "multipart/form-data", ""))
        path = rng.choice((FACE_REC, FACE_MATCH, "/api/v1/people", "/api/v1/people/import", "/api/v1/people/guest_1"))
        request = write_request("POST", path, kind, mutate(body, rng))
        return Input(number, "body over HTTP", "http", request)

    def raw(self, number: int, rng: random.Random) -> Input:
        """Return bytes that are no valid HTTP, or nearly none."""
        data = rng.choice(RAW)(rng)
        if rng.random() < 0.3:
            data = mutate(data, rng)
        return Input(number, "raw bytes", "http", HttpRequest(data, closes=True), answered=False)


def write_request(
    method: str, path: str, kind: str, body: bytes, headers: Mapping[str, str] | None = None
) -> HttpRequest:
    """Return the request of a client that closes the connection after the answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name}: {each}" for name, each in (headers or {}).items()]
    return HttpRequest(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)


def write_good_request(picture: bytes) -> HttpRequest:
    """Return an ordinary request: a form with one picture."""
    return write_request("POST", FACE_REC, FORM, _form([_part('name="file"; filename="a.jpg"', picture)]))


def _picture_request(path: str, picture: bytes, pictures: Sequence[bytes], rng: random.Random) -> HttpRequest:
    if path == FACE_MATCH:
        parts = [_part('name="file1"; filename="a.jpg"', picture), _part('name="file2"', rng.choice(pictures))]
        return write_request("POST", path, FORM, _form(parts))
    match rng.randrange(4):
        case 0:
            return write_request("POST", path, "image/jpeg", picture)
        case 1:
            document = {"file_format": "jpg", "image_data": base64.b64encode(picture).decode()}
            return write_request("POST", path, "application/json", json.dumps(document).encode())
        case _:
            return write_request("POST", path, FORM, _form([_part('name="file"; filename="a.jpg"', picture)]))


def _form(parts: Sequence[bytes]) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _part(disposition: str, content: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode(errors="replace") + content + b"\r\n"


def _escape(each: str) -> str:
    return quote(each.encode(errors="replace")[:2_000], safe="")


def _quotable(each: str) -> str:
    """Return the text as it may stand in a header of a part."""
    return "".join(letter for letter in each[:2_000] if letter not in '"\\\r\n\0')


def _hostile_headers(rng: random.Random) -> dict[str, str]:
    return {rng.choice(HEADERS): rng.choice(HEADER_VALUES) for _ in range(rng.choice((0, 0, 1, 3)))}


QUERIES = ("facial_features", "face_locations", "landmarks", "annotate", "limit", "<script>", "__class__", "")
HEADERS = (
    "Accept",
    "Accept-Language",
    "User-Agent",
    "Referer",
    "Range",
    "If-Match",
    "X-Request-Id",
    "Content-Encoding",
)
# The headers of a proxy and of a browser decide who may ask: other tests send those. login_inputs.py has the log-ins.
HEADER_VALUES = ("", "*/*", "\xe9" * 100, "a" * 4_000, "bytes=0-0,-1", "'; --", "gzip", "<script>", "\t", ";" * 500)


def _line(line: bytes) -> Callable[[random.Random], bytes]:
    return lambda rng: line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def _headers(headers: bytes, body: bytes = b"") -> Callable[[random.Random], bytes]:
    return lambda rng: b"POST /face_rec HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\n\r\n" + body


def _many_parts(rng: random.Random) -> bytes:
    return write_request("POST", FACE_REC, FORM, _form([_part('name="a"', b"")] * MANY_PARTS)).data


RAW: Sequence[Callable[[random.Random], bytes]] = (
    _line(b"GET / HTTP/9.9"),
    _line(b"GET /"),
    _line(b"get /face_rec http/1.1"),
    _line(b"\0\0\0\0"),
    _line(b"GET /../../../../etc/passwd HTTP/1.1"),
    _line(b"GET /%00%ff%zz HTTP/1.1"),
    _line(b"GET //127.0.0.1/api/v1/people HTTP/1.1"),
    _line(b"GET http://127.0.0.1:1/api/v1/people HTTP/1.1"),
    _line(b"CONNECT 127.0.0.1:1883 HTTP/1.1"),
    _line(b"OPTIONS * HTTP/1.1"),
    _line(b"TRACE /face_rec HTTP/1.1"),
    _line(b"GET /" + b"a" * 100_000 + b" HTTP/1.1"),
    _line(b"PRI * HTTP/2.0"),
    _line(bytes.fromhex("160301020001000001fc0303")),
    _headers(b"Content-Length: -1", b"abc"),
    _headers(b"Content-Length: 3\r\nContent-Length: 4", b"abcd"),
    _headers(b"Content-Length: 99999999999999999999", b"abc"),
    _headers(b"Content-Length: 0x10", b"a" * 16),
    _headers(b"Content-Length: 100", b"abc"),
    _headers(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
    _headers(b"Transfer-Encoding: chunked", b"fffffffffffffffff\r\nhello"),
    _headers(b"Transfer-Encoding: chunked", b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n"),
    _headers(b"Transfer-Encoding: chunked\r\nContent-Length: 4", b"5\r\nhello\r\n0\r\n\r\n"),
    _headers(b"Transfer-Encoding: xchunked", b"abc"),
    _headers(b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    _headers(b"Expect: 100-continue\r\nContent-Length: 3", b"abc"),
    _headers(b"Upgrade: websocket\r\nConnection: upgrade"),
    _headers(b"X: " + b"a" * 70_000),
    _headers(b"\r\n".join(b"X%d: a" % n for n in range(5_000))),
    _headers(b" folded: yes\r\n\tmore"),
    _headers(b"Host: 127.0.0.1\r\nHost: other"),
    _headers(b"no colon here"),
    _many_parts,
    lambda rng: rng.randbytes(rng.randrange(1, 2_000)),
    lambda rng: b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3,
)
"""Makers of bytes that a server of HTTP must survive."""
