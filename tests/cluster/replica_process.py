"""A replica in a process of its own, for tests that stop the process.

python -m tests.cluster.replica_process URL NAME LEASE_S. At SIGTERM it prints its observations as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import threading

from gateway.cluster.membership import Membership, MembershipSettings
from gateway.store.postgres.coordination import PostgresCoordination
from tests.cluster.support import IDENTITY, Observations


def main() -> None:
    url, name, lease_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    own = PostgresCoordination(url, lease_s)
    settings = MembershipSettings(IDENTITY, lease_s, lease_s)
    membership = Membership(name, lambda: PostgresCoordination(url, lease_s), settings, own.read_revision)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    observations = Observations()
    membership.start()
    while not ending.wait(0.001):
        observations.look(name, membership)
    membership.stop()
    own.close()
    print(json.dumps([dataclasses.asdict(each) for each in observations.samples]))


if __name__ == "__main__":
    main()
