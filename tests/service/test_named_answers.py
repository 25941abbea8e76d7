"""Answers of a replica: none names somebody after a removal was followed, or after the end of the lease."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest
import requests
from flask import Flask

from gateway.config import LimitSettings, RestSettings
from gateway.contract.operations import ADMINISTRATION
from gateway.errors import BadImage, Busy
from gateway.model import AdministrationRequest, Operation
from gateway.rest.held_answers import hold_until_sent
from gateway.rest.server import RestServer
from gateway.rest.transport.environ import SENT_SLOT, SentSlot
from gateway.service.futures import then
from gateway.service.named_answers import ExpectedAnswer, NamedAnswers, hand_over, may_name_people
from tests.service.test_recognition import request
from tests.support import WAIT_S, free_port, wait_for


class Replica:
    """The removals that this replica follows, and its lease."""

    def __init__(self) -> None:
        self.removals = 0
        self.has_lease = True
        self.answers = NamedAnswers(lambda: self.removals, self.check_may_name_people)

    def check_may_name_people(self) -> None:
        if not self.has_lease:
            raise Busy("the lease of this replica has ended", 1)


class SlowService:
    """A service whose only answer names people, and comes later."""

    def __init__(self, answer: Future[Any]) -> None:
        self._answer = answer

    def submit(self, _request: object) -> Future[Any]:
        raise AssertionError("REST submits each request whose answer may name people by submit_expected")

    def submit_expected(self, _request: object, expected: ExpectedAnswer) -> Future[Any]:
        return then(self._answer, expected.take)


@pytest.fixture
def replica() -> Replica:
    return Replica()


def test_answer_is_passed_on(replica: Replica) -> None:
    made: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), made)
    made.set_result("Ada")
    assert answer.result(0) == "Ada"
    replica.answers.wait_for_earlier(0)


def test_error_and_cancellation_are_passed_on(replica: Replica) -> None:
    failed: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), failed)
    failed.set_exception(BadImage("not a picture"))
    assert isinstance(answer.exception(0), BadImage)
    cancelled: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), cancelled)
    cancelled.cancel()
    assert answer.cancelled()
    replica.answers.wait_for_earlier(0)


def test_answer_that_was_made_before_a_removal_is_busy(replica: Replica) -> None:
    made: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), made)
    replica.removals += 1
    made.set_result("Ada")
    assert isinstance(answer.exception(0), Busy)


def test_answer_names_nobody_who_was_removed_before_the_people_were_read(replica: Replica) -> None:
    expected = replica.answers.expect()
    replica.removals += 1
    expected.restart_removal_check()
    assert expected.take("Bob") == "Bob"
    expected.release()
    replica.removals += 1
    with pytest.raises(Busy, match="people were removed"):
        expected.take("Bob")


def test_answer_after_the_end_of_the_lease_is_busy(replica: Replica) -> None:
    made: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), made)
    replica.has_lease = False
    made.set_result("Ada")
    assert isinstance(answer.exception(0), Busy)


def test_removal_waits_for_an_answer_that_is_being_handed_over(replica: Replica) -> None:
    made: Future[str] = Future()
    answer = hand_over(replica.answers.expect(), made)
    publishing, may_end = threading.Event(), threading.Event()
    followed = threading.Event()

    def publish(_done: Future[str]) -> None:
        publishing.set()
        assert may_end.wait(WAIT_S)

    def follow() -> None:
        replica.answers.wait_for_earlier(WAIT_S)
        followed.set()

    answer.add_done_callback(publish)
    threads = [threading.Thread(target=made.set_result, args=("Ada",)), threading.Thread(target=follow)]
    threads[0].start()
    assert publishing.wait(WAIT_S)
    threads[1].start()
    with pytest.raises(Busy, match="not sent"):
        replica.answers.wait_for_earlier(0.01)
    assert not followed.is_set()
    # A later answer holds up nobody.
    later = replica.answers.expect()
    later.take("Bob")
    may_end.set()
    assert followed.wait(WAIT_S)
    later.release()
    for thread in threads:
        thread.join()


def test_answer_that_nobody_waits_for_any_more_holds_up_nobody(replica: Replica) -> None:
    late = replica.answers.expect()
    late.release()
    late.take("Ada")
    replica.answers.wait_for_earlier(0)


def submit_named(replica: Replica, answer: Future[str], sent: SentSlot) -> Future[object]:
    """Submit a request within a request over REST."""
    submit = hold_until_sent(SlowService(answer), replica.answers)
    with Flask("test").test_request_context(environ_overrides={SENT_SLOT: sent}):
        return submit(request(Operation.FACE_REC))  # type: ignore[return-value]


def test_answer_over_rest_is_held_until_it_was_sent(replica: Replica) -> None:
    made: Future[str] = Future()
    made.set_result("Ada")
    cuts: list[int] = []
    sent = SentSlot(lambda: cuts.append(1))
    assert submit_named(replica, made, sent).result(0) == "Ada"
    with pytest.raises(Busy, match="not sent"):
        replica.answers.wait_for_earlier(0.01)
    assert cuts == [1]
    sent.end()
    replica.answers.wait_for_earlier(0)


def test_answer_over_rest_of_a_client_that_left_holds_up_nobody(replica: Replica) -> None:
    made: Future[str] = Future()
    made.set_result("Ada")
    sent = SentSlot(lambda: None)
    sent.end()
    submit_named(replica, made, sent)
    replica.answers.wait_for_earlier(0)


def test_slow_answer_over_rest_learns_of_a_removal(replica: Replica) -> None:
    made: Future[str] = Future()
    sent = SentSlot(lambda: None)
    answer = submit_named(replica, made, sent)
    replica.removals += 1
    made.set_result("Ada")
    assert isinstance(answer.exception(0), Busy)
    sent.end()
    replica.answers.wait_for_earlier(0)


def test_answer_that_a_client_does_not_read_is_cut_off_by_a_removal(replica: Replica) -> None:
    """Regression: an answer counted as sent when it was only in memory, and its rest named people for minutes."""
    names = b"Ada" * 10_000_000
    made: Future[bytes] = Future()
    made.set_result(names)
    submit = hold_until_sent(SlowService(made), replica.answers)
    app = Flask("test")

    @app.get("/names")
    def names_of() -> bytes:
        found: Future[bytes] = submit(request(Operation.FACE_REC))  # type: ignore[assignment]
        return found.result(0)

    settings = RestSettings(port=free_port())
    server = RestServer(app, settings, LimitSettings())
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", settings.port), WAIT_S) as client:
            client.sendall(b"GET /names HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert client.recv(1)
            # The rest waits for the client.
            wait_for(lambda: replica.answers.count == 1)
            replica.answers.wait_for_earlier(WAIT_S / 10)
            read = 0
            with suppress(ConnectionError):
                while piece := client.recv(1_000_000):
                    read += len(piece)
            assert read < len(names)
        assert requests.get(f"{server.url}/names", timeout=WAIT_S).content == names
        wait_for(lambda: replica.answers.count == 0)
    finally:
        server.stop()


@pytest.mark.parametrize("operation", Operation)
def test_operations_on_pictures_that_name_people(operation: Operation) -> None:
    asked = request(operation, name="Ada") if operation is Operation.ENROLL else request(operation)
    assert may_name_people(asked) == (operation not in (Operation.DETECT, Operation.ENROLL))


def test_reading_operations_of_administrators_name_people() -> None:
    named = {each for each in ADMINISTRATION if may_name_people(AdministrationRequest(operation=each, fields={}))}
    assert named == {name for name, spec in ADMINISTRATION.items() if not spec.changes} - {"health"}
