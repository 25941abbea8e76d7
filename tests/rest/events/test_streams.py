"""Event streams over real connections: their beginning, their continuation, their number, and their end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.config import LimitSettings, RestSettings
from gateway.contract.events import PeopleEventDocument, write_present_event
from gateway.contract.live import write_event
from gateway.metrics import Metrics
from gateway.rest.access.access import Access
from gateway.rest.app import create_app
from gateway.rest.events import hub as hub_module
from gateway.rest.events import stream as stream_module
from gateway.rest.events.feed import StateFeed
from gateway.rest.events.hub import EventHub
from gateway.rest.events.streams import EventStreams
from gateway.rest.server import RestServer
from gateway.store.sqlite.token_file import SqliteTokens
from tests.rest.access.examples import HEALTH, add_token, bearer
from tests.rest.events.examples import ADA, GRACE, Listener, presence, sighting_event
from tests.support import WAIT_S, free_port, wait_for

MOST = 4


class Site:
    """A server with event streams, and one thread for all other requests."""

    def __init__(self, folder: Path, **rest: Any) -> None:
        self.port = free_port()
        self.tokens = SqliteTokens(folder / "access.sqlite")
        settings = RestSettings.model_validate({"port": self.port, "threads": 1, "event_streams": MOST, **rest})
        self.names = {each.slug: each.name for each in (ADA, GRACE)}
        self.hub = EventHub(self.names.get)
        self.streams = EventStreams(self.hub, settings.event_streams)
        self.people = PeopleEventDocument(known=2, revision=1)
        self.feed = StateFeed(self.hub, self.streams, {"people": lambda: self.people}, lambda: 0)
        metrics, limits = Metrics(), LimitSettings()
        access = Access(settings, self.tokens, metrics)
        app = create_app(_refuse, lambda: HEALTH, metrics, limits, access=access, streams=self.streams)
        self.server = RestServer(app, settings, limits)
        self.url = f"http://127.0.0.1:{self.port}"

    def add_sighting(self, key: str, camera: str = "porch") -> None:
        event = sighting_event(key, camera, ADA)
        self.hub.add("sighting", partial(write_event, event), camera, [ADA.slug])

    def show(self, camera: str) -> None:
        self.hub.set_state("present", partial(write_present_event, presence(camera, ADA)), camera, [ADA.slug])

    def stop(self) -> None:
        self.streams.stop()
        self.feed.stop()
        self.server.stop()


def _refuse(_request: object) -> Any:
    raise AssertionError("no request reaches the service")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.server.start()
    site.feed.start()
    yield site
    site.stop()


@pytest.fixture
def listen(site: Site) -> Iterator[Callable[..., Listener]]:
    """Give a function that opens a stream. All are closed at the end."""
    opened = []

    def listen(query: str = "", **kwargs: str) -> Listener:
        opened.append(Listener(site.port, f"/api/v1/events{query}", **kwargs))
        return opened[-1]

    yield listen
    for each in opened:
        each.close()


def test_new_client_gets_a_reset_and_the_states_of_now_and_then_the_news(site: Site, listen: Any) -> None:
    site.add_sighting("s0")
    site.show("porch")
    listener = listen()
    assert listener.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert listener.response.headers["Cache-Control"] == "no-store"
    first = listener.next()
    assert (first.kind, first.data, first.id) == ("reset", {"schema": 1, "reason": "new"}, None)
    assert listener.next_of("present").data["text"] == "Ada Lovelace"
    assert listener.next_of("people").data == {"schema": 1, "known": 2, "revision": 1}
    site.add_sighting("s1")
    # The sighting of before the stream is history, and is not announced again.
    assert listener.next_of("sighting").data["sighting"] == "s1"


def test_client_continues_where_it_was_cut_off(site: Site, listen: Any) -> None:
    first = listen("?kind=sighting")
    assert first.next().kind == "reset"
    for n in range(3):
        site.add_sighting(f"s{n}")
    ids = [first.next_of("sighting").id for _ in range(3)]
    assert [each.partition("-")[0] for each in ids] == [site.hub.run] * 3
    first.close()
    for again in (listen("?kind=sighting", **{"Last-Event-ID": ids[0]}), listen(f"?last_event_id={ids[0]}")):
        assert [again.next_of("sighting").data["sighting"] for _ in range(2)] == ["s1", "s2"]


@pytest.mark.parametrize("last_id", ["0123abcd-1", "nonsense"])
def test_unknown_id_gets_a_reset(listen: Any, last_id: str) -> None:
    assert listen(**{"Last-Event-ID": last_id}).next().data["reason"] == "unknown_id"


def test_client_that_was_away_too_long_gets_a_reset(site: Site, listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_LOGGED", 2)
    site.add_sighting("s0")
    begin = site.hub.write_id(1)
    for n in range(1, 5):
        site.add_sighting(f"s{n}")
    assert listen(**{"Last-Event-ID": begin}).next().data["reason"] == "lost"


def test_client_gets_only_what_it_asks_for(site: Site, listen: Any) -> None:
    listener = listen("?kind=sighting,present&camera=porch&camera=gate")
    assert listener.next().kind == "reset"
    site.show("yard")
    site.add_sighting("s1", "yard")
    site.people = PeopleEventDocument(known=3, revision=2)
    site.add_sighting("s2", "porch")
    site.show("gate")
    assert [(each.kind, each.data["camera"]) for each in (listener.next(), listener.next())] == [
        ("sighting", "porch"),
        ("present", "gate"),
    ]


@pytest.mark.parametrize("query", ["kind=weather", "camera=a/b", "camera=" + ",".join(f"c{n}" for n in range(101))])
def test_wrong_choice_is_refused(site: Site, query: str) -> None:
    answer = requests.get(f"{site.url}/api/v1/events?{query}", timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert len(site.streams) == 0


def test_question_for_the_headers_alone_opens_no_stream(site: Site) -> None:
    answer = requests.head(f"{site.url}/api/v1/events", timeout=WAIT_S)
    assert (answer.status_code, len(site.streams)) == (200, 0)


def test_streams_hold_no_thread(site: Site, listen: Any) -> None:
    listeners = [listen() for _ in range(MOST)]
    # The server has one thread.
    assert requests.get(f"{site.url}/session", timeout=WAIT_S).status_code == 200
    for each in listeners:
        assert each.next_of("people")


def test_place_of_a_client_that_left_is_free_again(site: Site, listen: Any) -> None:
    listen().close()
    wait_for(lambda: len(site.streams) == 0)
    assert not site.hub.has_listeners


def test_client_beyond_the_limit_is_refused(site: Site, listen: Any) -> None:
    for _ in range(MOST):
        listen()
    answer = requests.get(f"{site.url}/api/v1/events", timeout=WAIT_S)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_client_with_many_streams_gives_a_place_to_another_client(site: Site, listen: Any) -> None:
    greedy = [listen() for _ in range(MOST)]
    other = listen(host="127.0.0.9")
    assert greedy[0].next().kind == "reset"
    while (last := greedy[0].next()) is not None and last.kind:
        pass
    assert last is not None
    assert "another client" in last.comment
    assert other.next().kind == "reset"
    assert len(site.streams) == MOST


def test_stream_that_is_quiet_gets_heartbeats(site: Site, listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HEARTBEAT_S", 0.05)
    listener = listen("?kind=sighting")
    assert listener.next().kind == "reset"
    assert {listener.response.readline() for _ in range(8)} == {b": heartbeat\n", b"\n"}


def test_streams_end_when_the_gateway_stops(site: Site, listen: Any) -> None:
    listeners = [listen("?kind=sighting") for _ in range(3)]
    for each in listeners:
        assert each.next().kind == "reset"
    site.stop()
    assert ["shutting down" in each.next().comment for each in listeners] == [True] * 3
    assert [each.next() for each in listeners] == [None] * 3


def test_reader_that_is_too_slow_costs_no_memory_and_gets_the_newest_states(site: Site, listen: Any) -> None:
    slow = socket.create_connection(("127.0.0.1", site.port), timeout=WAIT_S)
    with closing(slow):
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /api/v1/events?kind=present HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: len(site.streams) == 1)
        watcher = listen("?kind=sighting")
        assert watcher.next().kind == "reset"
        for n in range(2000):
            site.show(f"cam{n % 20}")
        site.add_sighting("end")
        # Others are served meanwhile.
        assert watcher.next_of("sighting").data["sighting"] == "end"
        assert len(site.hub.states().entries) <= 21


def test_stream_ends_when_its_token_is_revoked(tmp_path: Path) -> None:
    site = Site(tmp_path, anonymous={"from": []})
    token = add_token(site.tokens, "phone", "viewer")
    site.server.start()
    try:
        listener = Listener(site.port, "/api/v1/events?kind=sighting", **bearer(token))
        assert listener.next().kind == "reset"  # type: ignore[union-attr]
        site.streams.end_refused()
        assert len(site.streams) == 1
        site.tokens.remove("phone")
        site.streams.end_refused()
        end = listener.next()
        assert end is not None
        assert "has ended" in end.comment
        assert listener.next() is None
        again = requests.get(f"{site.url}/api/v1/events", headers=bearer(token), timeout=WAIT_S)
        assert again.status_code == 401
        listener.close()
    finally:
        site.stop()


def test_stream_ends_with_its_session(tmp_path: Path) -> None:
    site = Site(tmp_path, anonymous={"from": []})
    token = add_token(site.tokens, "phone", "viewer")
    site.server.start()
    try:
        session = requests.Session()
        csrf = session.post(f"{site.url}/login", json={"token": token}, timeout=WAIT_S).json()["csrf"]
        cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
        listener = Listener(site.port, "/api/v1/events?kind=sighting", Cookie=cookie)
        assert listener.next().kind == "reset"  # type: ignore[union-attr]
        site.streams.end_refused()
        assert len(site.streams) == 1
        headers = {"X-CSRF-Token": csrf, "Origin": site.url}
        assert session.post(f"{site.url}/logout", headers=headers, timeout=WAIT_S).ok
        site.streams.end_refused()
        assert "has ended" in listener.next().comment  # type: ignore[union-attr]
        listener.close()
    finally:
        site.stop()


def test_client_role_gets_no_stream(tmp_path: Path) -> None:
    site = Site(tmp_path, anonymous={"from": []})
    token = add_token(site.tokens, "camera", "client")
    site.server.start()
    try:
        answer = requests.get(f"{site.url}/api/v1/events", headers=bearer(token), timeout=WAIT_S)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    finally:
        site.stop()


def test_erased_person_is_named_to_no_client_that_continues(site: Site, listen: Any) -> None:
    first = listen("?kind=sighting")
    assert first.next().kind == "reset"
    site.add_sighting("s1")
    begin = first.next_of("sighting").id
    site.add_sighting("s2")
    site.hub.forget_person(ADA.slug)
    site.hub.add("sighting", partial(write_event, sighting_event("s3", "porch", GRACE)), "porch", [GRACE.slug])
    assert listen("?kind=sighting", **{"Last-Event-ID": begin}).next().data["sighting"] == "s3"


def test_client_that_continues_gets_the_present_names_and_nobody_who_was_erased(site: Site, listen: Any) -> None:
    """Regression: stored sightings kept the names of before a rename, and those of an erased person for a second."""
    first = listen("?kind=sighting")
    assert first.next().kind == "reset"
    for n in range(2):
        site.add_sighting(f"s{n}")
    begin = first.next_of("sighting").id
    first.close()
    site.names[ADA.slug] = "Augusta Ada King"
    again = listen("?kind=sighting", **{"Last-Event-ID": begin}).next()
    assert (again.data["sighting"], again.data["name"]) == ("s1", "Augusta Ada King")
    del site.names[ADA.slug]
    site.hub.add("sighting", partial(write_event, sighting_event("s3", "porch", GRACE)), "porch", [GRACE.slug])
    after = listen("?kind=sighting", **{"Last-Event-ID": begin}).next()
    assert (after.data["sighting"], after.data["name"]) == ("s3", GRACE.name)


def test_states_are_read_only_while_a_client_listens(tmp_path: Path) -> None:
    hub = EventHub(lambda _: None)
    streams, reads = EventStreams(hub, 1), threading.Semaphore(0)

    def read() -> PeopleEventDocument:
        reads.release()
        return PeopleEventDocument(known=1, revision=1)

    feed = StateFeed(hub, streams, {"people": read}, lambda: 0)
    feed.start()
    try:
        assert not reads.acquire(timeout=0.1)
        stream = streams.open(hub_module.Choice(), "phone", "", lambda: True)
        assert reads.acquire(timeout=WAIT_S)
        wait_for(lambda: hub.has_state("people"))
        stream.close()
        assert not hub.has_state("people")
    finally:
        feed.stop()
