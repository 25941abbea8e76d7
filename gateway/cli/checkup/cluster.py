"""The checks of a cluster: its replicas, its leader, and the owners of its cameras."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli.checkup.finding import Finding, from_error
from gateway.cli.cluster_view import read_own_cluster
from gateway.cli.output import count
from gateway.config import Settings
from gateway.errors import GatewayError

_COMMAND = "facegate cluster"
_MOST_NAMES = 5


def check_cluster(settings: Settings) -> Iterator[Finding]:
    """Check all replicas, as the database knows them. Yield nothing for a gateway that works alone."""
    if settings.cluster.name is None:
        return
    try:
        view = read_own_cluster(settings)
    except GatewayError as error:
        yield from_error("cluster", error)
        return
    live = [each for each in view.replicas if each.is_live]
    lost = [each.address or each.id for each in view.replicas if view.state_of(each) == "lost"]
    if lost:
        reasons = "A lost replica has died, hangs, or does not reach the database: read its log on its machine"
        yield Finding("cluster", "to_do", f"lost: {_list(lost)}. {reasons}", "journalctl -u 'facegate*'")
    if not live:
        if not lost:
            text = f"no replica of the cluster {settings.cluster.name} is running: start one"
            yield Finding("cluster", "advice", text, _COMMAND)
        return
    if view.live_leader is None:
        yield Finding("cluster", "to_do", f"{count(len(live), 'live replica')}, and none leads", _COMMAND)
    else:
        yield Finding("cluster", "ok", f"{count(len(live), 'live replica')}; {view.live_leader} leads")
    if apart := [each.id for each in live if not each.connected]:
        text = f"not connected to the broker: {_list(apart)}; check mqtt.host and the login there"
        yield Finding("cluster", "to_do", text, _COMMAND)
    if free := view.cameras_without_owner:
        yield Finding("cluster", "to_do", f"no replica follows {_list(free)}: see what the replicas say", _COMMAND)


def _list(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else "")
