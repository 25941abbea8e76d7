"""The parsers of bytes that come from outside, in one table for both fuzzers: hypothesis and atheris."""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cbor2
from flask import Request
from paho.mqtt.exception import MalformedPacket
from PIL import Image
from werkzeug.test import EnvironBuilder

from gateway.config import LimitSettings
from gateway.config.load import load
from gateway.contract import operations
from gateway.contract.frigate import read_frigate_message, read_frigate_stats
from gateway.contract.reading import read_json
from gateway.errors import ConfigError, GatewayError, StartError
from gateway.formats.file_kinds import find_picture, is_file, is_picture
from gateway.formats.text_encodings import decode_base64
from gateway.formats.topic_patterns import TopicPattern
from gateway.integrations.inputs.jpeg_splitter import JpegSplitter, TooLong
from gateway.model import Person, PictureLimits
from gateway.mqtt.codec import cbor
from gateway.mqtt.codec.inbound import Command, Frame, Query, Reader, take_transaction
from gateway.mqtt.codec.payload import read_fields
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.upload_files import UploadReader
from gateway.mqtt.retained import RetainedTopics
from gateway.mqtt.transport.packets import Received, read_message
from gateway.people.archive import read_archive, write_archive
from gateway.rest import fields as rest_fields
from gateway.rest.cross_site import CrossSiteCheck, read_authority
from gateway.rest.forms import looks_like_form, read_form
from gateway.rest.pictures import take_pictures
from gateway.store.records import ExportedPerson, Picture, StoredFace
from gateway.vision.decoding.decode import decode_with_size
from gateway.vision.decoding.jpeg import read_jpeg
from gateway.vision.decoding.orientation import read_orientation
from gateway.vision.decoding.png import read_png
from gateway.vision.decoding.webp import read_webp
from gateway.vision.engines.dlib_weights import read_descriptor, read_detector
from gateway.vision.engines.model_files import model_file
from tests.examples import descriptor
from tests.people.environment import RECIPE
from tests.support import FRAMES

LIMITS = PictureLimits(pixels=200_000, side=2_000, jpeg_pixels=400_000)
TOPICS = Topics("facegate", ["answers/"])
READER = Reader(TOPICS, LimitSettings())
FORM_TYPE = "multipart/form-data; boundary=edge"
FORM = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    b"\xff\xd8\xff\r\n--edge\r\nContent-Disposition: form-data; name=name\r\n\r\nAda\r\n--edge--\r\n"
)
FRIGATE_MESSAGE = (
    b'{"type":"new","before":{},"after":{"id":"1790000000.5-abc","camera":"porch","label":"person","start_time":1.5,'
    b'"frame_time":2.5,"box":[1,2,3,4],"sub_label":["Ada",0.9],"snapshot":{"frame_time":1,"box":[1,2,3,4]},'
    b'"entered_zones":["door"],"end_time":null,"false_positive":false}}'
)
CONFIGURATION = b"mqtt:\n  host: broker\n  port: 1883\ncameras:\n  porch: {operations: [face_rec], min_face: 40}\n"


@dataclass(frozen=True, slots=True)
class Target:
    """A parser. ``read`` may raise ``errors``, and nothing else. ``seeds`` returns inputs that it reads."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    errors: tuple[type[Exception], ...] = (GatewayError,)

    def run(self, data: bytes) -> None:
        """Read the bytes. An error that the parser promises is no fault."""
        with contextlib.suppress(*self.errors):
            self.read(data)


@cache
def pictures() -> list[bytes]:
    """Return small pictures of each kind."""
    with Image.open(FRAMES / "stranger_1.jpg") as image:
        small = image.convert("RGB").resize((48, 28))
    exif = Image.Exif()
    exif[0x0112] = 6
    options: list[dict[str, Any]] = [
        {"format": "JPEG", "exif": exif},
        {"format": "JPEG", "progressive": True},
        {"format": "PNG", "exif": exif},
        {"format": "WEBP", "exif": exif},
        {"format": "WEBP", "lossless": True},
    ]
    return [_save(small, each) for each in (*options, {"format": "GIF"}, {"format": "BMP"})]


def _save(image: Image.Image, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def _first_pictures(*numbers: int) -> Callable[[], list[bytes]]:
    return lambda: [pictures()[number] for number in numbers]


def _payloads() -> list[bytes]:
    """Return payloads of requests in each form."""
    jpeg = pictures()[0]
    text = base64.b64encode(jpeg)
    return [
        jpeg,
        text,
        b"data:image/jpeg;base64," + text,
        b'"' + text + b'"',
        b'{"image":"' + text + b'","landmarks":68,"annotate":true,"person":"ada","tags":[1.5e3,null]}',
        b'{"image1":"' + text + b'","image2":{"type":"Buffer","data":[255,216,255,0]}}',
        bytes(cbor2.dumps({"image": jpeg, "landmarks": 5, "annotate": False, "name": "Ada", "transaction": "7"})),
        cbor.SELF_DESCRIBED + bytes(cbor2.dumps({"image1": jpeg, "image2": jpeg, "x": [1, -5, 2.5, None]})),
        b'\xef\xbb\xbf{"name":"Ada","merge":"true","limit":5,"transaction":"7","archive":"UEsFBg=="}',
    ]


def _messages() -> list[bytes]:
    """Return a topic and a payload, with a line end between them."""
    topics = (
        b"facegate/porch/frame",
        b"facegate/porch/request/face_rec/7",
        b"facegate/porch/request/enroll/7/ada",
        b"facegate/porch/part/0/2/verify/7/ada",
        b"facegate/bridge/request/people/add",
        b"cams/yard/still",
    )
    return [topic + b"\n" + payload for topic in topics for payload in _payloads()[:7:3]]


def _read_any_message(data: bytes) -> None:
    """Read a message in all the ways in which the gateway may read it."""
    topic, _, payload = data.partition(b"\n")
    received = Received(topic.decode(errors="replace"), payload, retained=False, properties={"landmarks": "5"})
    pattern = TopicPattern("cams/{host}/still", "cam_{host}")
    for message in (
        READER.read_frame(received, False),
        READER.read_query(received, False),
        READER.read_input(pattern, received, True),
    ):
        if isinstance(message, Frame | Query):
            _ignore_errors(partial(READER.read_request, message, 60.0))
    # The subscription to pieces has no other topics.
    if received.topic.split("/")[2:3] == ["part"]:
        READER.read_piece(received, False)
    command = READER.read_command(received, False)
    if isinstance(command, Command):
        _ignore_errors(partial(_read_command, command))


def _read_command(command: Command) -> None:
    fields = READER.read_fields(command)
    take_transaction(fields)
    operations.read_fields(command.address.operation, fields)


def _ignore_errors(read: Callable[[], object]) -> None:
    with contextlib.suppress(GatewayError):
        read()


def _read_topic(data: bytes) -> None:
    topic = data.decode(errors="replace")
    address = TOPICS.read(topic)
    if address is not None:
        TOPICS.redirected(address, topic)


def _read_packet(data: bytes) -> None:
    read_message(data[0] if data else 0x32, data[1:], five=True)


def _packets() -> list[bytes]:
    """Return the first byte of a PUBLISH packet, and what follows its length."""
    properties = bytes.fromhex("01 01 02 0000003c 03 0001 61 08 0003 612f62 09 0002 0102 26 0001 61 0001 62 0b 05")
    return [b"\x32\x00\x03a/b\x00\x07" + bytes((len(properties),)) + properties + b"payload"]


def _read_rest(data: bytes) -> None:
    """Read a body as each kind of request over HTTP, with its Content-Type in the first line."""
    kind, _, body = data.partition(b"\n")
    for operation in ("people/add", "people/import"):
        _ignore_errors(partial(rest_fields.read_fields, _request(kind, body), operation, {}))
    for names in (("file",), ("file1", "file2")):
        _ignore_errors(partial(take_pictures, _request(kind, body), names))


def _request(kind: bytes, body: bytes) -> Request:
    content_type = "".join(each for each in kind.decode("latin-1") if each.isprintable())
    return Request(EnvironBuilder("/x", method="POST", data=body, content_type=content_type).get_environ())


def _bodies() -> list[bytes]:
    forms = [FORM_TYPE.encode() + b"\n" + FORM, b"text/plain\n" + FORM, b"multipart/form-data\n" + FORM]
    return [*forms, *(b"application/json\n" + each for each in _payloads()), b"image/jpeg\n" + pictures()[0]]


def _read_form(data: bytes) -> None:
    looks_like_form(data)
    for boundary in ("edge", None):
        _ignore_errors(partial(_read_parts, data, boundary))


def _read_parts(data: bytes, boundary: str | None) -> None:
    for part in read_form(data, boundary):
        part.text()


def _sniff(data: bytes) -> None:
    is_file(data)
    is_picture(data)
    find_picture(data)


def _check_site(data: bytes) -> None:
    origin, _, host = data.decode("latin-1").partition("\n")
    read_authority(host)
    headers = {"Host": host, "Origin": origin, "Referer": origin, "Sec-Fetch-Site": ""}
    CrossSiteCheck(["faces.example.org"]).check("POST", "/face_rec", headers)


def _split(data: bytes) -> None:
    splitter = JpegSplitter(3_000)
    for at in range(0, len(data), 100):
        list(splitter.feed(data[at : at + 100]))


def _read_frigate(data: bytes) -> None:
    _ignore_errors(partial(read_frigate_stats, data))
    read_frigate_message(data)


@cache
def _folder() -> Path:
    """Return a folder for the parsers of files. It is removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="facegate-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Return a reader of bytes that writes them to a file for a reader of files."""

    def write_and_read(data: bytes) -> None:
        path = _folder() / name
        path.write_bytes(data)
        read(path)

    return write_and_read


def _read_networks(path: Path) -> None:
    for read in (read_detector, read_descriptor):
        with contextlib.suppress(StartError):
            read(path)


def _networks() -> list[bytes]:
    """Return the detector, and the beginnings of both networks."""
    files = [model_file(role).read_bytes() for role in ("detector", "descriptor")]
    return [files[0], *(each[:500] for each in files)]


def _archives() -> list[bytes]:
    digest = hashlib.sha256(b"a").hexdigest()
    picture = Picture(digest, "mqtt:door", RECIPE, StoredFace(descriptor(1), b"chips"), b"original")
    ada = ExportedPerson(Person("ada", "Ada"), [picture], [1.5])
    return [write_archive([]), write_archive([ada])]


def _read_upload(path: Path) -> None:
    root = _folder() / "uploads"
    folder = root / "porch" / "7"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "topic").write_bytes(path.read_bytes())
    (folder / "0").write_bytes(b"piece")
    list(UploadReader(root, TOPICS.read).read())


TARGETS: Mapping[str, Target] = {
    "topic": Target(_read_topic, lambda: [each.partition(b"\n")[0] for each in _messages()]),
    "packet": Target(_read_packet, _packets, (MalformedPacket,)),
    "message": Target(_read_any_message, _messages),
    "payload": Target(read_fields, _payloads),
    "json": Target(read_json, lambda: [_payloads()[4], _payloads()[8]]),
    "cbor": Target(cbor.read_map, lambda: [_payloads()[6], _payloads()[7]]),
    "base64": Target(decode_base64, lambda: _payloads()[1:4]),
    "form": Target(_read_form, lambda: [FORM]),
    "body": Target(_read_rest, _bodies),
    "site": Target(_check_site, lambda: [b"http://127.0.0.1:5001\n127.0.0.1:5001", b"https://a.b\nfaces.example.org"]),
    "sniffing": Target(_sniff, pictures),
    "jpeg": Target(lambda data: read_jpeg(data, LIMITS), _first_pictures(0, 1)),
    "png": Target(lambda data: read_png(data, LIMITS), _first_pictures(2)),
    "webp": Target(lambda data: read_webp(data, LIMITS), _first_pictures(3, 4)),
    "orientation": Target(lambda data: read_orientation(data, data), lambda: [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0"]),
    "decoder": Target(lambda data: decode_with_size(data, LIMITS), _first_pictures(0, 1, 2, 3, 4)),
    "stream": Target(_split, lambda: [pictures()[0] + b"--edge\r\n" + pictures()[1]], (TooLong,)),
    "archive": Target(read_archive, _archives),
    "networks": Target(_in_file("a.dat", _read_networks), _networks),
    "configuration": Target(_in_file("a.yaml", load), lambda: [CONFIGURATION], (ConfigError,)),
    "journal": Target(_in_file("retained", RetainedTopics), lambda: [b'{"bridge":["a/b"]}\n["c"]\n'], (StartError,)),
    "upload": Target(_in_file("topic", _read_upload), lambda: [b"facegate/porch/part/0/2/verify/7/ada"]),
    "frigate": Target(_read_frigate, lambda: [FRIGATE_MESSAGE, b'{"cameras":{"porch":{"camera_fps":5.0}}}']),
}
"""The parsers, by name."""
