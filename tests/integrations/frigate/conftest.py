"""Stand-ins for Frigate and go2rtc, and the clients of this gateway for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.frigate_stand_in import FrigateStandIn, Go2rtcStandIn, User, Version
from gateway.config.frigate_section import FrigateSettings
from gateway.integrations.frigate.server import FrigateServer

StartFrigate = Callable[..., FrigateStandIn]

MAX_BYTES = 10_000_000


@pytest.fixture(params=["0.16", "0.17", "0.18"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture
def start_frigate() -> Iterator[StartFrigate]:
    """A function that starts a stand-in: port 5000, or port 8971 if it gets users."""
    with ExitStack() as stack:

        def start(version: Version = "0.18", users: dict[str, User] | None = None) -> FrigateStandIn:
            stand_in = FrigateStandIn(version, users)
            stack.enter_context(stand_in.running())
            return stand_in

        yield start


@pytest.fixture
def frigate(start_frigate: StartFrigate, version: Version) -> FrigateStandIn:
    """Each version of Frigate, on its open port."""
    return start_frigate(version)


@pytest.fixture
def go2rtc() -> Iterator[Go2rtcStandIn]:
    stand_in = Go2rtcStandIn()
    with stand_in.running():
        yield stand_in


def settings_for(stand_in: FrigateStandIn, **changes: Any) -> FrigateSettings:
    return FrigateSettings.model_validate({"url": stand_in.url, **changes})


def client_of(stand_in: FrigateStandIn, max_bytes: int = MAX_BYTES, **changes: Any) -> FrigateServer:
    """Return the client of this gateway for a stand-in. ``changes``: of its settings."""
    return FrigateServer("home", settings_for(stand_in, **changes), max_bytes)
