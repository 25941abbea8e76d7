"""Tests of the checker with written histories, with and without violations."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.faults.checker import check, count_changed_reads
from benchmarks.faults.devices import read
from benchmarks.faults.figures import figures, percentile
from benchmarks.faults.history import Answer, Effect, History, Key, Sent

READ, ENROLMENT, ADDITION, RENAMING = ("cam0", "r1"), ("cam0", "e1"), ("bridge", "a1"), ("bridge", "n1")


def ok(key: Key, at: float = 1.0, **fields: Any) -> Answer:
    changing = {"id": f"{at}", "timestamp": at, "timing_ms": {"total": at}}
    return Answer(key, at, document={"status": "ok", "request_id": key[1], **changing, **fields})


def error(key: Key, code: str, at: float = 1.0, **fields: Any) -> Answer:
    return Answer(key, at, document={"status": "error", "code": code, "request_id": key[1], **fields})


def history(*answers: Answer, acked: bool = True) -> History:
    """Return a history with one request of each kind and these answers. The store contains the reported changes."""
    made = History(people={"bench_e1": "bench e1", "bench_a1": "Renamed a1", "barack_obama": "Barack Obama"})
    for key, op, token in (
        (READ, "face_rec", None),
        (ENROLMENT, "enroll", "e1"),
        (ADDITION, "people/add", "a1"),
        (RENAMING, "people/rename", "a1"),
    ):
        made.record_request(Sent(key, op, "digest", [0.0], token, acked))
    for answer in answers:
        assert made.record_answer(answer)
    made.record_effects({addition("p1"), addition("p2"), Effect(2.0, "mqtt:bridge", "rename", "p2", 0)})
    return made


def addition(person: str, at: float = 1.0, door: str = "mqtt:cam0") -> Effect:
    return Effect(at, door, "add", person, 1)


ALL = (
    ok(READ, name="Barack Obama", faces=[{"box": [1, 2, 3, 4], "score": 0.9}], counts={"face": 1, "match": 1}),
    ok(ENROLMENT, person="bench_e1", pictures=1),
    ok(ADDITION, data={"person": "bench_a1"}),
    ok(RENAMING, data={"name": "Renamed a1"}),
)


def test_check_accepts_single_answers() -> None:
    finding = check(history(*ALL), repeats=True)
    assert finding.is_empty
    assert (finding.lost, finding.duplicates, finding.differing, finding.missing) == ([], [], [], [])


def test_check_accepts_the_same_answer_twice() -> None:
    again = [Answer(each.key, 9.0, {**(each.document or {}), "id": "x", "timestamp": 9.0}) for each in ALL]
    assert check(history(*ALL, *again), repeats=True).is_empty


@pytest.mark.parametrize("repeats", [True, False])
def test_unanswered_request_is_lost(repeats: bool) -> None:
    assert check(history(*ALL[1:]), repeats=repeats).lost == [READ]


@pytest.mark.parametrize("code", ["busy", "timeout", "internal", "incomplete", "expired"])
def test_temporary_answer_is_enough_only_without_repetition(code: str) -> None:
    made = history(error(READ, code), *ALL[1:])
    assert check(made, repeats=False).is_empty
    assert check(made, repeats=True).lost == [READ]


@pytest.mark.parametrize("code", ["bad_image", "no_face", "conflict"])
def test_other_answers_are_final(code: str) -> None:
    assert check(history(error(READ, code), *ALL[1:]), repeats=True).is_empty


def test_unacknowledged_request_is_not_lost_without_repetition() -> None:
    assert check(history(acked=False), repeats=False).lost == []
    assert len(check(history(acked=False), repeats=True).lost) == 4


def test_second_addition_of_a_person_is_a_duplicate() -> None:
    made = history(*ALL)
    made.record_effects({addition("p1", at=7.0), addition("p1", at=8.0)})
    assert check(made, repeats=True).duplicates == ["add p1", "add p1"]


def test_second_renaming_of_a_person_is_a_duplicate() -> None:
    made = history(*ALL)
    made.record_effects({Effect(9.0, "mqtt:bridge", "rename", "p2", 0)})
    assert check(made, repeats=True).duplicates == ["rename p2"]


def test_two_people_from_one_request_are_a_duplicate() -> None:
    made = history(*ALL)
    made.people["bench_e1_2"] = "bench e1"
    assert check(made, repeats=True).duplicates == ["two people e1"]


def test_people_of_the_folder_are_no_duplicates() -> None:
    made = history(*ALL)
    made.record_effects({addition("p9", 1.0, "folder"), addition("p9", 2.0, "folder")})
    assert check(made, repeats=True).is_empty


@pytest.mark.parametrize("other", [{"person": "bench_e1_2"}, {"pictures": 2}, {"warnings": ["this face is known"]}])
def test_different_answers_to_a_change_are_found(other: dict[str, Any]) -> None:
    second = Answer(ENROLMENT, 2.0, {**(ALL[1].document or {}), **other})
    assert check(history(*ALL, second), repeats=True).differing == [ENROLMENT]


@pytest.mark.parametrize("code", ["conflict", "expired", "unknown_person"])
def test_later_refusal_of_a_done_change_is_found(code: str) -> None:
    assert check(history(*ALL, error(ENROLMENT, code, 2.0)), repeats=True).differing == [ENROLMENT]


def test_expired_before_a_done_change_is_accepted() -> None:
    assert check(history(*ALL[:1], error(ENROLMENT, "expired", 0.5), *ALL[1:]), repeats=True).is_empty


def test_different_verdict_texts_of_a_change_are_found() -> None:
    texts = [Answer(ENROLMENT, 1.0, verdict=f"enrolled bench_e1{end}") for end in ("", "_2")]
    assert check(history(*ALL, texts[0], texts[0]), repeats=True).is_empty
    assert check(history(*ALL, *texts), repeats=True).differing == [ENROLMENT]


def test_repeated_read_may_differ_only_in_people() -> None:
    known = {"name": "bench e1", "faces": [{"box": [1, 2, 3, 4], "score": 0.5}], "counts": {"face": 1, "match": 0}}
    made = history(*ALL, ok(READ, 2.0, **known))
    assert check(made, repeats=True).is_empty
    assert count_changed_reads(made) == 1
    moved = {**known, "faces": [{"box": [9, 2, 3, 4], "score": 0.5}]}
    assert check(history(*ALL, ok(READ, 2.0, **moved)), repeats=True).differing == [READ]


def test_late_copy_of_a_read_may_expire_but_not_fail() -> None:
    assert check(history(*ALL, error(READ, "expired", 80.0)), repeats=True).is_empty
    assert check(history(*ALL, error(READ, "bad_image", 2.0)), repeats=True).differing == [READ]


def test_reported_change_that_is_not_in_the_store_is_found() -> None:
    made = history(*ALL)
    made.people = {"bench_a1": "Bench a1"}
    assert set(check(made, repeats=True).missing) == {ENROLMENT, RENAMING}
    assert not check(made, repeats=True).is_empty


def test_answer_to_no_request_is_counted() -> None:
    made = History()
    assert not made.record_answer(ok(READ))
    assert made.strays == 1


@pytest.mark.parametrize(
    ("text", "code", "final", "after"),
    [
        ("match 0.83 barack_obama", "ok", True, 0),
        ("no_face", "ok", True, 0),
        ("busy 3", "busy", False, 3),
        ("error timeout", "timeout", False, 0),
        ("error conflict", "conflict", True, 0),
    ],
)
def test_verdict_text_has_the_code_of_its_document(text: str, code: str, final: bool, after: float) -> None:
    answer = read("facegate/cam0/verdict/r1", text.encode(), 1.0)
    assert answer is not None
    assert answer.key == READ
    assert (answer.code, answer.final, answer.retry_after) == (code, final, after)


def test_read_matches_documents_by_id_or_transaction() -> None:
    camera = read("facegate/cam0/response/face_rec/r1", b'{"request_id":"r1","status":"ok"}', 1.0)
    bridge = read("facegate/bridge/response/people/add", b'{"transaction":"a1","status":"ok"}', 1.0)
    assert camera is not None
    assert bridge is not None
    assert (camera.key, bridge.key) == (READ, ADDITION)
    for nonsense in (b"", b"[]", b"{}", b"\xff"):
        assert read("facegate/cam0/response/face_rec/r1", nonsense, 1.0) is None


def test_figures_of_a_history() -> None:
    made = history(error(READ, "busy", 0.5), *ALL[1:])
    made.record_repetition(READ, 2.0)
    made.record_fault("gateway")
    made.record_fault("gateway and workers")
    made.record_fault("broker kill")
    told = figures(made, check(made, repeats=True), deadline=60)
    assert {name: told[name] for name in ("requests", "lost", "gateway_kills", "broker_kills", "answered_busy")} == {
        "requests": 4,
        "lost": 1,
        "gateway_kills": 2,
        "broker_kills": 1,
        "answered_busy": 1,
    }
    assert told["repeats"] == 1
    assert told["latency_ms"]["p50"] == 1000


def test_percentile_of_few_values() -> None:
    assert percentile([], 95) is None
    assert percentile([3.0], 95) == 3.0
    assert percentile([float(n) for n in range(101)], 95) == 95
