"""Commands of administrators on ``bridge/request``, and of users on ``bridge/user/<login>/request``."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.contract.operations import changes, check_command
from gateway.errors import BadRequest, Expired, Forbidden, Timeout, Unsupported, code_of, shutting_down_error
from gateway.formats.text_encodings import quote_value
from gateway.metrics import Metrics
from gateway.model import AdministrationRequest, Caller, Effect
from gateway.mqtt.bridge.command_access import CommandAccess
from gateway.mqtt.codec.inbound import Command, Reader, digest, take_transaction
from gateway.mqtt.codec.outbound import Outbound, write_done
from gateway.mqtt.codec.topics import Address
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.delivery.watchdog import claim_before_giving_up
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session
from gateway.service.futures import then
from gateway.service.service import Submit


class BridgeCommands:
    """The handler of commands. ``answer_s``: the setting mqtt.answer_s."""

    def __init__(
        self,
        submit: Submit,
        access: CommandAccess,
        reader: Reader,
        validity: Validity,
        outbox: Outbox,
        metrics: Metrics,
        *,
        answer_s: float,
    ) -> None:
        self._submit = submit
        self._access = access
        self._reader = reader
        self._validity = validity
        self._outbox = outbox
        self._metrics = metrics
        self._answer_s = answer_s

    def handle(self, delivery: Delivery[Session], command: Command) -> None:
        """Answer when the command is done. Raises BadRequest if the fields or the transaction cannot be read."""
        address = command.address
        caller = self._access.limit(address)
        is_allowed = _is_allowed(caller, address.operation)
        fields, transaction = self._read(command, required=is_allowed)
        fail = partial(self._outbox.fail, delivery, address, transaction=transaction)
        try:
            is_change = is_allowed and changes(address.operation)
            valid_s, too_old = self._validity.judge(delivery, suspect=command.suspect, changes=is_change)
            valid_for_s = min(valid_s, self._answer_s)
            deadline = delivery.received_at + valid_for_s
            effect = _effect(command, transaction, deadline) if is_allowed else None
        except Exception as error:
            self._metrics.count_error(code_of(error))
            fail(error)
            return
        slow = Timeout("the command takes longer than mqtt.answer_s: send it over REST")
        delivery.set_give_up(claim_before_giving_up(effect, partial(fail, slow)))
        request = AdministrationRequest(
            operation=address.operation,
            fields=fields,
            origin=replace(address.origin, caller=caller),
            valid_for_s=valid_for_s,
            effect=effect,
        )
        written = then(self._submit(request), lambda result: write_done(result.document(), transaction))
        written.add_done_callback(partial(self._answer, delivery, address, transaction, too_old))

    def _read(self, command: Command, *, required: bool) -> tuple[dict[str, Any], str | None]:
        """Return the fields and the transaction. Raises BadRequest if they cannot be read, but are ``required``."""
        try:
            fields = self._reader.read_fields(command)
            return fields, take_transaction(fields)
        except BadRequest:
            if required:
                raise
            # The service refuses the command, and the audit has the refusal.
            return {}, None

    def _answer(
        self,
        delivery: Delivery[Session],
        address: Address,
        transaction: str | None,
        too_old: Expired | None,
        written: Future[Outbound],
    ) -> None:
        error = shutting_down_error() if written.cancelled() else written.exception()
        if error is None:
            self._outbox.reply(delivery, address, written.result(), transaction=transaction)
        else:
            if isinstance(error, Forbidden):
                error = self._access.explain(address, error)
            elif isinstance(error, Expired):
                error = too_old or error
            self._outbox.fail(delivery, address, error, transaction)


def _is_allowed(caller: Caller, operation: str) -> bool:
    """Return whether the service will not refuse an operation to a caller for its role."""
    try:
        check_command(caller, operation)
    except Forbidden:
        return False
    except Unsupported:
        pass
    return True


def _effect(command: Command, transaction: str | None, deadline: float) -> Effect | None:
    """Return the effect of a command that changes something. Raises BadRequest."""
    operation = command.address.operation
    if not changes(operation):
        return None
    if transaction is None:
        raise BadRequest(f"{operation} needs the field transaction, which identifies a repeated command")
    # Users may choose the same transaction: the key contains the login.
    login = command.address.origin.caller.name
    key = f"bridge/{transaction}" if login is None else f"bridge/user/{login}/{transaction}"
    id_text = f"the transaction {quote_value(transaction)}"
    return Effect(key, digest(command.address, command.payload, {}), deadline, operation, id_text)
