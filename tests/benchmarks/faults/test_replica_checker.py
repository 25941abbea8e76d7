"""Tests of the checker for replicas, with written histories that are right, and with each kind of violation."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from benchmarks.faults.history import Answer, Effect, History, Key, Sent
from benchmarks.faults.replicas.checker import DELIVERY_S, ReplicaFindings, check_replicas, two_leaders
from benchmarks.faults.replicas.record import LeaderNews, Naming, Record
from benchmarks.faults.replicas.retained import find_wrong
from benchmarks.faults.replicas.run import figures, is_in_limits

ADA, BOB, EVE = "a" * 16, "b" * 16, "e" * 16
ENROLMENT, ERASURE, RENAMING, PROBE = ("cam0", "q1"), ("rest0", "q2"), ("bridge", "q3"), ("cam1", "q4")
ERASED_AT = 10.0


def ok(key: Key, at: float, **fields: Any) -> Answer:
    return Answer(key, at, document={"status": "ok", **fields})


def right_history() -> History:
    """Return a history in which Ada is enrolled and erased, Bob is enrolled and renamed, and Eve is a stranger."""
    history = History(people={f"bench_{BOB}": f"Renamed {BOB}"})
    sent = [
        Sent(ENROLMENT, "enroll", "d", [1.0], ADA),
        Sent(ERASURE, "people/erase", "d", [9.0], ADA),
        Sent(("bridge", "q0"), "people/add", "d", [1.0], BOB),
        Sent(RENAMING, "people/rename", "d", [5.0], BOB),
        Sent(PROBE, "face_rec", "d", [6.0], shown=BOB),
    ]
    for request in sent:
        history.record_request(request)
    history.record_answer(ok(ENROLMENT, 2.0, person=f"bench_{ADA}"))
    history.record_answer(ok(ERASURE, ERASED_AT, person=f"bench_{ADA}"))
    history.record_answer(ok(("bridge", "q0"), 3.0, person=f"bench_{BOB}"))
    history.record_answer(ok(RENAMING, 5.5, person=f"bench_{BOB}"))
    history.record_answer(ok(PROBE, 6.1, person=f"bench_{BOB}"))
    actions = [("add", "1"), ("erase", "1"), ("add", "2"), ("rename", "2")]
    history.record_effects({Effect(n, "rest", action, person, 1) for n, (action, person) in enumerate(actions)})
    return history


def add_probe(history: History, *, shown: str, sent: float, answered: float, person: str | None) -> None:
    key = ("cam2", f"probe{len(history.requests)}")
    history.record_request(Sent(key, "face_rec", "d", [sent], shown=shown))
    history.record_answer(ok(key, answered, person=person and f"bench_{person}"))


def found(history: History, record: Record | None = None) -> dict[str, int]:
    """Return the number of violations of each kind that has any."""
    findings = check_replicas(history, record or Record())
    counts = {name: len(getattr(findings, name)) for name in ReplicaFindings.__slots__}
    return {name: count for name, count in counts.items() if count}


def test_right_history_has_no_violation() -> None:
    history = right_history()
    add_probe(history, shown=EVE, sent=6.0, answered=6.5, person=None)
    add_probe(history, shown=ADA, sent=11.0, answered=11.5, person=None)
    # The probe was sent before the erasure was answered, and its answer was on its way.
    add_probe(history, shown=ADA, sent=9.5, answered=ERASED_AT + DELIVERY_S / 2, person=ADA)
    record = Record(namings=[Naming(9.9, "live0/result", frozenset({ADA}), 9.0)])
    assert found(history, record) == {}


def test_request_without_a_final_answer_is_lost() -> None:
    history = right_history()
    history.record_request(Sent(("rest1", "q9"), "face_rec", "d", [1.0], acked=True))
    history.record_answer(Answer(("rest1", "q9"), 2.0, document={"status": "error", "code": "busy"}))
    assert found(history) == {"lost": 1}


@pytest.mark.parametrize("action", ["add", "rename", "erase", "remove"])
def test_change_that_the_audit_lists_twice_is_a_duplicate(action: str) -> None:
    history = right_history()
    history.record_effects({Effect(50, "mqtt", action, "7", 1), Effect(51, "rest", action, "7", 1)})
    assert found(history) == {"duplicates": 1}


def test_second_person_of_one_enrolment_is_a_duplicate() -> None:
    history = right_history()
    history.people[f"bench_{BOB}_2"] = f"Renamed {BOB}"
    assert found(history) == {"duplicates": 1}


def test_repetition_with_another_reply_differs() -> None:
    history = right_history()
    history.record_answer(ok(ERASURE, 12.0, person=f"bench_{ADA}", warnings=["x"]))
    assert found(history) == {"differing": 1}


def test_changes_that_are_not_in_the_store_are_missing() -> None:
    history = right_history()
    history.people.clear()
    # Bob is neither enrolled nor renamed.
    assert found(history) == {"missing": 2}
    history.people.update({f"bench_{ADA}": f"Bench {ADA}", f"bench_{BOB}": f"Bench {BOB}"})
    # Ada is not erased, and Bob has the old name.
    assert found(history) == {"missing": 2}


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(10.1, 10.2, id="the probe was sent after the erasure"),
        pytest.param(9.0, ERASED_AT + DELIVERY_S + 0.1, id="the answer came too late to have been on its way"),
    ],
)
def test_answer_that_names_an_erased_person_is_found(sent: float, answered: float) -> None:
    history = right_history()
    add_probe(history, shown=ADA, sent=sent, answered=answered, person=ADA)
    assert found(history) == {"named": 1}


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        pytest.param(10.2, 10.1, id="the frame was sent after the erasure"),
        pytest.param(ERASED_AT + DELIVERY_S + 0.1, 9.0, id="an old frame"),
        pytest.param(ERASED_AT + DELIVERY_S + 0.1, None, id="a message without a frame"),
    ],
)
def test_message_that_names_an_erased_person_is_found(at: float, sent: float | None) -> None:
    record = Record(namings=[Naming(at, "live0/event", frozenset({ADA, BOB}), sent)])
    assert found(right_history(), record) == {"named": 1}


def test_verdict_text_that_names_an_erased_person_is_found() -> None:
    history = right_history()
    history.record_request(Sent(("cam3", "p"), "face_rec", "d", [11.0]))
    history.record_answer(Answer(("cam3", "p"), 11.1, verdict=f"match 0.99 bench_{ADA}"))
    assert found(history) == {"named": 1}


def test_enrolled_person_who_is_not_named_is_found() -> None:
    history = right_history()
    add_probe(history, shown=BOB, sent=3.1, answered=3.2, person=None)
    assert found(history) == {"unnamed": 1}
    # Bob was not enrolled yet when this picture was sent, and Ada was about to be erased.
    add_probe(history, shown=BOB, sent=2.9, answered=3.2, person=None)
    add_probe(history, shown=ADA, sent=8.9, answered=9.1, person=None)
    assert found(history) == {"unnamed": 1}


def test_right_request_that_is_refused_is_found() -> None:
    history = right_history()
    history.record_request(Sent(("rest1", "q9"), "people/remove", "d", [4.0], EVE))
    history.record_answer(Answer(("rest1", "q9"), 4.1, document={"status": "error", "code": "unknown_person"}))
    assert found(history) == {"refused": 1}


def news(*messages: tuple[str, float, bool]) -> list[LeaderNews]:
    return [LeaderNews(*message) for message in messages]


def test_leaders_one_after_the_other_are_right() -> None:
    assert list(two_leaders(news(("a", 1, True), ("b", 1, False), ("a", 5, False), ("b", 6, True)))) == []
    # The messages of two replicas come over two connections, in any order.
    assert list(two_leaders(news(("a", 1, True), ("b", 6.0, True), ("a", 6.5, False), ("a", 9, False)))) == []


def test_two_leaders_are_found() -> None:
    both = news(("a", 1, True), ("b", 3, True), ("c", 4.5, False), ("c", 5, False), ("a", 6, False))
    assert list(two_leaders(both)) == ["a and b lead at the same time, from 3.0 to 4.5"]
    assert list(two_leaders(both[:2])) == ["a and b lead at the end"]


def test_wait_of_a_camera_ends_with_a_frame_that_was_sent_after_the_kill() -> None:
    record = Record()
    record.expect_moves(frozenset({"live0", "live1"}), killed=10.0)
    record.record_result("live0", sent=9.9, at=10.1)
    record.record_result("live0", sent=None, at=10.2)
    record.record_result("live0", sent=12.0, at=12.5)
    record.record_result("live0", sent=13.0, at=13.5)
    # The second kill does not shorten the wait of a camera that waits.
    record.expect_moves(frozenset({"live0", "live1"}), killed=20.0)
    record.record_result("live1", sent=21.0, at=22.0)
    assert record.has_waiting_camera()
    assert [(each.camera, each.moved) for each in record.moves] == [("live0", 2.5), ("live1", 12.0), ("live0", None)]
    record.record_result("live0", sent=23.0, at=23.5)
    assert not record.has_waiting_camera()


RETAINED = {
    "bridge/state": '{"state":"online"}',
    "bridge/replica/a": '{"state":"online"}',
    "bridge/replica/b": '{"state":"online"}',
    "bridge/person/bench_b": "{}",
    "live0/present": "{}",
    "live0/state": "{}",
}


def test_right_retained_messages_have_nothing_wrong() -> None:
    assert list(find_wrong(RETAINED, ["bench_b"], ["live0"], 2)) == []


@pytest.mark.parametrize(
    ("topic", "text", "wrong"),
    [
        ("bridge/state", '{"state":"offline"}', "bridge/state: expected online"),
        ("bridge/replica/a", '{"state":"offline"}', "bridge/replica/+: expected 2 that are online, found 1"),
        ("bridge/replica/c", '{"state":"online"}', "bridge/replica/+: expected 2 that are online, found 3"),
        ("bridge/person/bench_a", "{}", "bridge/person/bench_a is of nobody"),
        ("bridge/person/bench_b", "", "bridge/person/bench_b is missing"),
        ("live0/present", "", "live0/present is missing"),
        ("live0/state", "", "live0/state is missing"),
    ],
)
def test_wrong_retained_message_is_found(topic: str, text: str, wrong: str) -> None:
    (text,) = find_wrong({**RETAINED, topic: text}, ["bench_b"], ["live0"], 2)
    assert text.startswith(wrong)


def test_run_needs_enough_faults_and_fast_moves() -> None:
    enough = {"replica_kills": 40, "store_kills": 10, "partitions": 10}
    assert is_in_limits(enough, 4.9, 600)
    assert not is_in_limits(enough, 5.1, 600)
    assert not is_in_limits(enough, None, 600)
    for name in enough:
        assert not is_in_limits({**enough, name: enough[name] - 1}, 4.9, 600)


def test_figures_count_the_violations() -> None:
    history, record = right_history(), Record(namings=[Naming(20.0, "live0/event", frozenset({ADA}))])
    record.expect_moves(frozenset({"live0", "live1"}), killed=1.0)
    record.record_result("live0", sent=2.0, at=3.0)
    result = figures(history, record, check_replicas(history, record), ["a topic"], seconds=0)
    assert result["erased_but_named"] == 1
    assert result["retained_wrong"] == 1
    assert result["cameras_not_moved"] == 1
    assert result["camera_moved_s"] == {"p50": 2.0, "p95": 2.0, "max": 2.0, "count": 1}
    assert result["lost"] == result["duplicate_effects"] == result["differing_replies"] == 0


@pytest.mark.parametrize(
    ("outage", "counts_apart"),
    [((0.0, 1.0), False), ((0.5, 1.5), True), ((2.0, 2.5), True), ((2.5, inf), True), ((3.0, 9.0), False)],
)
def test_move_while_the_store_was_away_counts_apart(outage: tuple[float, float], counts_apart: bool) -> None:
    history, record = right_history(), Record()
    record.expect_moves(frozenset({"live0"}), killed=1.0)
    record.record_result("live0", sent=2.0, at=3.0)
    result = figures(history, record, check_replicas(history, record), [], seconds=0, outages=[outage])
    assert result["camera_moved_s"]["count"] == (not counts_apart)
    assert result["camera_moved_store_away_s"]["count"] == counts_apart


def test_camera_that_nobody_served_while_the_store_was_away_counts_as_not_moved() -> None:
    history, record = right_history(), Record()
    record.expect_moves(frozenset({"live0"}), killed=1.0)
    result = figures(history, record, check_replicas(history, record), [], seconds=0, outages=[(2.0, 3.0)])
    assert result["cameras_not_moved"] == 1
