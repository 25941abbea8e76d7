"""Commands on the topics of the bridge, with an administration that refuses as the real one does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from gateway.config import LimitSettings
from gateway.contract.health import LivenessDocument
from gateway.contract.operations import check_role
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Request
from gateway.model.caller import Role
from gateway.mqtt.bridge.command_access import RETRY_S, CommandAccess
from gateway.mqtt.bridge.commands import BridgeCommands
from gateway.mqtt.codec.inbound import Command, Reader
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.downtime import Downtime
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.transport.acl_probe import AclState
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

USERS: Mapping[str, Role] = {"home": "keeper", "officer": "privacy", "boss": "admin"}


class CommandsHarness:
    """``asked``: the requests that the administration got."""

    def __init__(self, folder: Path, access: CommandAccess, response_topics: Sequence[str] = ()) -> None:
        limits = LimitSettings()
        self.asked: list[AdministrationRequest] = []
        self._reader = Reader(Topics("facegate", response_topics, USERS), limits)
        validity = Validity(60, Downtime(folder / "alive"), Loopback("facegate/bridge/canary/0"), Metrics())
        self._commands = BridgeCommands(
            self._submit, access, self._reader, validity, Outbox(limits), Metrics(), answer_s=10
        )

    def send(self, topic: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        """Send a command, and return the topic and the document of its reply."""
        return self.send_bytes(topic, json.dumps(fields).encode())

    def send_bytes(self, topic: str, payload: bytes, response_topic: str | None = None) -> tuple[str, dict[str, Any]]:
        session = OfflineSession()
        received = Received(f"facegate/bridge/{topic}", payload, retained=False, response_topic=response_topic)
        command = self._reader.read_command(received, False)
        assert isinstance(command, Command)
        delivery: Delivery[Session] = Delivery(received=received, session=session)
        self._commands.handle(delivery, command)
        (reply,) = session.published
        return reply.topic, json.loads(reply.payload)

    def _submit(self, request: Request | AdministrationRequest) -> Future[Any]:
        assert isinstance(request, AdministrationRequest)
        self.asked.append(request)
        done: Future[Any] = Future()
        try:
            check_role(request.caller, request.operation)
            done.set_result(LivenessDocument(status="ok", counts={}))
        except Exception as error:
            done.set_exception(error)
        return done


def access_of(*, export: bool = False, trust_broker: bool = False, acl: AclState = "enforced") -> CommandAccess:
    access = CommandAccess("facegate/acl_probe", export=export, trust_broker=trust_broker)
    access.record_acl(acl)
    return access


@pytest.fixture
def harness(tmp_path: Path) -> CommandsHarness:
    return CommandsHarness(tmp_path, access_of())


def test_command_of_a_user_has_the_role_of_its_login(harness: CommandsHarness) -> None:
    topic, reply = harness.send("user/home/request/people/list")
    assert (topic, reply["status"]) == ("facegate/bridge/user/home/response/people/list", "ok")
    topic, reply = harness.send("user/home/request/people/erase", person="ada", transaction="1")
    assert (topic, reply["code"]) == ("facegate/bridge/user/home/response/people/erase", "forbidden")
    assert reply["error"] == ("people/erase needs the role privacy, and the role of mqtt:user/home is keeper")
    assert harness.send("user/officer/request/people/erase", person="ada", transaction="1")[1]["status"] == "ok"


def test_login_without_a_role_learns_the_setting(harness: CommandsHarness) -> None:
    reply = harness.send("user/mallory/request/people/list")[1]
    assert (reply["code"], reply["error"]) == (
        "forbidden",
        "people/list needs the role viewer, and the role of mqtt:user/mallory is nobody: give the login a role in"
        " mqtt.users",
    )


def test_command_without_a_login_has_the_role_of_an_admin(harness: CommandsHarness) -> None:
    topic, reply = harness.send("request/people/import", archive="", transaction="1")
    assert (topic, reply["status"]) == ("facegate/bridge/response/people/import", "ok")
    (request,) = harness.asked
    assert request.caller.audit_text() == "mqtt"


def test_users_may_choose_the_same_transaction(harness: CommandsHarness) -> None:
    for sender in ("user/home", "user/officer", "user/home"):
        harness.send(f"{sender}/request/people/rename", person="a", name="b", transaction="1")
    harness.send("request/people/rename", person="a", name="b", transaction="1")
    keys = [each.effect.key for each in harness.asked if each.effect is not None]
    assert keys == ["bridge/user/home/1", "bridge/user/officer/1", "bridge/user/home/1", "bridge/1"]


@pytest.mark.parametrize("operation", ["people/export", "unknowns/export"])
@pytest.mark.parametrize("sender", ["user/officer", ""])
def test_exports_are_off_unless_a_setting_allows_them(tmp_path: Path, operation: str, sender: str) -> None:
    topic = f"{sender}/request/{operation}".removeprefix("/")
    closed, opened = (CommandsHarness(tmp_path, access_of(export=each)) for each in (False, True))
    reply = closed.send(topic, transaction="1")[1]
    assert (reply["code"], reply["transaction"]) == ("forbidden", "1")
    assert reply["error"].startswith(
        f"{operation} is off over MQTT: set mqtt.export to true, use REST, or use facegate"
    )
    assert opened.send(topic)[1]["status"] == "ok"


def test_export_that_is_off_is_refused_where_the_audit_sees_it(harness: CommandsHarness) -> None:
    harness.send("user/officer/request/people/export")
    assert [(each.caller.name, each.caller.role) for each in harness.asked] == [("officer", "keeper")]


def test_keeper_does_not_learn_how_to_switch_exports_on(harness: CommandsHarness) -> None:
    reply = harness.send("user/home/request/people/export")[1]
    assert reply["error"].endswith("the role of mqtt:user/home is keeper")


@pytest.mark.parametrize("sender", ["user/officer/request", "request"])
def test_no_command_has_the_rights_above_a_keeper_without_an_acl(tmp_path: Path, sender: str) -> None:
    harness = CommandsHarness(tmp_path, access_of(acl="open"))
    assert harness.send(f"{sender}/people/rename", person="a", name="b", transaction="1")[1]["status"] == "ok"
    reply = harness.send(f"{sender}/people/erase", person="a", transaction="2")[1]
    assert (reply["code"], reply["transaction"]) == ("forbidden", "2")
    assert "is keeper, since the broker has no ACL: give it one" in reply["error"]
    assert {request.caller.role for request in harness.asked} == {"keeper"}


def test_lower_role_stays_without_an_acl(tmp_path: Path) -> None:
    harness = CommandsHarness(tmp_path, access_of(acl="open"))
    reply = harness.send("user/home/request/people/erase", person="a", transaction="1")[1]
    assert reply["error"].endswith("the role of mqtt:user/home is keeper")
    assert harness.send("user/mallory/request/people/list")[1]["code"] == "forbidden"


def test_command_is_repeated_until_it_is_known_whether_there_is_an_acl(tmp_path: Path) -> None:
    access = access_of(acl="unknown")
    harness = CommandsHarness(tmp_path, access)
    command = {"person": "a", "transaction": "1"}
    reply = harness.send("user/officer/request/people/erase", **command)[1]
    assert (reply["code"], reply["retry_after"]) == ("busy", RETRY_S)
    access.record_acl("enforced")
    assert harness.send("user/officer/request/people/erase", **command)[1]["status"] == "ok"


@pytest.mark.parametrize("payload", [b"{}", b"no JSON", b'{"transaction": 7}', b'{"person": "ada"}'])
def test_malformed_command_of_a_low_role_is_refused_for_its_role(harness: CommandsHarness, payload: bytes) -> None:
    """Regression: it got bad_request, and no line in the audit."""
    topic, reply = harness.send_bytes("user/home/request/people/erase", payload)
    assert (topic, reply["code"]) == ("facegate/bridge/user/home/response/people/erase", "forbidden")
    assert len(harness.asked) == 1


@pytest.mark.parametrize("operation", ["tokens/add", "tokens/rotate"])
def test_reply_with_a_token_goes_to_the_topic_of_its_login_only(tmp_path: Path, operation: str) -> None:
    harness = CommandsHarness(tmp_path, access_of(), ["answers/"])
    private = f"user/boss/request/{operation}"
    topic, reply = harness.send(private, transaction="1")
    assert (topic, reply["status"]) == (f"facegate/bridge/user/boss/response/{operation}", "ok")
    own = "facegate/bridge/user/boss/response/mine"
    assert harness.send_bytes(private, b'{"transaction": "2"}', own)[1]["status"] == "ok"
    for refused, response_topic in ((f"request/{operation}", None), (private, "answers/all")):
        reply = harness.send_bytes(refused, b'{"transaction": "3"}', response_topic)[1]
        assert (reply["code"], reply["transaction"]) == ("forbidden", "3")
        assert reply["error"].startswith(f"the reply to {operation} has a token, which others may read on ")
    # The service refuses them too, so that the audit has them.
    assert [each.caller.role for each in harness.asked] == ["admin", "admin", "keeper", "keeper"]


@pytest.mark.parametrize(("acl", "code"), [("open", "forbidden"), ("unknown", "busy")])
def test_no_token_is_made_over_a_broker_without_an_acl(tmp_path: Path, acl: AclState, code: str) -> None:
    harness = CommandsHarness(tmp_path, access_of(acl=acl))
    assert harness.send("user/boss/request/tokens/add", transaction="1")[1]["code"] == code
    trusted = CommandsHarness(tmp_path, access_of(acl=acl, trust_broker=True))
    assert trusted.send("user/boss/request/tokens/add", transaction="1")[1]["status"] == "ok"
    assert trusted.send("request/tokens/add", transaction="1")[1]["code"] == "forbidden"


@pytest.mark.parametrize("operation", ["tokens/list", "tokens/revoke"])
@pytest.mark.parametrize("sender", ["request", "user/boss/request"])
def test_tokens_are_listed_and_revoked_like_other_operations(
    harness: CommandsHarness, sender: str, operation: str
) -> None:
    assert harness.send(f"{sender}/{operation}", transaction="1")[1]["status"] == "ok"


@pytest.mark.parametrize("acl", ["open", "unknown"])
def test_trusted_broker_needs_no_acl(tmp_path: Path, acl: AclState) -> None:
    access = access_of(trust_broker=True, acl=acl)
    harness = CommandsHarness(tmp_path, access)
    assert harness.send("request/people/import", archive="", transaction="1")[1]["status"] == "ok"
    assert access.warnings == ()


def test_missing_acl_is_logged_once_and_stays_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    access = access_of(acl="enforced")
    for _ in range(3):
        access.record_acl("open")
    (warning,) = access.warnings
    assert "it delivers a message on facegate/acl_probe" in warning
    assert [record.message for record in caplog.records] == [warning]
    access.record_acl("enforced")
    assert access.warnings == ()
