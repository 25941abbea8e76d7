"""The topics that each login at the broker needs, from the settings: an access control list (ACL).

A role cannot be a rule of the broker: the rules of mosquitto are for one login, or for all of them. So each user gets
one rule for each operation of its role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.config import Settings
from gateway.contract.operations import ADMINISTRATION
from gateway.integrations.homeassistant.births import BIRTH_TOPIC
from gateway.integrations.homeassistant.names import Names
from gateway.model import Caller, Operation
from gateway.model.caller import Role
from gateway.mqtt.bridge.command_access import EXPORTS

Access = Literal["read", "write", "readwrite"]

OWN_LOGIN = "<login>"
"""The level of a topic in a rule for every login that must be the client's own login."""

DEFAULT_GATEWAY_LOGIN = "facegate"
"""The login of the gateway, if ``mqtt.user`` names none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``login``: None for every login. ``topic``: a topic filter, which may have the level OWN_LOGIN."""

    login: str | None
    access: Access
    topic: str


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The rules of one login, or of every login. ``title``: what the login is for."""

    title: str
    rules: tuple[Rule, ...]


class AclRules:
    """The rules that follow from the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.mqtt.base
        self.gateway_login = settings.mqtt.user or DEFAULT_GATEWAY_LOGIN

    def all(self) -> tuple[RuleGroup, ...]:
        """Return the rules of all logins."""
        users = (self.user(login, role) for login, role in self._settings.mqtt.users.items())
        return (self.cameras(), *self._cameras_with_more_operations(), self.gateway(), *users)

    def cameras(self) -> RuleGroup:
        """Return the rules for every login, as for the camera of that name."""
        root = f"{self._base}/{OWN_LOGIN}"
        rules = [
            *_rules(None, "write", (f"{root}/{kind}" for kind in ("frame", "status"))),
            *_rules(None, "write", _requests(root, self._settings.operations)),
            *_rules(None, "read", (f"{root}/{kind}" for kind in ("result", "response/#", "verdict/#"))),
        ]
        return RuleGroup("every login: the topics of the camera of that name", tuple(rules))

    def _cameras_with_more_operations(self) -> Iterator[RuleGroup]:
        for name in self._settings.cameras:
            own = self._settings.operations_of(name)
            if more := [each for each in own if each not in self._settings.operations]:
                topics = _requests(f"{self._base}/{name}", more)
                yield RuleGroup(f"the camera {name}: its own operations", tuple(_rules(name, "write", topics)))

    def gateway(self) -> RuleGroup:
        """Return the rules for the gateway itself."""
        base, settings = self._base, self._settings
        read = [f"{base}/+/{kind}" for kind in ("frame", "request/#", "part/#", "enabled/set")]
        inputs = [each.pattern for each in settings.inputs.topics]
        read += [each.topic_filter for each in inputs]
        if (name := settings.cluster.name) is not None:
            # mosquitto checks only the topics of the messages, other brokers also the filter.
            shared = [f"{base}/+/request/#", *(each.topic_filter for each in inputs if not each.names_one_camera)]
            read += [f"$share/{name}/{each}" for each in shared]
        read += [f"{each.topic_prefix}/{kind}" for each in settings.frigate.values() for kind in ("events", "stats")]
        kinds = ("result", "response/#", "verdict/#", "event", "present", "snapshot", "state", "enabled/state")
        write = [f"{base}/+/{kind}" for kind in kinds]
        write += [f"{each.rstrip('/')}/#" for each in settings.mqtt.response_topics]
        login = self.gateway_login
        rules = [
            *_rules(login, "read", [*read, BIRTH_TOPIC]),
            *_rules(login, "write", [*write, self._discovery]),
            Rule(login, "readwrite", f"{base}/bridge/#"),
        ]
        return RuleGroup("the gateway", tuple(rules))

    def user(self, login: str, role: Role) -> RuleGroup:
        """Return the rules for a user. The setting mqtt.users must give the login the same role."""
        root, caller = f"{self._base}/bridge/user/{login}", Caller("mqtt", login, role)
        commands = [f"{root}/request/{operation}" for operation in self._operations(caller)]
        rules = [
            *_rules(login, "read", self._readable(caller)),
            *_rules(login, "write", self._writable(caller)),
            *_rules(login, "write", commands),
            *_rules(login, "read", [f"{root}/response/#"] if commands else []),
        ]
        return RuleGroup(f"{login}: {role}", tuple(rules))

    def _operations(self, caller: Caller) -> Iterator[str]:
        for operation, spec in ADMINISTRATION.items():
            if caller.may(spec.role) and (operation not in EXPORTS or self._settings.mqtt.export):
                yield operation

    def _readable(self, caller: Caller) -> Iterator[str]:
        base = self._base
        yield from (f"{base}/bridge/{kind}" for kind in ("state", "info"))
        if caller.may("viewer"):
            kinds = ("result", "status", "event", "present", "snapshot", "state", "enabled/state")
            yield from (f"{base}/+/{kind}" for kind in kinds)
            replica = () if self._settings.cluster.name is None else ("replica/+",)
            yield from (f"{base}/bridge/{kind}" for kind in ("health", "person/+", *replica))
            yield self._discovery

    def _writable(self, caller: Caller) -> Iterator[str]:
        if caller.may("keeper"):
            yield f"{self._base}/+/enabled/set"
            # A Home Assistant announces its start here.
            yield BIRTH_TOPIC

    @property
    def _discovery(self) -> str:
        names = Names(self._base, self._settings.homeassistant.prefix)
        return f"{names.prefix}/device/{names.node}/#"


def _rules(login: str | None, access: Access, topics: Iterable[str]) -> Iterator[Rule]:
    return (Rule(login, access, topic) for topic in topics)


def _requests(root: str, operations: Iterable[Operation]) -> Iterator[str]:
    """Return the topics of requests, whole and in pieces, below the topic of a camera."""
    for operation in operations:
        yield f"{root}/request/{operation.value}/#"
        yield f"{root}/part/+/+/{operation.value}/#"
