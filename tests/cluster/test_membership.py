"""Replicas over a real PostgreSQL: leases, the leader, the owners of cameras."""

from __future__ import annotations

import re
import threading
from contextlib import closing

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.cluster.boot_clock import boot_time
from gateway.cluster.rendezvous import find_favourite
from gateway.errors import Busy
from gateway.store.postgres.coordination import PostgresCoordination
from tests.cluster.support import CONFIGURED, IDENTITY, LEASE_S, NO_END_S, Cluster, cluster_running
from tests.support import WAIT_S, wait_for

CAMERAS = [f"cam{n}" for n in range(12)]


def favourites(*replicas: str) -> dict[str, str | None]:
    return {camera: find_favourite(camera, replicas) for camera in CAMERAS}


def test_log_says_what_a_replica_holds(patient_cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gateway.cluster")
    (replica,) = patient_cluster.start("a")
    replica.membership.add_cameras(CAMERAS[:2])
    wait_for(lambda: "this replica leads the cluster now" in caplog.text)
    wait_for(lambda: replica.known_cameras() == set(CAMERAS[:2]))
    replica.membership.hand_over()
    assert "this replica does not lead the cluster any more" in caplog.text
    # One line for all cameras, or one for each.
    assert re.search(r"this replica owns the cameras? cam\d(, cam\d)? now", caplog.text)
    assert "this replica does not own the cameras cam0, cam1 any more" in caplog.text


def test_single_replica_leads_and_owns_all_cameras(patient_cluster: Cluster) -> None:
    (replica,) = patient_cluster.start("a")
    replica.membership.add_cameras(CAMERAS)
    wait_for(lambda: patient_cluster.owners() == dict.fromkeys(CAMERAS, "a"))
    wait_for(lambda: replica.membership.is_leader)
    assert replica.membership.epoch == 1
    wait_for(lambda: {each for _, what, each in replica.told if what == "gained"} == set(CAMERAS))
    wait_for(lambda: (replica.membership.view().leader, len(replica.membership.view().cameras)) == ("a", len(CAMERAS)))


def test_replicas_share_the_cameras_and_have_one_leader(patient_cluster: Cluster) -> None:
    first, *_ = patient_cluster.start("a", "b", "c")
    first.membership.add_cameras(CAMERAS)
    wait_for(lambda: patient_cluster.owners() == favourites("a", "b", "c"))
    wait_for(lambda: len(patient_cluster.leaders()) == 1)


def test_cameras_are_taken_over_and_left_although_a_part_failed_before(patient_cluster: Cluster) -> None:
    """Regression: a camera was owned, and followed by nobody."""
    (old,) = patient_cluster.start("a")
    wait_for(lambda: old.membership.is_leader)
    old.failures = 2
    old.membership.add_cameras(CAMERAS)
    wait_for(lambda: old.known_cameras() == set(CAMERAS))
    assert old.failures == 0
    old.failures = 2
    (new,) = patient_cluster.start("b")
    moved = {camera for camera, favourite in favourites("a", "b").items() if favourite == "b"}
    wait_for(lambda: new.known_cameras() == moved)
    assert old.failures == 0
    assert old.known_cameras() == set(CAMERAS) - moved


def test_replica_stops_although_a_part_always_fails(patient_cluster: Cluster) -> None:
    (replica,) = patient_cluster.start("a")
    replica.membership.add_cameras(CAMERAS)
    wait_for(lambda: replica.known_cameras() == set(CAMERAS))
    replica.failures = 1_000_000
    patient_cluster.stop("a")
    (other,) = patient_cluster.start("b")
    wait_for(lambda: other.known_cameras() == set(CAMERAS))


def test_part_that_hangs_does_not_hold_up_a_stop_for_long(
    patient_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cluster.membership.HAND_OVER_S", 0.5)
    (replica,) = patient_cluster.start("a")
    replica.membership.add_cameras(CAMERAS)
    wait_for(lambda: replica.known_cameras() == set(CAMERAS))
    replica.may_lose.clear()
    stops = threading.Thread(target=replica.membership.stop)
    stops.start()
    wait_for(lambda: not stops.is_alive())
    # Its cameras and the leadership are free.
    (other,) = patient_cluster.start("b")
    wait_for(lambda: other.known_cameras() == set(CAMERAS))


def test_replica_gets_cameras_when_it_is_ready_to_follow_them(cluster: Cluster) -> None:
    (old,) = cluster.start("a")
    old.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == dict.fromkeys(CAMERAS, "a"))
    (new,) = cluster.start("b", ready=False)
    wait_for(new.membership.may_name_people)
    renewed = new.membership.view()
    # Both have seen each other, and have had the time for a plan.
    wait_for(lambda: "b" in old.membership.view().live)
    wait_for(lambda: new.membership.view() != renewed)
    assert set(new.membership.view().cameras_of("a")) == set(CAMERAS)
    new.is_ready.set()
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    # The broker may be away later.
    new.is_ready.clear()
    cluster.stop("a")
    wait_for(lambda: cluster.owners() == dict.fromkeys(CAMERAS, "b"))


def test_replica_that_never_reached_the_broker_gets_nothing(cluster: Cluster) -> None:
    """Regression: it took cameras and kept them, so that nobody followed these."""
    (stray,) = cluster.start("b", connected=False)
    wait_for(lambda: stray.membership.is_leader)
    (good,) = cluster.start("a")
    good.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == dict.fromkeys(CAMERAS, "a"))
    wait_for(lambda: cluster.leaders() == ["a"])
    assert "gained" not in {what for _, what, _ in stray.told}


def test_cameras_and_leadership_leave_a_replica_that_others_outlive_at_the_broker(cluster: Cluster) -> None:
    (lost,) = cluster.start("b")
    wait_for(lambda: lost.membership.is_leader)
    lost.membership.add_cameras(CAMERAS)
    (good,) = cluster.start("a")
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    lost.is_connected.clear()
    wait_for(lambda: cluster.owners() == dict.fromkeys(CAMERAS, "a"))
    wait_for(lambda: cluster.leaders() == ["a"])
    admission = good.membership.admission
    wait_for(lambda: lost.known_cameras() == set())
    # It still names people for requests over REST.
    wait_for(lost.membership.may_name_people)
    lost.is_connected.set()
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    # Only the end of its lease, on a busy machine, ends the leadership of the other one.
    assert good.membership.is_leader or good.membership.admission != admission


def test_nothing_moves_while_the_broker_is_away_for_all_replicas(cluster: Cluster) -> None:
    replicas = cluster.start("a", "b")
    replicas[0].membership.add_cameras(CAMERAS)

    def is_undisturbed() -> bool:
        """Let the broker be away. Return whether all leases lasted: on a busy machine one may end meanwhile."""
        wait_for(lambda: cluster.owners() == favourites("a", "b") and len(cluster.leaders()) == 1)
        wait_for(lambda: all(each.known_cameras() == each.membership.owned for each in replicas))
        admissions = [each.membership.admission for each in replicas]
        told = [len(each.told) for each in replicas]
        for each in replicas:
            each.is_connected.clear()
        began = boot_time()
        # Time enough for a replica that counted its absence to give up what it has.
        wait_for(lambda: boot_time() > began + 3 * LEASE_S)
        for each in replicas:
            each.is_connected.set()
        wait_for(lambda: all(replica.connected for each in replicas for replica in each.membership.view().replicas))
        told_since = [each.told[count:] for each, count in zip(replicas, told, strict=True)]
        if [each.membership.admission for each in replicas] != admissions:
            return False
        assert told_since == [[], []]
        return True

    wait_for(is_undisturbed, 5 * WAIT_S)


def test_replica_that_is_not_ready_leads_if_nobody_else_does(cluster: Cluster) -> None:
    (replica,) = cluster.start("a", ready=False)
    wait_for(lambda: replica.membership.is_leader)
    assert not replica.membership.owned


def test_new_replica_gets_cameras_after_their_owner_has_been_told(patient_cluster: Cluster) -> None:
    (old,) = patient_cluster.start("a")
    old.membership.add_cameras(CAMERAS)
    wait_for(lambda: patient_cluster.owners() == dict.fromkeys(CAMERAS, "a"))
    old.may_lose.clear()
    (new,) = patient_cluster.start("b")
    moving = {camera for camera, owner in favourites("a", "b").items() if owner == "b"}
    # The old owner does not own them any more, and has not finished with them: nobody owns them.
    wait_for(lambda: set(patient_cluster.owners()) == set(CAMERAS) - moving)
    assert not new.membership.owned
    old.may_lose.set()
    wait_for(lambda: new.membership.owned == moving)
    wait_for(lambda: {each for _, what, each in new.told if what == "gained"} == moving)
    lost = {each: at for at, what, each in old.told if what == "lost"}
    gained = {each: at for at, what, each in new.told if what == "gained"}
    assert all(lost[camera] < gained[camera] for camera in moving)


def test_stopped_replica_frees_everything_immediately(patient_cluster: Cluster) -> None:
    a, _ = patient_cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: patient_cluster.owners() == favourites("a", "b") and len(patient_cluster.leaders()) == 1)
    (leader,) = patient_cluster.leaders()
    (other,) = {"a", "b"} - {leader}
    stopped = patient_cluster.replicas[leader]
    patient_cluster.stop(leader)
    wait_for(lambda: patient_cluster.owners() == dict.fromkeys(CAMERAS, other), NO_END_S / 2)
    wait_for(lambda: patient_cluster.leaders() == [other], NO_END_S / 2)
    assert patient_cluster.replicas[other].membership.epoch == 2
    assert stopped.told[-1][1:] == ("leader", "False") or stopped.told[-1][1] == "lost"
    assert not stopped.membership.may_name_people()


def test_replica_that_hands_over_keeps_its_lease(patient_cluster: Cluster) -> None:
    a, _ = patient_cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: patient_cluster.owners() == favourites("a", "b"))
    a.membership.hand_over()
    wait_for(lambda: patient_cluster.owners() == dict.fromkeys(CAMERAS, "b"))
    wait_for(lambda: patient_cluster.leaders() == ["b"])
    assert a.membership.may_name_people()


def test_cameras_of_a_dead_replica_move_and_come_back(cluster: Cluster) -> None:
    """The fault bench measures how long that takes."""
    a, b = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    a.proxy.stall()
    wait_for(lambda: b.membership.owned == set(CAMERAS))
    assert not a.membership.owned
    a.proxy.mend()
    wait_for(lambda: cluster.owners() == favourites("a", "b"))


@pytest.mark.parametrize("fault", ["stall", "cut"])
def test_replica_without_the_database_stops_before_others_take_over(cluster: Cluster, fault: str) -> None:
    a, b = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    getattr(a.proxy, fault)()
    wait_for(lambda: not a.membership.may_name_people())
    assert not a.membership.owned
    assert not a.membership.is_leader
    with pytest.raises(Busy, match="does not reach the database"):
        a.membership.check_may_name_people()
    wait_for(lambda: b.membership.owned == set(CAMERAS))
    wait_for(lambda: b.membership.is_leader)
    wait_for(lambda: not a.known_cameras())
    a.proxy.mend()
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    wait_for(a.membership.may_name_people)


def test_states_of_replicas_are_those_that_the_database_knows(cluster: Cluster, postgres_url: str) -> None:
    """Regression: a replica that died before it could follow cameras was shown as one that had been stopped."""

    def states() -> dict[str, str]:
        view = observer.read()
        return {each.id: view.state_of(each) for each in view.replicas}

    with closing(PostgresCoordination(postgres_url, NO_END_S)) as observer:
        cluster.start("a", "b")
        # On a busy machine the leadership may change meanwhile.
        wait_for(lambda: sorted(states().values()) == ["leader", "serving"])
        (early,) = cluster.start("early", ready=False)
        wait_for(lambda: states().get("early") == "joining")
        early.proxy.cut()
        wait_for(lambda: states()["early"] == "lost")
        cluster.stop("a")
        wait_for(lambda: states() == {"a": "stopped", "b": "leader", "early": "lost"})


def test_connections_that_died_are_replaced(cluster: Cluster) -> None:
    a, b = cluster.start("a", "b")
    wait_for(lambda: a.membership.may_name_people() and b.membership.may_name_people())
    a.proxy.half_open()
    cluster.change_people()
    b.confirm_everywhere()
    wait_for(lambda: a.membership.may_name_people() and a.followed == 1)
    cluster.change_people()
    a.confirm_everywhere()
    # A replica without a lease is not waited for, and follows later.
    wait_for(lambda: a.followed == b.followed == 2)


def test_names_last_as_long_as_configured_without_the_database(postgres_url: str) -> None:
    with cluster_running(postgres_url, names_s=NO_END_S) as cluster:
        (a,) = cluster.start("a")
        a.membership.add_cameras(CAMERAS)
        wait_for(lambda: a.membership.owned == set(CAMERAS))
        a.proxy.cut()
        wait_for(lambda: a.membership.problem is not None and not a.membership.has_lease())
        assert not a.membership.owned
        a.membership.check_may_name_people()


def test_second_process_with_the_same_id_gets_no_lease(patient_cluster: Cluster) -> None:
    (first,) = patient_cluster.start("a")
    wait_for(first.membership.may_name_people)
    (second,) = patient_cluster.start("a")
    wait_for(lambda: second.membership.problem is not None)
    assert "another process" in (second.membership.problem or "")
    assert not second.membership.may_name_people()
    first.membership.stop()
    wait_for(second.membership.may_name_people)


def test_replicas_survive_the_death_of_the_database(cluster: Cluster, postgres_server: PostgresServer) -> None:
    a, *_ = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    postgres_server.kill()
    wait_for(lambda: a.membership.problem is not None)
    postgres_server.start()
    wait_for(lambda: a.membership.problem is None)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    wait_for(lambda: len(cluster.leaders()) == 1)


def test_table_of_cameras_is_bounded(patient_cluster: Cluster) -> None:
    (a,) = patient_cluster.start("a")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: a.membership.owned == set(CAMERAS))
    a.membership.add_cameras([f"other{n}" for n in range(5_000)])
    wait_for(lambda: len(a.membership.owned) == 2_000)
    assert set(CAMERAS) < a.membership.owned


def test_configured_camera_always_finds_room_and_stays(patient_cluster: Cluster) -> None:
    """Regression: made-up cameras that filled the table kept the cameras of the settings out."""
    (a,) = patient_cluster.start("a")
    a.membership.add_cameras([f"made_up{n}" for n in range(2_000)])
    wait_for(lambda: len(a.membership.owned) == 2_000)
    a.membership.add_cameras(["cam1", *CONFIGURED])
    wait_for(lambda: a.membership.owned >= CONFIGURED)
    assert "cam1" not in a.membership.owned
    a.membership.forget_camera(*CONFIGURED)
    a.membership.add_cameras(["lost"], always=True)
    wait_for(lambda: "lost" in a.membership.owned)
    a.membership.forget_camera("made_up0")
    wait_for(lambda: "made_up0" not in {each.name for each in a.membership.view().cameras})
    assert a.membership.owned >= CONFIGURED


def test_forgotten_camera_is_removed_after_its_owner_has_been_told(patient_cluster: Cluster) -> None:
    cluster = patient_cluster
    a, b = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    camera = next(name for name, owner in favourites("a", "b").items() if owner == "b")

    def known() -> set[str]:
        return {each.name for each in a.membership.view().cameras}

    # Another replica cannot remove it.
    a.membership.forget_camera(camera)
    b.may_lose.clear()
    b.membership.forget_camera(camera)
    wait_for(lambda: camera not in b.membership.owned)
    assert camera in known()
    assert camera in b.known_cameras()
    b.may_lose.set()
    wait_for(lambda: camera not in known())
    # It may come back, and has one owner again.
    a.membership.add_cameras([camera])
    wait_for(lambda: cluster.owners() == favourites("a", "b"))


def test_forgotten_camera_that_sends_again_before_its_topics_are_withdrawn_stays(patient_cluster: Cluster) -> None:
    """Regression: the wish outlived the return of the camera. The next hand-over removed its row, with topics left."""
    (a,) = patient_cluster.start("a")
    a.membership.add_cameras(CAMERAS[:2])
    wait_for(lambda: a.known_cameras() == set(CAMERAS[:2]))
    a.may_forget.clear()
    a.membership.forget_camera(CAMERAS[0])
    a.membership.keep_camera(CAMERAS[0])
    a.may_forget.set()
    a.membership.forget_camera(CAMERAS[1])
    wait_for(lambda: CAMERAS[1] not in {each.name for each in a.membership.view().cameras})
    assert patient_cluster.database.rows("SELECT name FROM cluster_cameras") == [(CAMERAS[0],)]


def test_row_of_a_camera_stays_while_the_journal_has_topics_of_it(patient_cluster: Cluster) -> None:
    """A frame between the withdrawal and the removal may have announced the camera again."""
    (a,), database = patient_cluster.start("a"), patient_cluster.database
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: a.known_cameras() == set(CAMERAS))
    with database.transaction() as db:
        db.execute("INSERT INTO retained_topics (topic, owner) VALUES (?, 'live')", (f"{IDENTITY.base}/cam1/state",))
    # The name of the one begins with that of the other.
    for camera in ("cam10", "cam1"):
        a.membership.forget_camera(camera)
    left = set(CAMERAS) - {"cam10"}
    # All parts have left it, and taken it again: otherwise nobody would clear its topics.
    wait_for(lambda: [what for _, what, each in list(a.told) if each == "cam1"][:3] == ["gained", "lost", "gained"])
    wait_for(lambda: {each.name for each in a.membership.view().cameras} == left)
    with database.transaction() as db:
        db.execute("DELETE FROM retained_topics")
    a.membership.forget_camera("cam1")
    wait_for(lambda: {each.name for each in a.membership.view().cameras} == left - {"cam1"})


def test_camera_of_a_dead_replica_can_be_forgotten(cluster: Cluster) -> None:
    a, b = cluster.start("a", "b")
    a.membership.add_cameras(CAMERAS)
    wait_for(lambda: cluster.owners() == favourites("a", "b"))
    camera = next(name for name, owner in favourites("a", "b").items() if owner == "b")
    b.proxy.cut()
    # The other replica takes it over first, or removes it.
    wait_for(lambda: not b.membership.owned)

    def is_removed() -> bool:
        a.membership.forget_camera(camera)
        return camera not in {each.name for each in a.membership.view().cameras}

    wait_for(is_removed)
    assert camera not in a.membership.owned


def test_replica_is_admitted_again_only_after_its_listeners_know_of_the_end(cluster: Cluster) -> None:
    (replica,) = cluster.start("a")
    replica.membership.add_cameras(CAMERAS)
    wait_for(lambda: replica.known_cameras() == set(CAMERAS))
    replica.may_lose.clear()
    replica.proxy.cut()
    wait_for(lambda: not replica.membership.may_name_people())
    cluster.change_people()
    replica.proxy.mend()
    # The database has a new lease of the replica, which follows the change. Its listeners still have what they queued.
    wait_for(lambda: replica.followed == 1 and replica.membership.problem is None)
    followed_again = replica.follows + 2
    wait_for(lambda: replica.follows >= followed_again)
    assert not replica.membership.may_name_people()
    assert not replica.membership.owned
    replica.may_lose.set()
    wait_for(replica.membership.may_name_people)
    wait_for(lambda: replica.known_cameras() == set(CAMERAS))
    assert {each for _, what, each in replica.told if what == "lost"} == set(CAMERAS)


def test_replica_without_cameras_is_admitted_again(cluster: Cluster) -> None:
    (replica,) = cluster.start("a")
    wait_for(replica.membership.may_name_people)
    last = replica.membership.admission or 0
    for _ in range(3):
        replica.proxy.cut()
        wait_for(lambda: not replica.membership.may_name_people())
        replica.proxy.mend()
        # Each time in which it may name people has another number.
        wait_for(lambda last=last: (replica.membership.admission or 0) > last)
        last = replica.membership.admission or last
