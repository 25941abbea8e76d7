"""Replies in bytes: a JSON document, and a verdict of a few words for devices that read no JSON."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.contract.base import Document, dump
from gateway.contract.errors import write_command_error, write_command_reply, write_error
from gateway.contract.replies import write_reply
from gateway.contract.verdict import write_error_verdict, write_verdict
from gateway.errors import GatewayError
from gateway.model import Reply
from gateway.mqtt.codec.topics import Address


@dataclass(frozen=True, slots=True)
class Outbound:
    """A reply as it is published. ``document``: JSON in UTF-8. ``verdict``: at most 64 bytes of ASCII."""

    document: bytes
    verdict: str


def write_result(address: Address, reply: Reply) -> Outbound:
    """Return the reply to a camera."""
    return Outbound(dump(write_reply(address.origin, address.operation, reply)), write_verdict(reply))


def write_done(document: Document, transaction: str | None) -> Outbound:
    """Return the reply to an administrator."""
    return Outbound(dump(write_command_reply(document, transaction)), "ok")


def write_failure(address: Address, error: GatewayError, transaction: str | None = None) -> Outbound:
    """Return the error for a camera or an administrator. ``transaction``: of an administrator's command."""
    if address.origin.caller.role != "camera":
        return Outbound(dump(write_command_error(error, transaction)), write_error_verdict(error))
    return Outbound(dump(write_error(address.origin, address.operation, error)), write_error_verdict(error))
