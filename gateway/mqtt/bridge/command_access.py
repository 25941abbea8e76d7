"""The rules about commands over MQTT that the settings and the broker add to the roles of the callers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from gateway.contract.operations import SECRET_REPLIES
from gateway.errors import Busy, Forbidden, GatewayError
from gateway.model.caller import Caller, Role
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.transport.acl_probe import AclState

log = logging.getLogger(__name__)

EXPORTS: Final = frozenset({"people/export", "unknowns/export"})
"""The operations whose replies contain descriptors and pictures of people."""

OPEN_BROKER_ROLE: Final[Role] = "keeper"
"""The highest role of a command through a broker without an ACL, where everybody can send every command."""
NEXT_ROLE: Final[Role] = "privacy"
"""The role after OPEN_BROKER_ROLE."""

RETRY_S = 30
"""Time after which it may be known whether the broker has an ACL."""


class CommandAccess:
    """The rules. Safe to use from any thread.

    ``topic``: the topic of the message that asks whether the broker has an ACL. ``export``: the setting mqtt.export.
    ``trust_broker``: the setting of that name.
    """

    def __init__(self, topic: str, *, export: bool, trust_broker: bool) -> None:
        self._topic = topic
        self._export = export
        self._trust_broker = trust_broker
        self._acl: AclState = "unknown"

    def record_acl(self, state: AclState) -> None:
        """Record whether the broker has an ACL, and log a change for the worse."""
        before, self._acl = self._acl, state
        if state != before:
            for warning in self.warnings:
                log.warning("%s", warning)

    @property
    def warnings(self) -> tuple[str, ...]:
        if self._trust_broker or self._acl != "open":
            return ()
        return (
            f"The broker has no ACL: it delivers a message on {self._topic}, which no login needs. Every program that"
            " reaches the broker may enrol, rename and remove people. Erasing, importing, exporting and the audit are"
            " off over MQTT. Give the broker an ACL (docs/how-to/logins-and-tls.md), or set mqtt.trust_broker to true"
            " if you trust every program on it.",
        )

    def limit(self, address: Address) -> Caller:
        """Return the caller of a command, with a lower role if the operation is off or the broker has no ACL.

        Without an ACL anybody may use the topics of the caller.
        """
        caller = address.origin.caller
        return replace(caller, role=OPEN_BROKER_ROLE) if self._is_limited(address) else caller

    def explain(self, address: Address, error: Forbidden) -> GatewayError:
        """Return the refusal of a command with the setting that it follows from."""
        operation = address.operation
        if address.origin.caller.role == "nobody":
            return Forbidden(f"{error}: give the login a role in mqtt.users")
        if not self._is_limited(address):
            return error
        if self._is_off(operation):
            command = f"facegate {operation.replace('/', ' ')}"
            return Forbidden(f"{operation} is off over MQTT: set mqtt.export to true, use REST, or use {command}")
        if _shows_secret(address):
            return Forbidden(
                f"the reply to {operation} has a token, which others may read on {address.reply_topic}: send the"
                f" command to bridge/user/<login>/request/{operation} without another Response Topic, use REST, or use"
                f" facegate {operation.replace('/', ' ')}"
            )
        if self._acl == "unknown":
            return Busy(
                "it is not known yet whether the broker has an ACL: try again later, or set mqtt.trust_broker to true",
                RETRY_S,
            )
        return Forbidden(
            f"{error}, since the broker has no ACL: give it one (docs/how-to/logins-and-tls.md), or set"
            " mqtt.trust_broker to true"
        )

    def _is_limited(self, address: Address) -> bool:
        has_acl = self._trust_broker or self._acl == "enforced"
        is_open = self._is_off(address.operation) or _shows_secret(address) or not has_acl
        return address.origin.caller.may(NEXT_ROLE) and is_open

    def _is_off(self, operation: str) -> bool:
        # Every login that the broker lets read the topic of the reply receives the export too.
        return operation in EXPORTS and not self._export


def _shows_secret(address: Address) -> bool:
    """Return whether others than the sender may read the reply, which has a token."""
    return address.operation in SECRET_REPLIES and not address.private
