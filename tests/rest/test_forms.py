"""Forms as clients send them, valid and broken, and bodies that are not forms."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, overload

import PIL.Image
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.config import LimitSettings
from gateway.contract.base import WireModel
from gateway.errors import BadRequest, NoFace, TooLarge
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Reply, Request
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.rest.app import create_app
from gateway.rest.forms import MAX_PARTS, read_form
from tests.rest.access.examples import local_access
from tests.support import frame

PICTURE = frame("obama_1")
OTHER = frame("biden_1")
BASE64 = base64.b64encode(PICTURE).decode()
FORM_TYPE = "multipart/form-data; boundary=facegateXcases"


def form(*parts: tuple[str, bytes], boundary: str = "facegateXcases", end: str = "--\r\n", line: str = "\r\n") -> bytes:
    """Each part is its headers and its content."""
    mark = f"--{boundary}".encode()
    crlf = line.encode()
    written = [mark + crlf + headers.encode("latin-1") + crlf * 2 + content + crlf for headers, content in parts]
    return b"".join(written) + mark + end.encode()


def disposition(rest: str) -> str:
    return f"Content-Disposition: form-data; {rest}"


FILE = (disposition('name="file"; filename="a.jpg"') + "\r\nContent-Type: image/jpeg", PICTURE)


class RecordingApp:
    """The application with a service that records the pictures of each request, and finds no face in them."""

    def __init__(self) -> None:
        self.pictures: list[tuple[bytes, ...]] = []
        self.fields: list[dict[str, Any]] = []
        health = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())
        limits = LimitSettings(bytes=200_000, file_bytes=200_000)
        application = create_app(self._submit, lambda: health, Metrics(), limits, access=local_access())
        self.client: FlaskClient = application.test_client()

    @overload
    def _submit(self, request: Request, /) -> Future[Reply]: ...

    @overload
    def _submit(self, request: AdministrationRequest, /) -> Future[WireModel]: ...

    def _submit(self, request: Request | AdministrationRequest, /) -> Future[Any]:
        future: Future[Any] = Future()
        if isinstance(request, Request):
            self.pictures.append(request.pictures)
            future.set_exception(NoFace("no face"))
        else:
            self.fields.append(dict(request.fields))
            future.set_result(WireModel())
        return future

    def refusal(self, answer: TestResponse, status: int = 400, code: str = "bad_request") -> str:
        """Return the detail of the problem document, after a check that nothing was submitted."""
        body = answer.get_json()
        assert (answer.status_code, body["code"], self.pictures, self.fields) == (status, code, [], [])
        detail: str = body["detail"]
        return detail


@pytest.fixture(scope="module")
def only_app() -> RecordingApp:
    return RecordingApp()


@pytest.fixture
def app(only_app: RecordingApp) -> RecordingApp:
    """The application, which has recorded nothing. To make one takes longer than most of these tests."""
    only_app.pictures.clear()
    only_app.fields.clear()
    return only_app


def post(app: RecordingApp, body: bytes, content_type: str | None = FORM_TYPE, path: str = "/face_rec") -> TestResponse:
    return app.client.post(path, data=body, content_type=content_type)


@pytest.mark.parametrize(
    "headers",
    [
        disposition('name="file"; filename="a.jpg"') + "\r\nContent-Type: image/jpeg",
        disposition('name="file"') + "\r\nContent-Type: image/jpeg",
        disposition('name="file"'),
        disposition('name="file"; filename="b\xfcro.jpg"'),
        disposition("name=\"file\"; filename*=UTF-8''b%C3%BCro.jpg"),
        disposition('name="file"; filename=""'),
        disposition('filename="C:\\a;name=x.jpg"; name="file"'),
        disposition('filename="a\\"; name=\\"x.jpg"; NAME="file"'),
        disposition("name=file; filename=a.jpg"),
        disposition("name=file ;filename=a.jpg"),
        'content-disposition:form-data;name="file"',
        'Content-Disposition: form-data;\r\n name="file"',
        'Content-Type: image/jpeg\r\nContent-Length: 5\r\nContent-Disposition: form-data; name="file"',
    ],
)
def test_form_is_read_with_the_headers_of_clients(app: RecordingApp, headers: str) -> None:
    post(app, form((headers, PICTURE)))
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize(
    "body",
    [
        form(FILE, end="--"),
        form(FILE, end="\r\n"),
        form(FILE, end="--\r\nan epilogue"),
        form(FILE, line="\n"),
        b"a preamble\r\n" + form(FILE),
        b"\r\n" + form(FILE),
        form(FILE).replace(b"facegateXcases\r\n", b"facegateXcases \t\r\n"),
        form((disposition('name="note"'), b"hello"), FILE, (disposition('name="empty"'), b"")),
        form((FILE[0], PICTURE)).replace(b"\r\nContent-Type", b"\r\nX-Long: " + b"x" * 7_000 + b"\r\nContent-Type"),
    ],
)
def test_form_is_read_with_the_line_ends_of_clients(app: RecordingApp, body: bytes) -> None:
    post(app, body)
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        'multipart/form-data; boundary="facegateXcases"',
        "Multipart/Form-Data; charset=utf-8; Boundary=facegateXcases",
        "multipart/mixed; boundary=facegateXcases",
        "application/octet-stream",
        None,
    ],
)
def test_boundary_is_found_with_any_content_type(app: RecordingApp, content_type: str | None) -> None:
    post(app, form(FILE), content_type)
    assert app.pictures == [(PICTURE,)]


def test_boundary_with_special_characters_needs_no_quotes(app: RecordingApp) -> None:
    boundary = "----=_Part(1)?=/:1.2"
    post(app, form(FILE, boundary=boundary), f"multipart/form-data; boundary={boundary}")
    assert app.pictures == [(PICTURE,)]


def test_content_that_resembles_the_boundary_is_content() -> None:
    content = b"\r\n--facegateXcases2\r\n--facegateXcase\r\n --facegateXcases\r\n\r\n\n\r"
    (part,) = read_form(form((FILE[0], content)), "facegateXcases")
    assert part.content == content


CUT_OFF = [
    form(FILE, end=""),
    form(FILE, end="-"),
    form(FILE)[:-20],
    form(FILE)[:5_000],
    form(FILE)[:100],
    form(FILE, FILE)[: len(form(FILE)) + 50],
]


def test_broken_form_gets_a_message_about_its_fault(app: RecordingApp) -> None:
    wrong_boundary = app.refusal(post(app, form(FILE), "multipart/form-data; boundary=another"))
    no_boundary = app.refusal(post(app, b"not a form", "multipart/form-data"))
    cut_off = {app.refusal(post(app, body))[:20] for body in CUT_OFF}
    no_name = app.refusal(post(app, form(("Content-Type: image/jpeg", PICTURE))))
    no_blank_line = app.refusal(post(app, form((FILE[0], b"\xff\xd8")).replace(b"\r\n\r\n", b"\r\n", 1)))
    assert "boundary 'another'" in wrong_boundary
    assert "begins with '--facegateXcases" in wrong_boundary
    assert "has no boundary" in no_boundary
    assert cut_off == {"the form is cut off "}
    assert "part 1 of the form has no header Content-Disposition with a name" in no_name
    assert no_blank_line == no_name


def test_truncated_form_is_reported_with_its_length_and_missing_end(app: RecordingApp) -> None:
    detail = app.refusal(post(app, CUT_OFF[3]))
    assert "in part 1, after 5000 bytes" in detail
    assert "'--facegateXcases--' is missing" in detail


@pytest.mark.parametrize("name", ["image", "picture", "photo", "upload", "media", "f\xfcr", "file[]", "FILE"])
def test_only_file_of_a_form_may_have_any_name(app: RecordingApp, name: str) -> None:
    note = (disposition('name="note"'), b"hello")
    post(app, form(note, (disposition(f'name="{name}"; filename="a.jpg"'), PICTURE)))
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize("name", ["imageFile", "x"])
def test_picture_without_filename_may_have_any_name(app: RecordingApp, name: str) -> None:
    post(app, form((disposition(f'name="{name}"'), PICTURE)))
    assert app.pictures == [(PICTURE,)]


def test_base64_in_a_form_may_have_a_usual_name(app: RecordingApp) -> None:
    post(app, form((disposition('name="picture_data"'), BASE64.encode())))
    assert app.pictures == [(PICTURE,)]


def test_file_of_the_documented_name_comes_before_others(app: RecordingApp) -> None:
    post(app, form((disposition('name="thumbnail"; filename="b.jpg"'), OTHER), FILE))
    assert app.pictures == [(PICTURE,)]


def test_several_files_of_other_names_are_refused_with_their_names(app: RecordingApp) -> None:
    parts = [(disposition(f'name="{name}"; filename="a.jpg"'), PICTURE) for name in ("one", "two")]
    assert app.refusal(post(app, form(*parts))) == "the form has no file 'file': it has 'one', 'two'"
    note = app.refusal(post(app, form((disposition('name="note"'), b"hello"))))
    assert note == "the form has no file 'file': it has 'note'"


def test_form_without_parts_is_reported(app: RecordingApp) -> None:
    assert app.refusal(post(app, b"--facegateXcases--\r\n")) == "the form has no file 'file': it has no fields"


def test_empty_file_is_reported(app: RecordingApp) -> None:
    """A browser sends such a form if no file was chosen."""
    detail = app.refusal(post(app, form((disposition('name="file"; filename=""'), b""))), 400, "bad_image")
    assert "the file 'file' of the form is empty" in detail


def test_several_files_of_one_name_are_refused(app: RecordingApp) -> None:
    assert "2 files 'file'" in app.refusal(post(app, form(FILE, FILE)))


def test_too_many_parts_are_refused() -> None:
    part = (disposition('name="a"'), b"")
    assert len(read_form(form(*[part] * MAX_PARTS), "facegateXcases")) == MAX_PARTS
    for count in (MAX_PARTS + 1, 10_000):
        with pytest.raises(TooLarge, match=f"more than {MAX_PARTS} parts"):
            read_form(form(*[part] * count), "facegateXcases")


@pytest.mark.parametrize("headers", ["x" * 100_000, 'a;b="\\' * 20_000, ";" * 100_000, " " * 100_000, "\r\n" * 2])
def test_hostile_headers_of_a_part_are_refused(headers: str) -> None:
    with pytest.raises(BadRequest):
        read_form(form((disposition(headers), b"")), "facegateXcases")


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg", "image/jpg", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain",
        "application/json", "multipart/form-data", "binary/octet-stream", "nonsense", None,
    ],
)  # fmt: skip
def test_bare_picture_is_read_with_any_type(app: RecordingApp, content_type: str | None) -> None:
    post(app, PICTURE, content_type)
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize("line", ["\r\n", "\n"])
@pytest.mark.parametrize(
    "content_type",
    ["image/jpeg", "application/octet-stream", "multipart/x-mixed-replace; boundary=frame", None],
)
def test_picture_behind_the_header_of_an_mjpeg_part_is_no_form(
    app: RecordingApp, content_type: str | None, line: str
) -> None:
    """Regression: the picture was refused as a truncated form."""
    header = line.join(["--frame", "Content-Type: image/jpeg", f"Content-Length: {len(PICTURE)}", "", ""])
    body = header.encode() + PICTURE
    post(app, body, content_type)
    assert app.pictures == [(body,)]


def test_form_whose_disposition_is_not_the_first_header_is_read_without_a_type(app: RecordingApp) -> None:
    headers = 'Content-Type: image/jpeg\r\nX-Device: cam\r\ncontent-disposition: form-data; name="file"'
    post(app, form((headers, PICTURE)), None)
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_bare_picture_of_another_kind_is_read(app: RecordingApp, kind: str) -> None:
    written = io.BytesIO()
    PIL.Image.new("RGB", (64, 64)).save(written, kind)
    post(app, written.getvalue(), "application/x-www-form-urlencoded")
    assert app.pictures == [(written.getvalue(),)]


URL_SAFE = base64.urlsafe_b64encode(PICTURE).decode()
DIALECTS = [
    BASE64,
    f"data:image/jpeg;base64,{BASE64}",
    URL_SAFE,
    URL_SAFE.rstrip("="),
    BASE64.rstrip("="),
    f"\n{BASE64}\r\n",
    f"{BASE64}\0",
    f'"{BASE64}"',
]
"""Base64 as devices send it."""


@pytest.mark.parametrize("text", DIALECTS)
def test_base64_in_json_is_read_in_every_dialect(app: RecordingApp, text: str) -> None:
    app.client.post("/face_rec", json={"image_data": text})
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize("text", [*DIALECTS, f"\ufeff{BASE64}"])
@pytest.mark.parametrize("content_type", ["text/plain", None, "application/x-www-form-urlencoded"])
def test_bare_base64_is_read(app: RecordingApp, text: str, content_type: str | None) -> None:
    post(app, text.encode(), content_type)
    assert app.pictures == [(PICTURE,)]


def test_json_string_of_base64_is_read(app: RecordingApp) -> None:
    app.client.post("/face_rec", json=BASE64)
    assert app.pictures == [(PICTURE,)]


def test_base64_in_a_form_is_read(app: RecordingApp) -> None:
    """A page sends the text of ``canvas.toDataURL()`` in a field."""
    post(app, form((disposition('name="file"'), f"data:image/jpeg;base64,{BASE64}".encode())))
    assert app.pictures == [(PICTURE,)]


def test_bytes_of_other_kinds_are_passed_to_the_decoder(app: RecordingApp) -> None:
    """The decoder names the kind in its error, for example HEIC."""
    heic = b"\0\0\0\x18ftypheic\xff" + bytes(100)
    post(app, heic, "image/heic")
    assert app.pictures == [(heic,)]


@pytest.mark.parametrize(
    "text", [b"<!doctype html><html>", b"\n<svg></svg>", b"%PDF-1.7 all of it is ASCII", b"P3 1 1 255 0 0 0"]
)
def test_text_files_are_passed_to_the_decoder(app: RecordingApp, text: bytes) -> None:
    """The decoder reports a web page. Otherwise the error would be about base64."""
    post(app, form((FILE[0], text)))
    post(app, text, "text/html")
    assert app.pictures == [(text,), (text,)]


def test_message_about_an_empty_body_says_what_to_send(app: RecordingApp) -> None:
    for content_type in ("image/jpeg", "application/json", None):
        assert "the body is empty: send a form" in app.refusal(post(app, b"", content_type))


def test_message_about_a_url_encoded_form_says_what_to_send(app: RecordingApp) -> None:
    body = b"image_data=" + BASE64.encode()
    detail = app.refusal(post(app, body, "application/x-www-form-urlencoded"))
    assert "multipart/form-data" in detail


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "text/json",
        "text/plain", "application/x-www-form-urlencoded", "application/vnd.api+json", "application/octet-stream", None,
    ],
)  # fmt: skip
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\r\n "])
def test_json_is_read_with_any_type(app: RecordingApp, content_type: str | None, begin: bytes) -> None:
    post(app, begin + json.dumps({"file_format": "jpg", "image_data": BASE64}).encode(), content_type)
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize(
    "fields",
    [
        {"image": BASE64},
        {"image_data": BASE64, "battery": 71, "position": {"x": [1, 2]}, "file_format": "bmp"},
        {"image_data": f"data:image/jpeg;base64,{BASE64}", "file_format": None},
    ],
)
def test_json_of_devices_is_read(app: RecordingApp, fields: dict[str, Any]) -> None:
    """Devices use the field names of MQTT, and send further fields."""
    app.client.post("/face_rec", json=fields)
    assert app.pictures == [(PICTURE,)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"img": BASE64, "file_format": "jpg"}, "no 'image_data' (or image): it has 'img', 'file_format'"),
        ({}, "it has no fields"),
        ({"image": BASE64, "image_data": BASE64}, "image_data and image: send only one"),
        ({"image_data": None}, "image_data must be a picture in base64, not null"),
        ({"image_data": [BASE64]}, "image_data must be a picture in base64, not a list"),
        ({str(n): n for n in range(30)}, "and 25 more"),
    ],
)
def test_message_about_json_without_a_picture_lists_its_fields(
    app: RecordingApp, fields: dict[str, Any], words: str
) -> None:
    assert words in app.refusal(app.client.post("/face_rec", json=fields))


@pytest.mark.parametrize("names", [("image1", "image2"), ("file1", "file2"), ("image_data1", "image_data2")])
def test_two_pictures_in_json_are_compared(app: RecordingApp, names: Sequence[str]) -> None:
    texts = (BASE64, base64.b64encode(OTHER).decode())
    app.client.post("/face_match", json=dict(zip(names, texts, strict=True)))
    assert app.pictures == [(PICTURE, OTHER)]


def test_two_pictures_in_a_form_without_filenames_are_compared(app: RecordingApp) -> None:
    post(
        app,
        form((disposition("name=file2"), OTHER), (disposition("name=file1"), PICTURE)),
        path="/face_match",
    )
    assert app.pictures == [(PICTURE, OTHER)]


def test_message_about_a_comparison_names_the_missing_picture(app: RecordingApp) -> None:
    assert "2 pictures are expected" in app.refusal(post(app, PICTURE, "image/jpeg", "/face_match"))
    assert "no 'image2'" in app.refusal(app.client.post("/face_match", json={"image1": BASE64}))
    one = form((disposition('name="file1"; filename="a"'), PICTURE), (disposition('name="second"'), b"hello"))
    assert "no file 'file2': it has 'file1', 'second'" in app.refusal(post(app, one, path="/face_match"))


@pytest.mark.parametrize("names", [("image1", "image2"), ("photos", "photos"), ("files[0]", "files[1]"), ("a", "b")])
def test_two_files_of_a_form_are_compared_in_their_order(app: RecordingApp, names: tuple[str, str]) -> None:
    parts = zip(names, (PICTURE, OTHER), strict=True)
    files = [(disposition(f'name="{name}"; filename="a.jpg"'), content) for name, content in parts]
    post(app, form(*files), path="/face_match")
    assert app.pictures == [(PICTURE, OTHER)]


def add(app: RecordingApp, *parts: tuple[str, bytes]) -> TestResponse:
    return post(app, form(*parts), path="/api/v1/people")


IMAGES = (disposition('name="images"; filename="a.jpg"'), PICTURE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("", "Jürgen".encode()),
        ("\r\nContent-Type: text/plain; charset=utf-8", "Jürgen".encode()),
        ("\r\nContent-Type: text/plain; charset=ISO-8859-1", "Jürgen".encode("latin-1")),
    ],
)
def test_name_in_a_form_is_read_in_its_character_set(app: RecordingApp, kind: str, name: bytes) -> None:
    add(app, (disposition('name="name"') + kind, name), IMAGES)
    assert app.fields == [{"name": "Jürgen", "images": [PICTURE]}]


@pytest.mark.parametrize("name", [b"J\xfcrgen", b"\xff\xfeJ\0", b"\xed\xa0\x80"])
def test_name_that_is_not_utf8_is_refused(app: RecordingApp, name: bytes) -> None:
    """Regression: the name was stored as ``J\ufffdrgen``."""
    assert "the name is not UTF-8" in app.refusal(add(app, (disposition('name="name"'), name), IMAGES))


def test_pictures_without_filename_are_enrolled(app: RecordingApp) -> None:
    name = (disposition('name="name"'), b"Ada")
    add(app, name, (disposition('name="images"'), PICTURE), (disposition("name=images"), BASE64.encode()))
    assert app.fields == [{"name": "Ada", "images": [PICTURE, BASE64]}]


@pytest.mark.parametrize("name", ["images", "image", "file", "photos[]", "picture_2"])
def test_pictures_of_usual_names_are_enrolled(app: RecordingApp, name: str) -> None:
    parts = [(disposition(f'name="{name}"; filename="a.jpg"'), content) for content in (PICTURE, OTHER)]
    add(app, (disposition('name="name"'), b"Ada"), *parts)
    (fields,) = app.fields
    assert fields.pop("name") == "Ada"
    assert [*fields.values()] == [[PICTURE, OTHER]]


def test_bare_picture_and_archive_are_read_where_expected(app: RecordingApp) -> None:
    post(app, PICTURE, "image/jpeg", "/api/v1/people?name=Ada")
    post(app, b"PK\3\4\xff", "application/zip", "/api/v1/people/import")
    assert app.fields == [{"name": "Ada", "images": [PICTURE]}, {"archive": b"PK\3\4\xff"}]


def test_bare_picture_is_refused_where_not_expected(app: RecordingApp) -> None:
    assert "must be a form" in app.refusal(post(app, PICTURE, "image/jpeg", "/api/v1/people/ada/merge"))


def test_message_about_a_large_body_names_size_limit_and_setting(app: RecordingApp) -> None:
    detail = app.refusal(post(app, bytes(600_001)), 413, "too_large")
    assert "600001 bytes" in detail
    assert "600000" in detail
    assert "three times limits.file_bytes" in detail


@pytest.mark.parametrize("name", ["form_no_filename.bin", "form_latin1_filename.bin"])
def test_shared_form_is_read(app: RecordingApp, shared: Path, name: str) -> None:
    post(app, (shared / "cases" / name).read_bytes())
    ((picture,),) = app.pictures
    assert picture.startswith(b"\xff\xd8\xff")
    assert picture.rstrip(b"\0").endswith(b"\xff\xd9")


def test_shared_form_with_another_field_is_read(app: RecordingApp, shared: Path) -> None:
    post(app, (shared / "cases" / "form_field_image.bin").read_bytes())
    ((picture,),) = app.pictures
    assert picture.startswith(b"\xff\xd8\xff")


def test_shared_form_with_a_latin1_name_is_refused(app: RecordingApp, shared: Path) -> None:
    body = (shared / "cases" / "form_latin1_name.bin").read_bytes()
    assert "not UTF-8" in app.refusal(post(app, body, path="/api/v1/people"))
