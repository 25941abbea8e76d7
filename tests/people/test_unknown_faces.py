from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import BadImage, GatewayError, UnknownPerson
from gateway.model import Descriptor, FoundFace, Quality
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.people import unknown_faces as module
from gateway.people import unknown_groups
from gateway.people.unknown_faces import MIN_GROUP_PIXELS, UnknownFaces
from gateway.people.unknown_groups import MIN_FACE_INTERVAL_S, NEW_VISIT_AFTER_S
from gateway.store.records import MAX_CAMERAS_PER_GROUP, MAX_FACES_PER_GROUP, UnknownGroup
from tests.examples import BOX, QUALITY, descriptor, near
from tests.people.camera_scene import IMAGE, NOW, CameraScene, FakeVision, restart
from tests.people.environment import PeopleEnvironment, chips_of, files_with, open_environment, sample
from tests.support import wait_for

SOMEBODY, OTHER = descriptor(1), descriptor(2)
DAY = 86_400


@pytest.fixture
def scene(env: PeopleEnvironment, vision: FakeVision) -> CameraScene:
    return CameraScene(env, vision)


def views(face: Descriptor, count: int) -> list[Descriptor]:
    return [near(face, 0.97, seed) for seed in range(count)]


def test_faces_of_one_stranger_from_two_cameras_are_one_group(scene: CameraScene) -> None:
    for n, view in enumerate(views(SOMEBODY, 4)):
        scene.observe(view, ["door", "yard"][n % 2], NOW + 10 * n)
    scene.observe(OTHER, "door", NOW + 1)
    somebody, other = scene.groups.list_groups()
    assert (somebody.cameras, other.cameras) == (["door", "yard"], ["door"])
    assert (somebody.first, somebody.last) == (NOW, NOW + 30)
    assert (len(somebody.faces), len(other.faces)) == (4, 1)
    assert somebody.faces[0][1].chips is not None
    assert somebody.faces[0][1].chips.startswith(chips_of("picture"))


def test_stranger_is_counted_again_only_after_an_interval(scene: CameraScene) -> None:
    moments = [
        NOW,
        NOW + NEW_VISIT_AFTER_S - 1,
        NOW + 2 * NEW_VISIT_AFTER_S - 2,
        NOW + 3 * NEW_VISIT_AFTER_S,
        NOW + 10 * NEW_VISIT_AFTER_S,
    ]
    counts = []
    for moment in moments:
        scene.observe(SOMEBODY, moment=moment)
        counts.append(scene.groups.list_groups()[0].seen)
    assert counts == [1, 1, 1, 2, 3]


@pytest.mark.parametrize("quality", [None, replace(QUALITY, pixels=MIN_GROUP_PIXELS - 1)])
def test_small_faces_begin_no_group_but_are_counted(scene: CameraScene, quality: Quality | None) -> None:
    scene.observe(SOMEBODY, quality=quality)
    assert (scene.groups.list_groups(), scene.vision.described) == ([], [])
    scene.observe(SOMEBODY, quality=replace(QUALITY, pixels=MIN_GROUP_PIXELS))
    scene.observe(SOMEBODY, "yard", NOW + 100, quality)
    (group,) = scene.groups.list_groups()
    assert (group.seen, group.cameras, len(group.faces)) == (2, ["door", "yard"], 1)


def test_faces_of_one_moment_are_kept_once(scene: CameraScene) -> None:
    for n in range(10):
        scene.observe(SOMEBODY, moment=NOW + n * MIN_FACE_INTERVAL_S / 4)
    assert len(scene.groups.list_groups()[0].faces) == 3


def test_group_keeps_few_faces_and_prefers_much_better_ones(scene: CameraScene) -> None:
    poor = replace(QUALITY, sharpness=0.4)
    for n in range(MAX_FACES_PER_GROUP + 3):
        scene.observe(SOMEBODY, moment=NOW + 10 * n, quality=poor)
    (group,) = scene.groups.list_groups()
    assert (len(group.faces), len(scene.vision.described)) == (MAX_FACES_PER_GROUP, MAX_FACES_PER_GROUP)
    scene.observe(SOMEBODY, moment=NOW + 1000, quality=QUALITY)
    assert (len(group.faces), len(scene.vision.described)) == (MAX_FACES_PER_GROUP, MAX_FACES_PER_GROUP + 1)
    assert group.faces[0][0] > 1.2 * group.faces[1][0]


def test_groups_are_listed_by_their_last_face(scene: CameraScene) -> None:
    for n, face in enumerate([SOMEBODY, OTHER, SOMEBODY]):
        scene.observe(face, moment=NOW + n)
    first, second = scene.groups.list_groups()
    assert (first.last, second.last) == (NOW + 2, NOW + 1)
    assert scene.groups.group(second.id) is second
    with pytest.raises(UnknownPerson):
        scene.groups.group(999)


def test_oldest_of_too_many_groups_are_deleted(env: PeopleEnvironment) -> None:
    scene = restart(env, max_groups=3)
    for n in range(6):
        scene.observe(descriptor(10 + n), moment=NOW - n)
    newest = [group.id for group in scene.groups.list_groups()][:3]
    assert scene.tidy() == newest
    assert scene.stored.read_ids() == set(newest)


def test_one_camera_cannot_displace_groups_of_another(env: PeopleEnvironment) -> None:
    """Regression: one camera that saw many strangers displaced the groups of all others."""
    scene = restart(env, max_groups=6)
    for n in range(2):
        scene.observe(descriptor(10 + n), "door", NOW - 1000 - n)
        scene.observe(descriptor(20 + n), "yard", NOW - 2000 - n)
    quiet = {group.id for group in scene.groups.list_groups()}
    for n in range(20):
        scene.observe(descriptor(100 + n), "rest", NOW + n)
    stay = scene.tidy()
    assert quiet < set(stay)
    assert [scene.groups.group(key).last for key in stay[:2]] == [NOW + 19, NOW + 18]
    assert (len(stay), scene.stored.read_ids()) == (6, set(stay))


def test_group_keeps_its_newest_cameras(env: PeopleEnvironment, scene: CameraScene) -> None:
    """Regression: the list grew with each new camera name of a request."""
    for n in range(MAX_CAMERAS_PER_GROUP + 10):
        scene.observe(SOMEBODY, f"camera{n}", NOW + n)
    scene.observe(SOMEBODY, "camera15", NOW + 100)
    scene.tidy()
    (group,) = scene.groups.list_groups()
    expected = [f"camera{n}" for n in range(10, MAX_CAMERAS_PER_GROUP + 10) if n != 15] + ["camera15"]
    assert group.cameras == restart(env).groups.list_groups()[0].cameras == expected


def test_group_of_an_older_store_keeps_its_newest_cameras(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    with env.store.database.transaction() as db:
        db.execute("UPDATE unknowns SET cameras = ?", (json.dumps([f"c{n}" for n in range(5000)]),))
    assert restart(env).groups.list_groups()[0].cameras == [f"c{n}" for n in range(5000 - MAX_CAMERAS_PER_GROUP, 5000)]


def test_group_is_deleted_after_keep_days(tmp_path: Path, env: PeopleEnvironment) -> None:
    scene = restart(env, keep_days=7)
    scene.observe(SOMEBODY, moment=time.time() - 7 * DAY - 60)
    scene.observe(OTHER, moment=time.time() - 7 * DAY + 60)
    (kept,) = scene.tidy()
    assert scene.stored.read_ids() == {kept}
    assert files_with(tmp_path, SOMEBODY.tobytes()) == set()
    assert files_with(tmp_path, OTHER.tobytes())


def test_seen_faces_are_saved_by_tidying(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    scene.observe(SOMEBODY, "yard", NOW + 100)
    scene.tidy()
    (group,) = restart(env).groups.list_groups()
    assert (group.first, group.last, group.seen, group.cameras) == (NOW, NOW + 100, 2, ["door", "yard"])


def test_stranger_joins_the_group_again_after_a_start(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    scene.tidy()
    later = restart(env)
    later.observe(near(SOMEBODY, 0.95), moment=NOW + 1000)
    (group,) = later.groups.list_groups()
    assert (group.seen, len(group.faces)) == (2, 2)


def test_named_group_is_enrolled_and_deleted(env: PeopleEnvironment, scene: CameraScene) -> None:
    for n, view in enumerate(views(SOMEBODY, 3)):
        scene.observe(view, moment=NOW + 10 * n)
    scene.observe(OTHER)
    somebody = scene.groups.list_groups()[0]
    entry, warnings = env.registry.enrol_unknown(somebody.id, "Grace Hopper", REST_CALLER)
    assert (entry.person.slug, entry.picture_count, warnings) == ("grace_hopper", 3, ())
    assert env.who(SOMEBODY) == "grace_hopper"
    assert [group.id for group in scene.groups.list_groups()] == list(scene.stored.read_ids()) != [somebody.id]
    assert all(
        env.store.faces.read_chips(digest) for (digest,) in env.store.database.rows("SELECT digest FROM pictures")
    )


def test_group_may_be_added_to_an_enrolled_person(env: PeopleEnvironment, scene: CameraScene) -> None:
    env.registry.enrol("Alice", [sample("a", near(SOMEBODY, 0.55))], REST_CALLER)
    scene.observe(SOMEBODY)
    (group,) = scene.groups.list_groups()
    entry, _ = env.registry.enrol_unknown(group.id, None, REST_CALLER, person="alice")
    assert entry.picture_count == 2
    assert env.who(SOMEBODY) == "alice"


def test_naming_with_an_unknown_id_keeps_the_group(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    (group,) = scene.groups.list_groups()
    with pytest.raises(UnknownPerson):
        env.registry.enrol_unknown(group.id, None, REST_CALLER, person="nobody")
    with pytest.raises(UnknownPerson):
        env.registry.enrol_unknown(999, "Alice", REST_CALLER)
    assert scene.tidy() == [group.id]


def test_group_is_forgotten_on_request(tmp_path: Path, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    (group,) = scene.groups.list_groups()
    scene.groups.forget(group.id)
    assert (scene.groups.list_groups(), scene.stored.read_ids()) == ([], set())
    assert scene.groups._groups._face_added_at == {}
    assert files_with(tmp_path, SOMEBODY.tobytes()) == set()
    with pytest.raises(UnknownPerson):
        scene.groups.forget(group.id)


def test_groups_are_deleted_and_not_made_if_they_are_switched_off(
    tmp_path: Path, env: PeopleEnvironment, scene: CameraScene
) -> None:
    scene.observe(SOMEBODY)
    scene.tidy()
    nobody = restart(env, max_groups=0)
    assert (nobody.groups.list_groups(), nobody.stored.read_ids()) == ([], set())
    assert files_with(tmp_path, SOMEBODY.tobytes()) == set()
    with running(nobody.unknown_faces):
        face, picture = FoundFace(BOX, SOMEBODY, quality=QUALITY), nobody.take_picture(SOMEBODY)
        nobody.unknown_faces.observe(face, picture, IMAGE, "door")
        time.sleep(0.1)
    assert (nobody.groups.list_groups(), nobody.vision.described) == ([], [])


def test_groups_similar_to_an_erased_person_are_forgotten(env: PeopleEnvironment, scene: CameraScene) -> None:
    env.registry.enrol("Alice", [sample("a", near(SOMEBODY, 0.75))], REST_CALLER)
    scene.observe(SOMEBODY)
    scene.observe(OTHER)
    scene.groups.forget_similar("alice")
    (kept,) = scene.groups.list_groups()
    assert kept.faces[0][1].descriptor @ OTHER == pytest.approx(1, abs=1e-5)
    assert scene.stored.read_ids() == {kept.id}


def test_group_that_another_process_deletes_does_not_stop_a_removal(env: PeopleEnvironment, scene: CameraScene) -> None:
    """Regression: the removal was refused with `unknown_person`, and the person stayed."""
    env.registry.enrol("Alice", [sample("a", near(SOMEBODY, 0.75))], REST_CALLER)
    scene.observe(SOMEBODY)
    scene.observe(OTHER)
    (key,) = (each.id for each in scene.groups.list_groups() if each.faces[0][1].descriptor @ SOMEBODY > 0.9)
    # The groups in memory do not know this yet.
    scene.stored.delete([key])
    scene.env.registry.erase("alice", REST_CALLER)
    assert env.store.people.count_people() == 0
    assert len(scene.stored.read_ids()) == 1


def damage(env: PeopleEnvironment) -> CameraScene:
    """Damage all groups in the store, and read them as a start does."""
    with env.store.database.transaction() as db:
        db.execute("UPDATE unknowns SET cameras = '{'")
    return restart(env)


def test_damaged_group_is_reported_until_it_is_forgotten(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    (key,) = [group.id for group in scene.groups.list_groups()]
    scene = damage(env)
    (warning,) = scene.groups.warnings
    assert f"left out ({key})" in warning
    scene.groups.forget(key)
    assert (scene.groups.warnings, scene.stored.read_ids()) == ((), set())


def test_damaged_group_expires(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY, moment=NOW - 8 * DAY)
    scene = damage(env)
    assert scene.tidy() == []
    assert (scene.groups.warnings, scene.stored.read_ids()) == ((), set())


def test_erasure_deletes_damaged_groups(tmp_path: Path, env: PeopleEnvironment, scene: CameraScene) -> None:
    """The gateway cannot tell whose faces are in a damaged group."""
    env.registry.enrol("Alice", [sample("alice1", SOMEBODY)], REST_CALLER)
    scene.observe(OTHER)
    scene = damage(env)
    scene.env.registry.erase("alice", REST_CALLER)
    assert scene.stored.read_ids() == set()
    assert files_with(tmp_path, OTHER.tobytes()) == set()


def test_erasing_a_person_of_another_recipe_keeps_groups(env: PeopleEnvironment, scene: CameraScene) -> None:
    """Such a person is in the store but not in the gallery. The erasure must not fail for that."""
    env.registry.enrol("Alice", [sample("a", OTHER)], REST_CALLER)
    (digest,) = (each.digest for each in next(env.store.archive.export_people()).pictures)
    env.store.faces.replace_descriptor(digest, "long before", OTHER)
    env.updater.refresh()
    scene.observe(SOMEBODY)
    scene.groups.forget_similar("alice")
    assert len(scene.groups.list_groups()) == 1


def test_group_of_a_person_enrolled_elsewhere_is_deleted(env: PeopleEnvironment, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    scene.observe(OTHER)
    env.registry.enrol("Alice", [sample("a", SOMEBODY)], REST_CALLER)
    (kept,) = scene.tidy()
    assert scene.stored.read_ids() == {kept}


def test_groups_named_by_another_process_are_noticed(tmp_path: Path, scene: CameraScene) -> None:
    scene.observe(SOMEBODY)
    scene.observe(OTHER, moment=NOW - 1)
    scene.tidy()
    somebody, other = scene.groups.list_groups()
    with open_environment(tmp_path) as elsewhere:
        elsewhere.registry.enrol_unknown(somebody.id, "Alice", CLI_CALLER)
        elsewhere.people.groups.forget(other.id)
    assert scene.tidy() == []
    scene.observe(OTHER)
    assert len(scene.tidy()) == 1


def test_group_named_by_another_process_is_not_named_again(
    tmp_path: Path, env: PeopleEnvironment, scene: CameraScene
) -> None:
    """The gateway has not noticed the change yet. The group must not be enrolled twice."""
    scene.observe(SOMEBODY)
    (group,) = scene.groups.list_groups()
    with open_environment(tmp_path) as elsewhere:
        elsewhere.registry.enrol_unknown(group.id, "Alice", CLI_CALLER)
    with pytest.raises(UnknownPerson):
        env.registry.enrol_unknown(group.id, "Bob", REST_CALLER)
    assert [entry.person.name for entry in env.store.people.list_entries()] == ["Alice"]


@contextmanager
def running(unknown_faces: UnknownFaces) -> Iterator[None]:
    unknown_faces.start()
    try:
        yield
    finally:
        unknown_faces.stop()


def send(scene: CameraScene, face: Descriptor, camera: str = "door") -> bytes:
    picture = scene.take_picture(face)
    scene.unknown_faces.observe(FoundFace(BOX, face, quality=QUALITY), picture, IMAGE, camera)
    return picture


def test_faces_are_observed_in_a_thread_of_their_own(
    env: PeopleEnvironment, scene: CameraScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown_groups, "MIN_FACE_INTERVAL_S", 3600)
    with running(scene.unknown_faces):
        before = time.time()
        picture = send(scene, SOMEBODY)
        wait_for(scene.groups.list_groups)
        send(scene, near(SOMEBODY, 0.95), "yard")
        wait_for(lambda: scene.groups.list_groups()[0].cameras == ["door", "yard"])
    assert scene.vision.described == [(picture, BOX.relative_corners(IMAGE))]
    (group,) = restart(env).groups.list_groups()
    assert group.cameras == ["door", "yard"]
    assert before <= group.first <= group.last <= time.time()


def test_faces_beyond_the_queue_are_dropped(scene: CameraScene) -> None:
    began = time.monotonic()
    for n in range(3 * module.MAX_WAITING_FACES):
        send(scene, descriptor(100 + n), f"camera{n % 4}")
    assert time.monotonic() < began + 20
    with running(scene.unknown_faces):
        wait_for(lambda: len(scene.groups.list_groups()) == module.MAX_WAITING_FACES)
    assert len(scene.vision.described) == module.MAX_WAITING_FACES


def test_queue_of_faces_is_limited_in_bytes(scene: CameraScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 32 pictures of 10 MB each could wait."""
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 25)
    scene = restart(scene.env)
    for n in range(9):
        send(scene, descriptor(100 + n), f"camera{n}")  # of 9 bytes
    with running(scene.unknown_faces):
        wait_for(lambda: len(scene.groups.list_groups()) == 2)
    assert len(scene.vision.described) == 2


def test_faces_of_one_camera_leave_room_for_another(scene: CameraScene) -> None:
    for n in range(2 * module.MAX_WAITING_FACES):
        send(scene, descriptor(100 + n), "porch")
    send(scene, SOMEBODY, "yard")
    with running(scene.unknown_faces):
        wait_for(lambda: any(group.cameras == ["yard"] for group in scene.groups.list_groups()))
    assert len(scene.vision.described) == module.MAX_WAITING_FACES // 4 + 1


@pytest.mark.parametrize("error", [BadImage("damaged"), GatewayError("a worker died"), ZeroDivisionError()])
def test_face_that_cannot_be_described_does_not_stop_others(scene: CameraScene, error: Exception) -> None:
    scene.vision.errors = [error]
    with running(scene.unknown_faces):
        send(scene, SOMEBODY)
        send(scene, OTHER)
        wait_for(lambda: len(scene.groups.list_groups()) == 1)
        send(scene, SOMEBODY)
        wait_for(lambda: len(scene.groups.list_groups()) == 2)


def test_observing_continues_after_an_error_of_the_store(scene: CameraScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_INTERVAL_S", 0.01)
    works: Callable[[Sequence[UnknownGroup]], None] = scene.stored.save_sightings
    failed: list[bool] = []

    def fails(_groups: Sequence[UnknownGroup]) -> None:
        failed.append(True)
        raise GatewayError("the people store: database is locked")

    monkeypatch.setattr(scene.stored, "save_sightings", fails)
    with running(scene.unknown_faces):
        send(scene, SOMEBODY)
        wait_for(lambda: failed)
        monkeypatch.setattr(scene.stored, "save_sightings", works)
        send(scene, OTHER)
        wait_for(lambda: len(scene.groups.list_groups()) == 2)


def test_stopping_what_never_started_is_nothing(scene: CameraScene) -> None:
    scene.unknown_faces.stop()


def test_face_that_is_not_upright_begins_no_group(scene: CameraScene) -> None:
    scene.vision.lying.add(b"picture 1")
    with pytest.raises(BadImage, match="turned"):
        scene.observe(SOMEBODY)
    assert scene.groups.list_groups() == []


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[CameraScene]]:
    """Two processes on one store."""
    visions = FakeVision(), FakeVision()
    with (
        open_environment(tmp_path, vision=visions[0]) as first,
        open_environment(tmp_path, vision=visions[1]) as second,
    ):
        yield [CameraScene(first, visions[0]), CameraScene(second, visions[1])]


def test_stranger_whom_two_replicas_see_is_one_group(replicas: list[CameraScene]) -> None:
    first, second = replicas
    first.observe(near(SOMEBODY, 0.97, 1), "door")
    second.observe(near(SOMEBODY, 0.97, 2), "yard", NOW + 1)
    second.observe(OTHER, "yard", NOW + 2)
    first.observe(near(OTHER, 0.97, 1), "door", NOW + 3)
    assert len(second.groups.list_groups()) == len(first.groups.list_groups()) == 2
    assert first.stored.read_ids() == {group.id for group in first.groups.list_groups()}


def test_stranger_whom_two_replicas_see_in_one_moment_is_one_group(replicas: list[CameraScene]) -> None:
    together = threading.Barrier(2)

    def observe(scene: CameraScene, seed: int) -> None:
        for person in range(10):
            together.wait()
            scene.observe(near(descriptor(100 + person), 0.97, seed), "door", NOW + person)

    threads = [threading.Thread(target=observe, args=(scene, n)) for n, scene in enumerate(replicas)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replicas[0].stored.read_ids()) == 10


def test_group_that_was_named_at_one_replica_is_gone_at_the_other(replicas: list[CameraScene]) -> None:
    first, second = replicas
    first.observe(SOMEBODY)
    (group,) = first.groups.list_groups()
    second.groups.follow()
    assert second.groups.waiting == 1
    first.env.registry.enrol_unknown(group.id, "Alice", CLI_CALLER)
    second.env.updater.refresh()
    second.groups.follow()
    assert second.groups.list_groups() == []
    assert second.env.who(SOMEBODY) == "alice"


def test_replicas_that_tidy_in_one_moment_do_not_disturb_each_other(
    replicas: list[CameraScene], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = replicas
    first.observe(SOMEBODY, moment=NOW - 8 * DAY)
    second.groups.follow()
    # The first one deletes the group after the second one has decided to do the same.
    follow = second.groups.follow
    monkeypatch.setattr(second.groups, "follow", lambda: (follow(), first.tidy()))
    assert second.tidy() == []
