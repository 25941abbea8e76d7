"""Replies and announcements as the outbox publishes them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.config import LimitSettings
from gateway.errors import BadRequest, Busy, Forbidden, SwitchedOff
from gateway.mqtt.codec.outbound import Outbound
from gateway.mqtt.codec.topics import Address, Topics
from gateway.mqtt.outbox import MAX_HEADER_BYTES, Outbox
from gateway.mqtt.transport.broker_limits import BrokerLimits
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

RESULT = Outbound(b'{"status":"ok"}', "unknown")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(LimitSettings(request_s=60))


@pytest.fixture
def session() -> OfflineSession:
    return OfflineSession()


def address_of(topic: str, **changes: Any) -> Address:
    address = Topics("facegate").read(f"facegate/{topic}")
    assert address is not None
    return replace(address, **changes)


def delivered(session: Session, mid: int = 0) -> Delivery[Session]:
    return Delivery(session=session, mid=mid)


def test_reply_is_a_verdict_and_a_document(outbox: Outbox, session: OfflineSession) -> None:
    outbox.reply(delivered(session), address_of("porch/request/face_rec/1"), RESULT, 7.9)
    verdict, document = session.published
    assert (verdict.topic, verdict.payload) == ("facegate/porch/verdict/1", b"unknown")
    assert (document.topic, document.payload) == ("facegate/porch/response/face_rec/1", RESULT.document)
    assert [(each.qos, each.retain, each.expiry) for each in session.published] == [(1, False, 7)] * 2


def test_result_of_a_frame_goes_out_at_qos_0(outbox: Outbox, session: OfflineSession) -> None:
    outbox.reply(delivered(session), address_of("porch/frame"), RESULT)
    assert {(each.qos, each.expiry) for each in session.published} == {(0, 60)}


def test_only_the_first_answer_of_a_delivery_is_published(outbox: Outbox, session: OfflineSession) -> None:
    delivery = delivered(session)
    outbox.fail(delivery, address_of("porch/request/face_rec"), BadRequest("no"))
    outbox.reply(delivery, address_of("porch/request/face_rec"), RESULT)
    assert len(session.published) == 1


def test_document_that_the_broker_does_not_take_becomes_an_error(outbox: Outbox, session: OfflineSession) -> None:
    session.broker_limits = BrokerLimits(MAX_HEADER_BYTES + len(RESULT.document) - 1)
    outbox.reply(delivered(session), address_of("porch/request/face_rec"), RESULT)
    (document,) = session.published
    assert json.loads(document.payload)["code"] == "too_large"


def test_busy_goes_out_at_qos_0_unless_the_device_chose_the_topic(outbox: Outbox, session: OfflineSession) -> None:
    for chosen in (False, True):
        outbox.fail(delivered(session), address_of("porch/request/face_rec", chosen=chosen), Busy("full", 3))
    assert [each.qos for each in session.published] == [0, 1]


def test_busy_is_not_reported_during_a_shutdown_to_a_request_that_comes_again(
    outbox: Outbox, session: OfflineSession
) -> None:
    outbox.begin_shutdown()
    address = address_of("porch/request/face_rec")
    outbox.fail(delivered(session, mid=7), address, Busy("the gateway is shutting down", 5))
    assert session.published == []
    outbox.fail(delivered(session, mid=0), address, Busy("the gateway is shutting down", 5))
    outbox.fail(delivered(session, mid=8), address, BadRequest("no"))
    assert len(session.published) == 2


def test_answers_to_a_camera_that_is_off_are_not_logged(
    outbox: Outbox, session: OfflineSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: a camera that was off and still sent was logged 20 times a minute."""
    caplog.set_level("INFO")
    for error in (SwitchedOff("recognition is off"), Forbidden("not allowed")):
        outbox.fail(delivered(session), address_of("porch/request/face_rec"), error)
    assert [json.loads(each.payload)["code"] for each in session.published] == ["forbidden", "forbidden"]
    assert ("recognition is off" in caplog.text, "not allowed" in caplog.text) == (False, True)


def test_unexpected_exception_is_answered_as_internal_and_logged(
    outbox: Outbox, session: OfflineSession, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.fail(delivered(session), address_of("porch/request/face_rec"), ZeroDivisionError("secret"))
    (document,) = session.published
    assert json.loads(document.payload)["error"] == "a bug in the gateway: its log has the details"
    assert "secret" in caplog.text


def test_outbox_refuses_a_retained_announcement(outbox: Outbox, session: OfflineSession) -> None:
    """Nobody could clear its topic after a restart."""
    outbox.use_session("requests", session)
    with pytest.raises(ValueError, match="published by RetainedDocuments"):
        outbox.announce(Publication("facegate/porch/present", b"{}", retain=True))
    assert session.published == []


def test_announcement_at_qos_0_uses_the_connection_of_frames(outbox: Outbox, session: OfflineSession) -> None:
    frames = OfflineSession()
    outbox.use_session("requests", session)
    outbox.use_session("frames", frames)
    outbox.announce(Publication("facegate/bridge/health", b"{}", qos=0))
    outbox.announce(Publication("facegate/bridge/info", b"{}"))
    assert [each.topic for each in frames.published] == ["facegate/bridge/health"]
    assert [each.topic for each in session.published] == ["facegate/bridge/info"]
