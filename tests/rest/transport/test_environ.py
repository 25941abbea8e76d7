"""The way of a request from ASGI to WSGI."""

from __future__ import annotations

from typing import Any

from gateway.rest.transport.environ import add_body, client_of, write_environ


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "http_version": "1.1",
        "server": ("127.0.0.1", 5001),
        "client": ("127.0.0.2", 40_000),
        "scheme": "http",
        "method": "POST",
        "path": "/face_rec",
        "query_string": b"landmarks=5",
        "headers": [],
        **changes,
    }


def test_first_line_and_addresses_are_passed_on() -> None:
    environ = write_environ(scope())
    assert environ["REQUEST_METHOD"] == "POST"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/face_rec", "landmarks=5")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.2", "40000")
    assert (environ["wsgi.url_scheme"], environ["SERVER_PROTOCOL"]) == ("http", "HTTP/1.1")


def test_path_is_utf_8_read_as_latin_1_as_wsgi_demands() -> None:
    assert write_environ(scope(path="/é"))["PATH_INFO"] == "/Ã©"


def test_repeated_header_becomes_a_list() -> None:
    environ = write_environ(scope(headers=[(b"x-forwarded-for", b"10.0.0.1"), (b"x-forwarded-for", b"10.0.0.2")]))
    assert environ["HTTP_X_FORWARDED_FOR"] == "10.0.0.1, 10.0.0.2"


def test_header_with_an_underscore_cannot_pass_for_another() -> None:
    environ = write_environ(scope(headers=[(b"x_forwarded_for", b"10.0.0.1"), (b"content_length", b"5")]))
    assert not [name for name in environ if "FORWARDED" in name or "CONTENT" in name]


def test_length_of_the_body_replaces_the_stated_one() -> None:
    environ = write_environ(scope(headers=[(b"content-length", b"9"), (b"content-type", b"image/jpeg")]))
    add_body(environ, b"four")
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]) == ("4", "image/jpeg")
    assert environ["wsgi.input"].read() == b"four"


def test_client_that_left_has_no_address() -> None:
    assert client_of(scope(client=None)) == ("", 0)
    assert write_environ(scope(client=None))["REMOTE_ADDR"] == ""
