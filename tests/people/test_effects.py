"""What was asked for once is done once, and what was undone was never done."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from gateway.errors import Conflict, GatewayError, Timeout, UnknownPerson
from gateway.model import Effect, Person
from gateway.people.registry import EFFECTS_S
from gateway.store.protocols import Document
from tests.examples import descriptor, near
from tests.people.known import Home, files_with, home, sitting
from tests.people.test_unknowns import Street
from tests.support import ROOT, wait_for

ALICE, BOB = descriptor(1), descriptor(2)
FACES = {"Alice": ALICE, "Bob": BOB}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as here:
        yield here


def effect(key: str = "door/1", digest: bytes = b"enrol alice", seconds: float = 60) -> Effect:
    return Effect(key, digest, time.monotonic() + seconds)


def outlast(effect: Effect) -> None:
    """Returns when it must not happen any more."""
    while time.monotonic() <= effect.deadline:
        time.sleep(0.01)


class Change:
    """Enrols somebody, and counts how often."""

    def __init__(
        self, here: Home, name: str = "Alice", picture: str = "", then: Callable[[], None] | None = None
    ) -> None:
        self.here = here
        self.name = name
        self.picture = picture or f"{name} 1"
        self.then = then
        self.runs = 0

    def __call__(self) -> Document:
        self.runs += 1
        entry, warnings = self.here.registry.enrol(self.name, [sitting(self.picture, FACES[self.name])], "mqtt:door")
        if self.then is not None:
            self.then()
        person = entry.person
        return {"person": person.slug, "name": person.name, "pictures": entry.known_by, "warnings": list(warnings)}


def state(here: Home) -> tuple[list[str], int, int, list[Person]]:
    """Who is in the store and in the gallery, lines of the audit, effects."""
    store = here.store
    ((effects,),) = store.database.rows("SELECT count(*) FROM effects")
    people = [entry.person.slug for entry in store.entries()]
    gallery = [person for person in FACES if here.who(FACES[person]) is not None]
    return people, len(store.audit(100)), effects, [Person(each.lower(), each) for each in gallery]


NOTHING: tuple[list[str], int, int, list[Person]] = ([], 0, 0, [])


def test_who_asks_again_is_answered_again_and_nothing_is_done(here: Home) -> None:
    """An enrolment whose reply was lost came again, and was answered `pictures: 1` at first and something else then."""
    change = Change(here)
    first = here.registry.once(effect(), change)
    before = state(here)
    assert first == here.registry.once(effect(), change) == here.registry.once(effect(), change)
    assert first is not None
    assert first["person"] == "alice"
    assert change.runs == 1
    assert state(here) == before == (["alice"], 1, 1, [Person("alice", "Alice")])


def test_something_else_by_the_same_key_is_a_conflict(here: Home) -> None:
    here.registry.once(effect(), Change(here))
    before, other = state(here), Change(here, "Bob")
    with pytest.raises(Conflict, match="door/1"):
        here.registry.once(effect(digest=b"enrol bob"), other)
    assert (other.runs, state(here)) == (0, before)


def test_another_key_is_another_effect(here: Home) -> None:
    change = Change(here)
    here.registry.once(effect(), change)
    here.registry.once(effect("yard/1"), change)
    assert change.runs == 2


def test_without_an_effect_it_is_done_each_time(here: Home) -> None:
    change = Change(here)
    here.registry.once(None, change)
    here.registry.once(None, change)
    assert change.runs == 2
    assert state(here)[2] == 0


def test_what_is_too_late_is_not_begun(here: Home) -> None:
    change = Change(here)
    with pytest.raises(Timeout):
        here.registry.once(effect(seconds=-1), change)
    assert (change.runs, state(here)) == (0, NOTHING)


def test_what_was_too_late_when_it_ended_was_not_done(here: Home) -> None:
    """The device was told `timeout`; the person was enrolled all the same, and known from the next frame on."""
    late = effect(seconds=0.5)
    change = Change(here, then=lambda: outlast(late))
    with pytest.raises(Timeout, match="nothing was changed"):
        here.registry.once(late, change)
    here.registry.follow()
    assert (change.runs, state(here)) == (1, NOTHING)
    assert here.registry.once(effect(), Change(here)) is not None
    assert state(here)[0] == ["alice"]


def test_what_was_done_in_time_is_answered_whenever_it_is_asked_for(here: Home) -> None:
    """It was done: `timeout` would be a lie, however late the repeat is."""
    done = here.registry.once(effect(), Change(here))
    assert here.registry.once(effect(seconds=-1), Change(here)) == done


def test_what_fails_in_the_middle_is_undone_in_whole(here: Home) -> None:
    def fails() -> Document:
        Change(here)()
        here.registry.rename("alice", "Alicia", "rest")
        raise GatewayError("no more")

    with pytest.raises(GatewayError, match="no more"):
        here.registry.once(effect(), fails)
    here.registry.follow()
    assert state(here) == NOTHING
    change = Change(here)
    here.registry.once(effect(), change)
    assert change.runs == 1


def test_a_transaction_within_another_is_a_part_of_it(here: Home) -> None:
    database = here.store.database
    with suppress(UnknownPerson), database.transaction():
        with database.transaction() as db:
            db.execute("INSERT INTO effects VALUES ('a', x'00', NULL, NULL, 0)")
        assert database.changing
        raise UnknownPerson("after the inner one ended well")
    assert not database.changing
    assert database.rows("SELECT * FROM effects") == []
    with database.transaction() as db:
        db.execute("INSERT INTO effects VALUES ('b', x'00', NULL, NULL, 0)")
    assert len(database.rows("SELECT * FROM effects")) == 1


def test_nobody_is_known_before_it_is_sure_that_they_are(here: Home) -> None:
    """Followed within the transaction, the gallery knew whom the store then forgot again."""
    seen: list[str | None] = []
    following = threading.Thread(target=here.registry.follow)

    def look() -> None:
        here.registry.follow()
        seen.append(here.who(ALICE))
        following.start()  # as the thread does that looks for changes
        following.join(0.2)
        seen.append(here.who(ALICE))

    here.registry.once(effect(), Change(here, then=look))
    following.join()
    assert seen == [None, None]
    assert here.who(ALICE) == "alice"


def go_erase(here: Home) -> Document:
    return {"person": here.registry.erase("alice", "rest").slug}


def go_remove(here: Home) -> Document:
    return {"person": here.registry.remove("alice", "rest").slug}


def go_last_picture(here: Home) -> Document:
    (picture,) = here.store.entry("alice").pictures
    assert here.registry.remove_picture("alice", picture.id, "rest") is None
    return {"person": "alice", "pictures": []}


GOING = [go_erase, go_remove, go_last_picture]


@pytest.mark.parametrize("go", GOING)
def test_no_answer_names_who_went(here: Home, go: Callable[[Home], Document]) -> None:
    """Stored replies are records of people too: the name was still in the file after the erasure."""
    change = Change(here)
    here.registry.once(effect(), change)
    assert files_with(here.data, b"Alice", b"alice") != set()
    going = effect("bridge/2", b"go")
    with here.registry.erasing():
        assert here.registry.once(going, lambda: go(here)) == go_document(go)
    assert here.registry.once(effect(), change) is None
    assert here.registry.once(going, lambda: {"person": "again"}) is None
    assert change.runs == 1
    assert files_with(here.data, b"Alice", b"alice") == set()


def go_document(go: Callable[[Home], Document]) -> Document:
    return {"person": "alice", "pictures": []} if go is go_last_picture else {"person": "alice"}


@pytest.mark.parametrize("go", GOING)
def test_no_answer_names_who_went_by_another_door(here: Home, go: Callable[[Home], Document]) -> None:
    here.registry.once(effect(), Change(here))
    go(here)
    assert here.registry.once(effect(), Change(here)) is None
    assert files_with(here.data, b"Alice", b"alice") == set()


def test_no_answer_to_others_names_who_was_erased(here: Home) -> None:
    """That a face is known as Alice (alice) already stood in the answer to the enrolment of somebody else."""
    Change(here)()

    def twin() -> Document:
        entry, warnings = here.registry.enrol("Bob", [sitting("bob 1", near(ALICE, 0.95))], "mqtt:door")
        return {"person": entry.person.slug, "name": entry.person.name, "warnings": list(warnings)}

    done = here.registry.once(effect(), twin)
    assert done is not None
    assert "known as Alice (alice)" in str(done)
    here.registry.erase("alice", "rest")
    assert files_with(here.data, b"Alice", b"alice") == set()


def test_answers_follow_who_was_merged_and_go_with_them(here: Home) -> None:
    alice, bob = effect(), effect("door/2", b"enrol bob")
    here.registry.once(alice, Change(here))
    here.registry.once(bob, Change(here, "Bob"))
    here.registry.once(
        effect("bridge/3", b"merge"), lambda: {"person": here.registry.merge("alice", "bob", "rest").person.slug}
    )
    assert here.registry.once(bob, Change(here, "Bob")) is not None
    here.registry.erase("bob", "rest")
    assert here.registry.once(alice, Change(here)) is None
    assert here.registry.once(bob, Change(here, "Bob")) is None
    assert files_with(here.data, b"Alice", b"alice", b"Bob", b"bob") == set()


def test_no_answer_names_who_was_merged_into_another(here: Home) -> None:
    here.registry.once(effect(), Change(here))
    Change(here, "Bob")()
    here.registry.merge("alice", "bob", "rest")  # their pictures are Bob's now, and stay
    assert here.store.database.rows("SELECT person, reply FROM effects") == [(None, None)]


def test_whoever_is_enrolled_anew_under_that_name_is_not_answered_for(here: Home) -> None:
    change = Change(here)
    here.registry.once(effect(), change)
    here.registry.remove("alice", "rest")
    here.registry.once(effect("door/2"), change)
    assert here.registry.once(effect(), change) is None
    assert change.runs == 2


def test_what_was_deleted_is_gone_from_the_files_when_the_effect_ends(here: Home) -> None:
    """A checkpoint within a transaction does nothing: the log had them until the next one."""
    Change(here)()
    within: list[set[str]] = []

    def erase() -> Document:
        document = go_erase(here)
        within.append(files_with(here.data, b"Alice"))
        return document

    with here.registry.erasing():
        here.registry.once(effect(), erase)
    assert within != [set()]
    assert files_with(here.data, b"Alice", b"chips of Alice 1") == set()


def test_an_erasure_that_comes_too_late_leaves_them_as_they_were(here: Home) -> None:
    Change(here)()
    late, erased = effect(seconds=0.5), False

    def erase() -> Document:
        nonlocal erased
        go_erase(here)
        erased = True
        outlast(late)
        return {"person": "alice"}

    with pytest.raises(Timeout), here.registry.erasing():
        here.registry.once(late, erase)
    assert erased
    here.registry.follow()
    assert state(here)[0] == ["alice"]
    assert here.who(ALICE) == "alice"


def test_effects_are_forgotten_after_a_while(here: Home) -> None:
    here.registry.once(effect(), Change(here))
    here.registry.once(effect("door/2"), Change(here, "Bob"))
    here.store.database.rows("UPDATE effects SET at = ? WHERE key = 'door/1'", (time.time() - EFFECTS_S - 1,))
    here.registry._expire()
    assert here.store.database.rows("SELECT key FROM effects") == [("door/2",)]


def test_effects_are_known_after_a_restart(tmp_path: Path) -> None:
    with home(tmp_path) as first:
        done = first.registry.once(effect(), Change(first))
    with home(tmp_path) as second:
        change = Change(second)
        assert second.registry.once(effect(), change) == done
        with pytest.raises(Conflict):
            second.registry.once(effect(digest=b"other"), change)
    assert change.runs == 0


def test_another_process_knows_what_was_done(here: Home, tmp_path: Path) -> None:
    done = here.registry.once(effect(), Change(here))
    with home(tmp_path) as other:
        change = Change(other)
        assert other.registry.once(effect(), change) == done
        other.registry.remove("alice", "cli")
    assert change.runs == 0
    assert here.registry.once(effect(), Change(here)) is None


def test_of_two_at_once_one_does_it(here: Home, tmp_path: Path) -> None:
    """Two gateways that share a store, both given the request by the broker."""
    with home(tmp_path) as other:
        changes = [Change(each, then=lambda: time.sleep(0.2)) for each in (here, other)]
        documents: list[Document | None] = []
        threads = [
            threading.Thread(target=lambda c=change: documents.append(c.here.registry.once(effect(), c)))
            for change in changes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(change.runs for change in changes) == 1
    assert documents[0] == documents[1]
    assert len(here.store.audit(10)) == 1


KILLED = """
import sys, time
from pathlib import Path
from gateway.model import Effect
from tests.people.known import home, sitting
from tests.examples import descriptor
with home(Path(sys.argv[1])) as here:
    def change():
        here.registry.enrol("Alice", [sitting("Alice 1", descriptor(1))], "mqtt:door")
        print("changed", flush=True)
        time.sleep(60)
        return {"person": "alice"}
    here.registry.once(Effect("door/1", b"enrol alice", time.monotonic() + 100), change)
"""


def test_killed_between_the_change_and_its_answer_there_is_neither(tmp_path: Path) -> None:
    """Enrolled, with no answer known: the repeat would have been told something else, or have enrolled again."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"changed\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with home(tmp_path) as here:
        assert state(here) == NOTHING
        change = Change(here)
        assert here.registry.once(effect(), change) is not None
        assert (change.runs, len(here.store.audit(10))) == (1, 1)


def test_backups_hold_no_effects(here: Home) -> None:
    """Put back, one would answer for what was done to another store."""
    here.registry.once(effect(), Change(here))
    backup = here.backups.make(here.store.database)
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT count(*) FROM effects").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM people").fetchone() == (1,)
    assert b"door/1" not in backup.read_bytes()


def test_a_store_says_whether_a_change_would_be_let_in(here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.store.writable()
    monkeypatch.setattr("gateway.store.sqlite.database.LEAST_FREE", math.inf)
    assert not here.store.writable()
    monkeypatch.undo()
    assert here.store.writable()


@pytest.fixture
def street(here: Home) -> Street:
    return Street(here)


def test_naming_a_group_too_late_leaves_the_group(here: Home, street: Street) -> None:
    """`timeout` says: ask again. Whoever did was told that there is no such group."""
    street.passes(ALICE)
    (group,) = street.unknowns.list()
    late, named = effect(seconds=0.5), False

    def name() -> Document:
        nonlocal named
        street.unknowns.name(group.id, "Alice", "rest")
        named = True
        outlast(late)
        return {"person": "alice"}

    with pytest.raises(Timeout):
        here.registry.once(late, name)
    assert named
    assert street.groups.ids() == {group.id}
    assert [each.id for each in street.unknowns.list()] == [group.id]
    entry, _ = street.unknowns.name(group.id, "Alice", "rest")
    assert entry.person.slug == "alice"


def test_naming_a_group_again_is_answered_again(here: Home, street: Street) -> None:
    street.passes(ALICE)
    (group,) = street.unknowns.list()

    def name() -> Document:
        entry, _ = street.unknowns.name(group.id, "Alice", "rest")
        return {"person": entry.person.slug}

    assert here.registry.once(effect(), name) == here.registry.once(effect(), name) == {"person": "alice"}
    assert street.unknowns.list() == []
    assert street.groups.ids() == set()


def test_naming_groups_and_tidying_them_never_wait_for_each_other_for_ever(here: Home, street: Street) -> None:
    """One held the groups and wanted the store, the other the store and wanted the groups."""
    end, failures = time.monotonic() + 2, list[BaseException]()
    rounds = [0, 0, 0]

    def loop(number: int, do: Callable[[int], object]) -> None:
        try:
            while not failures and (time.monotonic() < end or min(rounds) <= 3):
                do(rounds[number])
                rounds[number] += 1
        except BaseException as error:
            failures.append(error)

    def name(n: int) -> None:
        street.passes(descriptor(1000 + n))
        groups = street.unknowns.list()
        if groups:
            here.registry.once(effect(f"bridge/{n}"), lambda: named(groups[0].id, n))

    def named(group: int, n: int) -> Document:
        with suppress(UnknownPerson):  # tidied meanwhile
            street.unknowns.name(group, f"Person {n}", "rest")
        return {}

    threads = [
        threading.Thread(target=loop, args=each, daemon=True)
        for each in ((0, name), (1, lambda _: street.unknowns._tidy()), (2, lambda _: here.registry.follow()))
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: not any(thread.is_alive() for thread in threads), 60)
    assert failures == []


def test_what_was_given_up_does_not_happen(here: Home) -> None:
    """The device was told `timeout`, and was enrolled a moment later by a store that had been busy."""
    given_up, change = effect(), Change(here)
    assert given_up.decide()
    with pytest.raises(Timeout):
        here.registry.once(given_up, change)
    assert here.store.named("Alice") is None
    assert here.registry.once(effect(), change) is not None  # asked again


def test_what_is_happening_is_not_given_up(here: Home) -> None:
    one = effect()
    change = Change(here)
    assert here.registry.once(one, change) is not None
    assert not one.decide()
