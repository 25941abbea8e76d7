"""Names in Frigate's events: only where no other name stands."""

from __future__ import annotations

import pytest

from benchmarks.frigate_stand_in import FrigateStandIn, User, Version
from gateway.integrations.frigate.name_writer import NameChange, NameWriter
from gateway.integrations.frigate.refusals import RefusalLog
from gateway.metrics import Metrics
from tests.integrations.frigate.conftest import StartFrigate, client_of
from tests.integrations.frigate.test_server import ID, LOGIN, PHRASE, event


class WriterHarness:
    """A writer of names, with its counts and its log of refusals."""

    def __init__(self, frigate: FrigateStandIn, **login: str) -> None:
        self.metrics = Metrics()
        self.refusals = RefusalLog(self.metrics)
        self.writer = NameWriter(client_of(frigate, **login), self.refusals, self.metrics)  # type: ignore[arg-type]

    def write(self, name: str | None, *, score: float = 0.8, known: str | None = None, own: str | None = None) -> bool:
        return self.writer.write(NameChange(ID, name, score, known, own))

    def count(self, name: str) -> int:
        return self.metrics.snapshot()[name]


def test_name_is_written_where_none_stands(frigate: FrigateStandIn) -> None:
    frigate.add(event())
    harness = WriterHarness(frigate)
    assert harness.write("Ada Lovelace", score=0.83456)
    assert (frigate.events[ID].sub_label, frigate.events[ID].score) == ("Ada Lovelace", 0.835)
    assert harness.count("frigate_names") == 1


def test_name_of_somebody_else_is_never_replaced(frigate: FrigateStandIn) -> None:
    """Frigate sends no message when a user or its own face recognition writes a name."""
    frigate.add(event(sub_label="Grace"))
    harness = WriterHarness(frigate)
    assert not harness.write("Ada", known=None)
    assert not harness.write(None, own="Ada")
    assert frigate.events[ID].sub_label == "Grace"
    assert harness.count("frigate_names") == 0


def test_own_name_is_replaced_and_removed(frigate: FrigateStandIn) -> None:
    frigate.add(event())
    harness = WriterHarness(frigate)
    assert harness.write("Ada")
    assert harness.write("Bo", own="Ada")
    assert frigate.events[ID].sub_label == "Bo"
    assert harness.write(None, own="Bo")
    assert frigate.events[ID].sub_label is None


@pytest.mark.parametrize(("known", "written"), [(None, True), ("Grace", False)])
def test_event_that_is_not_stored_yet_is_known_by_its_message(
    frigate: FrigateStandIn, known: str | None, written: bool
) -> None:
    frigate.add(event(in_database=False))
    assert WriterHarness(frigate).write("Ada", known=known) is written


@pytest.mark.parametrize(("score", "sent"), [(0.0, 0.001), (1.7, 1.0), (0.5, 0.5)])
def test_score_is_brought_into_the_range_of_frigate(frigate: FrigateStandIn, score: float, sent: float) -> None:
    frigate.add(event())
    assert WriterHarness(frigate).write("Ada", score=score)
    assert frigate.events[ID].score == sent


def test_refused_name_is_said_once_and_counted(
    start_frigate: StartFrigate, version: Version, caplog: pytest.LogCaptureFixture
) -> None:
    frigate = start_frigate(version, {"facegate": User(PHRASE, role="viewer")})
    frigate.add(event())
    harness = WriterHarness(frigate, **LOGIN)
    for _ in range(5):
        assert not harness.write("Ada")
    assert [each.levelname for each in caplog.records if "role admin" in each.message] == ["WARNING"]
    assert harness.count("frigate_refusals") == harness.refusals.count("write a name", "role") == 5
    assert len(harness.refusals.warnings) == 1
    frigate.users = {"facegate": User(PHRASE)}
    assert harness.write("Ada")
    assert not harness.refusals.warnings
