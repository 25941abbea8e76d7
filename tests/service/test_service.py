"""Service.submit is the one entrance for both kinds of requests."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from gateway.contract.people import PeopleDocument
from gateway.model import AdministrationRequest, Operation, Recognition, Reply, Request
from gateway.model.caller import REST_CALLER
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.people.vision import NoVision
from gateway.service.administration import Administration
from gateway.service.service import Service
from gateway.service.turns import Turns
from tests.examples import descriptor, seen
from tests.people.environment import open_environment, sample
from tests.service.test_recognition import ALICES, RecognitionHarness, request
from tests.support import WAIT_S

HEALTH = Health(MqttHealth(True, True, True), 1, 1, True, True, ImportProgress())


def test_service_hands_each_request_to_the_part_that_answers_it(tmp_path: Path) -> None:
    recognition = RecognitionHarness(seen(ALICES))
    with open_environment(tmp_path) as env, ThreadPoolExecutor(1) as thread:
        env.registry.enrol("Bob", [sample("bob", descriptor(2))], REST_CALLER)
        administration = Administration(env.people, NoVision(), Turns(thread), Turns(thread), lambda: HEALTH)
        service = Service(recognition.service, administration)
        assert isinstance(service.submit(request(Operation.FACE_REC)).result(0), Recognition)
        result = service.submit(AdministrationRequest(operation="people/list", fields={})).result(WAIT_S)
        assert isinstance(result, PeopleDocument)
        assert [each.person for each in result.people] == ["bob"]


def test_service_hands_live_frames_to_the_live_cameras_if_there_are_any(tmp_path: Path) -> None:
    recognition = RecognitionHarness(seen(ALICES))
    followed: list[Request] = []

    def follow(request: Request) -> Future[Reply]:
        followed.append(request)
        return Future()

    with open_environment(tmp_path) as env, ThreadPoolExecutor(1) as thread:
        administration = Administration(env.people, NoVision(), Turns(thread), Turns(thread), lambda: HEALTH)
        frame, single = request(Operation.FACE_REC, live=True), request(Operation.FACE_REC)
        service = Service(recognition.service, administration, follow)
        assert not service.submit(frame).done()
        assert isinstance(service.submit(single).result(0), Recognition)
        assert followed == [frame]
        # With live.enabled: false each frame is answered for itself, and its unknown faces are observed.
        reply = Service(recognition.service, administration).submit(frame).result(0)
        assert isinstance(reply, Recognition)
        assert reply.person is not None
        assert reply.faces[0].sighting is None
