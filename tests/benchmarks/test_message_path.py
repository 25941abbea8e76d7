"""The figures of a message's path, from recorded calls."""

from __future__ import annotations

from benchmarks.message_path import HANDED_ON, figures, inbound, stays


def test_stays_join_consecutive_calls_in_one_module() -> None:
    assert stays(["router", "router", "codec/topics", HANDED_ON, "codec/topics", "router"]) == (
        "router",
        "codec/topics",
        "router",
    )


def test_inbound_path_leaves_out_the_transport_and_ends_at_the_service() -> None:
    calls = ["transport/session", "ledger", "router", "codec/inbound", HANDED_ON, "outbox"]
    assert inbound(calls) == ("router", "codec/inbound")


def test_figures_count_a_return_to_a_module_as_a_turn_back() -> None:
    found = figures([("a", "b", "a", "c", "b"), ("a", "b", "a", "c", "b"), ("a", "x")])
    assert (found["messages"], found["stays"], found["modules"], found["turns_back"]) == ("2 of 3", 5, 3, 2)
