"""Service.submit is the one entrance for both kinds of requests."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from gateway.contract.people import PeopleDocument
from gateway.model import AdministrationRequest, Operation, Recognition, Reply, Request
from gateway.model.caller import REST_CALLER
from gateway.model.health import Health, ImportProgress, MqttHealth
from gateway.people.vision import NoVision
from gateway.rest.held_answers import hold_until_sent
from gateway.rest.transport.environ import SENT_SLOT, SentSlot
from gateway.service.administration import Administration
from gateway.service.named_answers import NamedAnswers
from gateway.service.service import Service
from gateway.service.turns import Turns
from gateway.workers.job import Report
from tests.examples import ALICE, BOB, descriptor, seen
from tests.people.environment import open_environment, sample
from tests.service.test_recognition import ALICES, BOBS, RecognitionHarness, request
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


@pytest.mark.parametrize("over_rest", [False, True])
def test_removal_while_a_picture_is_analysed_does_not_cost_the_answer(tmp_path: Path, over_rest: bool) -> None:
    """Regression: while people were removed again and again, a slow machine answered only `busy`."""
    jobs: list[Future[Report]] = []
    recognition, removals = RecognitionHarness(answer=jobs.append), [0]
    answers = NamedAnswers(lambda: removals[-1], lambda: None)
    with open_environment(tmp_path) as env, ThreadPoolExecutor(1) as thread:
        administration = Administration(env.people, NoVision(), Turns(thread), Turns(thread), lambda: HEALTH)
        service = Service(recognition.service, administration, answers=answers)
        sent = SentSlot(lambda: None)
        with Flask("test").test_request_context(environ_overrides={SENT_SLOT: sent}):
            submit = hold_until_sent(service, answers) if over_rest else service.submit
            named, removed = submit(request(Operation.FACE_REC)), submit(request(Operation.FACE_REC))
        jobs[0].set_result(Report((seen(ALICES),), 0.0, 0))
        reply = named.result(0)
        assert isinstance(reply, Recognition)
        assert reply.person == ALICE
        recognition.enrol_only((BOB, BOBS))
        removals.append(1)
        jobs[1].set_result(Report((seen(ALICES),), 0.0, 0))
        reply = removed.result(0)
        assert isinstance(reply, Recognition)
        assert reply.person is None
        sent.end()


def test_list_of_people_that_a_removal_overtook_is_made_again(tmp_path: Path) -> None:
    with open_environment(tmp_path) as env, ThreadPoolExecutor(1) as thread:
        env.registry.enrol("Bob", [sample("bob", descriptor(2))], REST_CALLER)
        env.registry.enrol("Eve", [sample("eve", descriptor(5))], REST_CALLER)
        answers = NamedAnswers(lambda: env.people.updater.removal_count, lambda: None)
        administration = Administration(env.people, NoVision(), Turns(thread), Turns(thread), lambda: HEALTH)
        service = Service(RecognitionHarness().service, administration, answers=answers)
        may_begin = threading.Event()
        thread.submit(may_begin.wait, WAIT_S)
        listed = service.submit(AdministrationRequest(operation="people/list", fields={}))
        env.registry.remove("eve", REST_CALLER)
        may_begin.set()
        result = listed.result(WAIT_S)
        assert isinstance(result, PeopleDocument)
        assert [each.person for each in result.people] == ["bob"]
