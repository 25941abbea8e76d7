"""Effects: a change is made once per request id, and completely or not at all."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from gateway.errors import Conflict, GatewayError, Timeout, UnknownPerson
from gateway.model import Effect, Person
from gateway.model.caller import CLI_CALLER, REST_CALLER, camera_caller
from gateway.people.retention import EFFECT_LIFETIME_S
from gateway.store.records import EffectReply
from tests.examples import descriptor, near
from tests.people.camera_scene import CameraScene, FakeVision
from tests.people.environment import PeopleEnvironment, files_with, open_environment, sample
from tests.support import ROOT, wait_for

ALICE, BOB = descriptor(1), descriptor(2)
FACES = {"Alice": ALICE, "Bob": BOB}


def effect(key: str = "door/1", digest: bytes = b"enrol alice", seconds: float = 60) -> Effect:
    return Effect(key, digest, time.monotonic() + seconds)


def outlast(effect: Effect) -> None:
    """Return after the deadline of the effect."""
    while time.monotonic() <= effect.deadline:
        time.sleep(0.01)


class Change:
    """A change that enrols a person, and counts its calls."""

    def __init__(
        self, env: PeopleEnvironment, name: str = "Alice", picture: str = "", then: Callable[[], None] | None = None
    ) -> None:
        self.env = env
        self.name = name
        self.picture = picture or f"{name} 1"
        self.then = then
        self.runs = 0

    def __call__(self) -> EffectReply:
        self.runs += 1
        entry, warnings = self.env.registry.enrol(
            self.name, [sample(self.picture, FACES[self.name])], camera_caller("door")
        )
        if self.then is not None:
            self.then()
        person = entry.person
        return {"person": person.slug, "name": person.name, "pictures": entry.picture_count, "warnings": list(warnings)}


def state(env: PeopleEnvironment) -> tuple[list[str], int, int, list[Person]]:
    """Return the people in the store, the numbers of audit lines and effects, and the people in the gallery."""
    store = env.store
    ((effects,),) = store.database.rows("SELECT count(*) FROM effects")
    people = [entry.person.slug for entry in store.people.list_entries()]
    gallery = [person for person in FACES if env.who(FACES[person]) is not None]
    return people, len(store.audit.read_lines(100)), effects, [Person(each.lower(), each) for each in gallery]


NOTHING: tuple[list[str], int, int, list[Person]] = ([], 0, 0, [])


def test_repeated_effect_gets_the_same_answer_and_changes_nothing(env: PeopleEnvironment) -> None:
    """Regression: an enrolment that was repeated after a lost reply got another answer than the first one."""
    change = Change(env)
    first = env.registry.apply_once(effect(), change)
    before = state(env)
    assert first == env.registry.apply_once(effect(), change) == env.registry.apply_once(effect(), change)
    assert first is not None
    assert first["person"] == "alice"
    assert change.runs == 1
    assert state(env) == before == (["alice"], 1, 1, [Person("alice", "Alice")])


def test_other_request_with_the_same_key_is_a_conflict(env: PeopleEnvironment) -> None:
    env.registry.apply_once(effect(), Change(env))
    before, other = state(env), Change(env, "Bob")
    with pytest.raises(
        Conflict, match=r"the id of this request was used [0-9]+ s ago for another change than this request"
    ):
        env.registry.apply_once(effect(digest=b"enrol bob"), other)
    assert (other.runs, state(env)) == (0, before)


def test_request_with_another_key_is_done_again(env: PeopleEnvironment) -> None:
    change = Change(env)
    env.registry.apply_once(effect(), change)
    env.registry.apply_once(effect("yard/1"), change)
    assert change.runs == 2


def test_change_without_an_effect_is_made_each_time(env: PeopleEnvironment) -> None:
    change = Change(env)
    env.registry.apply_once(None, change)
    env.registry.apply_once(None, change)
    assert change.runs == 2
    assert state(env)[2] == 0


def test_expired_change_is_not_begun(env: PeopleEnvironment) -> None:
    change = Change(env)
    with pytest.raises(Timeout):
        env.registry.apply_once(effect(seconds=-1), change)
    assert (change.runs, state(env)) == (0, NOTHING)


def test_change_that_ends_after_its_deadline_is_rolled_back(env: PeopleEnvironment) -> None:
    """Regression: the device received `timeout`, but the person was enrolled."""
    late = effect(seconds=0.5)
    change = Change(env, then=lambda: outlast(late))
    with pytest.raises(Timeout, match="nothing was changed"):
        env.registry.apply_once(late, change)
    env.updater.refresh()
    assert (change.runs, state(env)) == (1, NOTHING)
    assert env.registry.apply_once(effect(), Change(env)) is not None
    assert state(env)[0] == ["alice"]


def test_answer_of_a_finished_change_is_given_after_the_deadline(env: PeopleEnvironment) -> None:
    """A `timeout` would be wrong for a change that was made, however late the repeat is."""
    done = env.registry.apply_once(effect(), Change(env))
    assert env.registry.apply_once(effect(seconds=-1), Change(env)) == done


def test_failed_change_is_rolled_back_as_a_whole(env: PeopleEnvironment) -> None:
    def fails() -> EffectReply:
        Change(env)()
        env.registry.rename("alice", "Alicia", REST_CALLER)
        raise GatewayError("no more")

    with pytest.raises(GatewayError, match="no more"):
        env.registry.apply_once(effect(), fails)
    env.updater.refresh()
    assert state(env) == NOTHING
    change = Change(env)
    env.registry.apply_once(effect(), change)
    assert change.runs == 1


def test_inner_transaction_is_part_of_the_outer(env: PeopleEnvironment) -> None:
    database = env.store.database
    with suppress(UnknownPerson), database.transaction():
        with database.transaction() as db:
            db.execute("INSERT INTO effects VALUES ('a', x'00', NULL, NULL, 0)")
        assert database.in_transaction
        raise UnknownPerson("after the inner one ended well")
    assert not database.in_transaction
    assert database.rows("SELECT * FROM effects") == []
    with database.transaction() as db:
        db.execute("INSERT INTO effects VALUES ('b', x'00', NULL, NULL, 0)")
    assert len(database.rows("SELECT * FROM effects")) == 1


def test_gallery_shows_no_change_before_its_transaction_ends(env: PeopleEnvironment) -> None:
    """Regression: the gallery was updated within a transaction that was rolled back later."""
    seen: list[str | None] = []
    following = threading.Thread(target=env.updater.refresh)

    def look() -> None:
        env.updater.refresh()
        seen.append(env.who(ALICE))
        following.start()  # as the thread does that looks for changes
        following.join(0.2)
        seen.append(env.who(ALICE))

    env.registry.apply_once(effect(), Change(env, then=look))
    following.join()
    assert seen == [None, None]
    assert env.who(ALICE) == "alice"


def go_erase(env: PeopleEnvironment) -> EffectReply:
    return {"person": env.registry.erase("alice", REST_CALLER).slug}


def go_remove(env: PeopleEnvironment) -> EffectReply:
    return {"person": env.registry.remove("alice", REST_CALLER).slug}


def go_last_picture(env: PeopleEnvironment) -> EffectReply:
    (picture,) = env.store.people.read_entry("alice").pictures
    assert env.registry.remove_picture("alice", picture.id, REST_CALLER) is None
    return {"person": "alice", "pictures": []}


GOING = [go_erase, go_remove, go_last_picture]


@pytest.mark.parametrize("go", GOING)
def test_stored_answers_do_not_name_a_removed_person(
    env: PeopleEnvironment, go: Callable[[PeopleEnvironment], EffectReply]
) -> None:
    """Regression: a stored reply kept the name in the file after the erasure."""
    change = Change(env)
    env.registry.apply_once(effect(), change)
    assert files_with(env.data, b"Alice", b"alice") != set()
    going = effect("bridge/2", b"go")
    with env.registry.erasing():
        assert env.registry.apply_once(going, lambda: go(env)) == go_document(go)
    assert env.registry.apply_once(effect(), change) is None
    assert env.registry.apply_once(going, lambda: {"person": "again"}) is None
    assert change.runs == 1
    assert files_with(env.data, b"Alice", b"alice") == set()


def go_document(go: Callable[[PeopleEnvironment], EffectReply]) -> EffectReply:
    return {"person": "alice", "pictures": []} if go is go_last_picture else {"person": "alice"}


@pytest.mark.parametrize("go", GOING)
def test_stored_answers_do_not_name_a_person_removed_without_an_effect(
    env: PeopleEnvironment, go: Callable[[PeopleEnvironment], EffectReply]
) -> None:
    env.registry.apply_once(effect(), Change(env))
    go(env)
    assert env.registry.apply_once(effect(), Change(env)) is None
    assert files_with(env.data, b"Alice", b"alice") == set()


def test_stored_answers_about_others_do_not_name_an_erased_person(env: PeopleEnvironment) -> None:
    """A warning in the answer to the enrolment of another person names Alice."""
    Change(env)()

    def twin() -> EffectReply:
        entry, warnings = env.registry.enrol("Bob", [sample("bob 1", near(ALICE, 0.95))], camera_caller("door"))
        return {"person": entry.person.slug, "name": entry.person.name, "warnings": list(warnings)}

    done = env.registry.apply_once(effect(), twin)
    assert done is not None
    assert "known as Alice (alice)" in str(done)
    env.registry.erase("alice", REST_CALLER)
    assert files_with(env.data, b"Alice", b"alice") == set()


def test_stored_answers_belong_to_the_merged_person(env: PeopleEnvironment) -> None:
    alice, bob = effect(), effect("door/2", b"enrol bob")
    env.registry.apply_once(alice, Change(env))
    env.registry.apply_once(bob, Change(env, "Bob"))
    env.registry.apply_once(
        effect("bridge/3", b"merge"), lambda: {"person": env.registry.merge("alice", "bob", REST_CALLER).person.slug}
    )
    assert env.registry.apply_once(bob, Change(env, "Bob")) is not None
    env.registry.erase("bob", REST_CALLER)
    assert env.registry.apply_once(alice, Change(env)) is None
    assert env.registry.apply_once(bob, Change(env, "Bob")) is None
    assert files_with(env.data, b"Alice", b"alice", b"Bob", b"bob") == set()


def test_stored_answers_do_not_name_a_person_who_was_merged(env: PeopleEnvironment) -> None:
    env.registry.apply_once(effect(), Change(env))
    Change(env, "Bob")()
    env.registry.merge("alice", "bob", REST_CALLER)  # their pictures are Bob's now, and stay
    assert env.store.database.rows("SELECT person, reply FROM effects") == [(None, None)]


def test_stored_answer_is_not_used_for_a_new_person_of_the_same_name(env: PeopleEnvironment) -> None:
    change = Change(env)
    env.registry.apply_once(effect(), change)
    env.registry.remove("alice", REST_CALLER)
    env.registry.apply_once(effect("door/2"), change)
    assert env.registry.apply_once(effect(), change) is None
    assert change.runs == 2


def test_erased_data_is_not_in_any_file_after_the_change(env: PeopleEnvironment) -> None:
    """Regression: SQLite's write-ahead log kept the data, since a checkpoint within a transaction does nothing."""
    Change(env)()
    within: list[set[str]] = []

    def erase() -> EffectReply:
        document = go_erase(env)
        within.append(files_with(env.data, b"Alice"))
        return document

    with env.registry.erasing():
        env.registry.apply_once(effect(), erase)
    assert within != [set()]
    assert files_with(env.data, b"Alice", b"chips of Alice 1") == set()


def test_expired_erasure_is_rolled_back(env: PeopleEnvironment) -> None:
    Change(env)()
    late, erased = effect(seconds=0.5), False

    def erase() -> EffectReply:
        nonlocal erased
        go_erase(env)
        erased = True
        outlast(late)
        return {"person": "alice"}

    with pytest.raises(Timeout), env.registry.erasing():
        env.registry.apply_once(late, erase)
    assert erased
    env.updater.refresh()
    assert state(env)[0] == ["alice"]
    assert env.who(ALICE) == "alice"


def test_effects_are_deleted_after_their_lifetime(env: PeopleEnvironment) -> None:
    env.registry.apply_once(effect(), Change(env))
    env.registry.apply_once(effect("door/2"), Change(env, "Bob"))
    env.store.database.rows("UPDATE effects SET at = ? WHERE key = 'door/1'", (time.time() - EFFECT_LIFETIME_S - 1,))
    env.people.retention.expire()
    assert env.store.database.rows("SELECT key FROM effects") == [("door/2",)]


def test_effects_survive_a_restart(tmp_path: Path) -> None:
    with open_environment(tmp_path) as first:
        done = first.registry.apply_once(effect(), Change(first))
    with open_environment(tmp_path) as second:
        change = Change(second)
        assert second.registry.apply_once(effect(), change) == done
        with pytest.raises(Conflict):
            second.registry.apply_once(effect(digest=b"other"), change)
    assert change.runs == 0


def test_effects_are_shared_between_processes(env: PeopleEnvironment, tmp_path: Path) -> None:
    done = env.registry.apply_once(effect(), Change(env))
    with open_environment(tmp_path) as other:
        change = Change(other)
        assert other.registry.apply_once(effect(), change) == done
        other.registry.remove("alice", CLI_CALLER)
    assert change.runs == 0
    assert env.registry.apply_once(effect(), Change(env)) is None


def test_effect_of_two_processes_is_made_once(env: PeopleEnvironment, tmp_path: Path) -> None:
    """Two gateways that share a store may both receive the request from the broker."""
    with open_environment(tmp_path) as other:
        changes = [Change(each, then=lambda: time.sleep(0.2)) for each in (env, other)]
        documents: list[EffectReply | None] = []
        threads = [
            threading.Thread(target=lambda c=change: documents.append(c.env.registry.apply_once(effect(), c)))
            for change in changes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(change.runs for change in changes) == 1
    assert documents[0] == documents[1]
    assert len(env.store.audit.read_lines(10)) == 1


KILLED = """
import sys, time
from pathlib import Path
from gateway.model import Effect
from gateway.model.caller import camera_caller
from tests.people.environment import open_environment, sample
from tests.examples import descriptor
with open_environment(Path(sys.argv[1])) as env:
    def change():
        env.registry.enrol("Alice", [sample("Alice 1", descriptor(1))], camera_caller("door"))
        print("changed", flush=True)
        time.sleep(60)
        return {"person": "alice"}
    env.registry.apply_once(Effect("door/1", b"enrol alice", time.monotonic() + 100), change)
"""


def test_process_killed_before_its_answer_leaves_no_change(tmp_path: Path) -> None:
    """A person without a stored answer would be enrolled again by the repeat."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"changed\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with open_environment(tmp_path) as env:
        assert state(env) == NOTHING
        change = Change(env)
        assert env.registry.apply_once(effect(), change) is not None
        assert (change.runs, len(env.store.audit.read_lines(10))) == (1, 1)


def test_backups_contain_no_effects(env: PeopleEnvironment) -> None:
    """A restored effect would answer for a change of another store."""
    env.registry.apply_once(effect(), Change(env))
    backup = env.store.backups.make()
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT count(*) FROM effects").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM people").fetchone() == (1,)
    assert b"door/1" not in backup.read_bytes()


def test_store_reports_whether_it_is_writable(env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.store.status.is_writable()
    monkeypatch.setattr("gateway.store.sqlite.database.MIN_FREE_BYTES", math.inf)
    assert not env.store.status.is_writable()
    monkeypatch.undo()
    assert env.store.status.is_writable()


@pytest.fixture
def scene(env: PeopleEnvironment, vision: FakeVision) -> CameraScene:
    return CameraScene(env, vision)


def test_expired_naming_keeps_the_group(env: PeopleEnvironment, scene: CameraScene) -> None:
    """Regression: the repeat after a `timeout` was refused, since the group did not exist any more."""
    scene.observe(ALICE)
    (group,) = scene.groups.list_groups()
    late, named = effect(seconds=0.5), False

    def name() -> EffectReply:
        nonlocal named
        env.registry.enrol_unknown(group.id, "Alice", REST_CALLER)
        named = True
        outlast(late)
        return {"person": "alice"}

    with pytest.raises(Timeout):
        env.registry.apply_once(late, name)
    assert named
    assert scene.stored.read_ids() == {group.id}
    assert [each.id for each in scene.groups.list_groups()] == [group.id]
    entry, _ = env.registry.enrol_unknown(group.id, "Alice", REST_CALLER)
    assert entry.person.slug == "alice"


def test_repeated_naming_of_a_group_gets_the_same_answer(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(ALICE)
    (group,) = scene.groups.list_groups()

    def name() -> EffectReply:
        entry, _ = env.registry.enrol_unknown(group.id, "Alice", REST_CALLER)
        return {"person": entry.person.slug}

    assert env.registry.apply_once(effect(), name) == env.registry.apply_once(effect(), name) == {"person": "alice"}
    assert scene.groups.list_groups() == []
    assert scene.stored.read_ids() == set()


def test_naming_and_tidying_groups_do_not_deadlock(env: PeopleEnvironment, scene: CameraScene) -> None:
    """Regression: one thread held the lock of the groups and the other that of the store."""

    def name(n: int) -> None:
        scene.observe(descriptor(1000 + n))
        groups = scene.groups.list_groups()
        if groups:
            env.registry.apply_once(effect(f"bridge/{n}"), lambda: named(groups[0].id, n))

    def named(group: int, n: int) -> EffectReply:
        with suppress(UnknownPerson):  # tidied meanwhile
            env.registry.enrol_unknown(group, f"Person {n}", REST_CALLER)
        return {}

    failures, naming_is_over = list[BaseException](), threading.Event()

    def name_all() -> None:
        # Fewer than one caller may enrol within an hour, however fast the machine is.
        for n in range(50):
            name(n)

    def repeat(do: Callable[[], object]) -> None:
        # A thread that never waits takes the locks again before the other ones can, on a busy machine.
        while not naming_is_over.wait(0.001):
            do()

    def run(do: Callable[[], object]) -> None:
        try:
            do()
        except BaseException as error:
            failures.append(error)
        finally:
            naming_is_over.set()

    jobs = name_all, lambda: repeat(scene.groups.tidy), lambda: repeat(env.updater.refresh)
    # A deadlock must not keep the process of the tests.
    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    wait_for(lambda: not any(thread.is_alive() for thread in threads), 60)
    assert failures == []


def test_change_does_not_happen_after_giving_up(env: PeopleEnvironment) -> None:
    """Regression: the device received `timeout`, and a busy store enrolled the person a moment later."""
    given_up, change = effect(), Change(env)
    assert given_up.claim()
    with pytest.raises(Timeout):
        env.registry.apply_once(given_up, change)
    assert env.store.people.find_person("Alice") is None
    assert env.registry.apply_once(effect(), change) is not None  # asked again


def test_change_that_is_being_made_is_not_given_up(env: PeopleEnvironment) -> None:
    one = effect()
    change = Change(env)
    assert env.registry.apply_once(one, change) is not None
    assert not one.claim()
