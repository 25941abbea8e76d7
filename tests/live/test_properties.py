"""Rules that hold for every sequence of frames. The sequences are random, and the same in each run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from gateway.model import FoundFace
from tests.examples import descriptor, near
from tests.live.conftest import ADAS, BOBS
from tests.live.harness import LiveHarness, face

MakeLive = Callable[..., LiveHarness]
FACES = {"ada_lovelace": ADAS, "bob": BOBS, "": descriptor(3), "-": descriptor(4)}


def random_face(rng: random.Random) -> FoundFace:
    """Return one of four people, or a face without a descriptor, anywhere in the picture."""
    x, y = rng.choice([0, 10, 60, 200, 400]), rng.choice([0, 20, 150])
    if rng.random() < 0.2:
        return face(None, x=x, y=y)
    person = rng.choice(list(FACES.values()))
    # From the same picture to one in which the person is hardly recognised.
    return face(near(person, rng.choice([0.99, 0.98, 0.96, 0.93, 0.88]), rng.randrange(50)), x=x, y=y)


def play(live: LiveHarness, seed: int) -> set[str]:
    """Show random frames on two cameras. Return the ids of people whose face was shown at all."""
    rng = random.Random(seed)
    shown: set[str] = set()
    for _ in range(80):
        faces = [random_face(rng) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        for each in faces:
            if each.descriptor is not None:
                shown |= {name for name, person in FACES.items() if float(person @ each.descriptor) > 0.8}
        live.frame(*faces, camera=rng.choice(["porch", "hall"]))
        live.wait(rng.choice([0.1, 0.1, 0.25, 1, 3, 10, 130]))
    return shown


@pytest.mark.parametrize("seed", range(8))
def test_every_announced_sighting_gets_exactly_one_end(live: LiveHarness, seed: int) -> None:
    play(live, seed)
    live.wait(300)
    begun = Counter(each.sighting.id for each in live.announcer.events if each.event_type in ("recognised", "stranger"))
    ended = Counter(each.sighting.id for each in live.announcer.events if each.event_type == "ended")
    assert begun
    assert begun == ended
    assert set(begun.values()) == {1}
    assert list(live.book.open) == []
    for camera in ("porch", "hall"):
        last = next(each for each in reversed(live.announcer.presences) if each.camera == camera)
        assert last.text == "nobody"
    people = {each.person.slug: each for each in live.announcer.people}
    assert not any(each.present for each in people.values())


@pytest.mark.parametrize("seed", range(8))
def test_no_name_appears_that_no_look_gave(live: LiveHarness, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name in an event or a presence was given by a look at faces of that sighting's camera."""
    named: set[tuple[str, str]] = set()
    decide = live.decision.identify

    def recorded(*arguments: object, **more: object) -> object:
        judgement = decide(*arguments, **more)  # type: ignore[arg-type]
        if judgement.person is not None:
            named.add(("", judgement.person.slug))
        return judgement

    monkeypatch.setattr(live.decision, "identify", recorded)
    shown = play(live, seed)
    given = {slug for _, slug in named}
    told = {each.sighting.person.slug for each in live.announcer.events if each.sighting.person}
    present = {each.person.slug for presence in live.announcer.presences for each in presence.people}
    assert told <= given <= shown
    assert present <= told
