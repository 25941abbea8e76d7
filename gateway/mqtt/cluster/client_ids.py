"""The client ids of a replica. Only programs that can read the database know them.

The broker ends a connection when another client connects with its client id, and no ACL forbids that. So each client
id has a part that follows from a secret in the database, which all replicas share. The secret has no other use. Dumps
do not contain it: a restored database makes another one.
"""

from __future__ import annotations

import hashlib
import hmac
import logging

from gateway.errors import Busy
from gateway.mqtt.transport.reconnector import NotYet
from gateway.store.protocols.broker_notes import BrokerNotes

log = logging.getLogger(__name__)

HIDDEN_DIGITS = 24
"""Hexadecimal digits of the hidden part: 96 bits, which nobody tries out at a broker."""


class ClientIds:
    """The client ids. Each property raises NotYet while the secret is unknown, and the database is away.

    ``own``: the client id of this installation, which other replicas may have too. ``replica``: the id of this replica.
    """

    def __init__(self, own: str, replica: str, cluster: str, notes: BrokerNotes) -> None:
        self._own = f"{own}-{replica}"
        self._leader = f"facegate-{cluster}-leader"
        self._notes = notes
        self._secret: bytes | None = None

    @property
    def requests(self) -> str:
        return self._hide(self._own)

    @property
    def frames(self) -> str:
        return self._hide(f"{self._own}-live")

    @property
    def leader(self) -> str:
        """The same for each leader of the cluster, so that a leader continues the session of the one before."""
        return self._hide(self._leader)

    def _hide(self, name: str) -> str:
        """Return the name with its hidden part."""
        if self._secret is None:
            try:
                self._secret = self._notes.get_secret()
            except Busy as error:
                log.debug("the client ids are known when the database answers: %s", error)
                raise NotYet from None
        hidden = hmac.new(self._secret, f"MQTT client id {name}".encode(), hashlib.sha256)
        return f"{name}-{hidden.hexdigest()[:HIDDEN_DIGITS]}"
