"""The command ``facegate cluster``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gateway.cli.cluster_view import read_own_cluster
from gateway.cli.operations import errors_as_messages
from gateway.cli.options import CONFIG_OPTION, JSON_OPTION
from gateway.cli.output import print_table
from gateway.config.find import find_and_load
from gateway.model.cluster import ClusterView, Replica


@click.command("cluster", short_help="Print the replicas of a cluster, and who owns which camera.")
@CONFIG_OPTION
@JSON_OPTION
def cluster(config: Path | None, as_json: bool) -> None:
    """Print the replicas of a cluster with their leases, the leader, and the owner of each camera.

    The command asks the database, so it works while no replica runs. The exit code is 1 if nobody leads, a camera
    has no owner, a live replica is not connected to the broker, or the live replicas belong to another cluster than the
    settings.
    """
    with errors_as_messages():
        settings = find_and_load(config).settings
        view = read_own_cluster(settings)
    if as_json:
        click.echo(json.dumps(_document(settings.cluster.name, view), ensure_ascii=False))
    else:
        _print(view)
    sys.exit(0 if _works(view) else 1)


def _works(view: ClusterView) -> bool:
    """Return whether a replica leads, all cameras have an owner, and all live replicas reach the broker."""
    reaches_broker = all(each.connected for each in view.replicas if each.is_live)
    return view.live_leader is not None and not view.cameras_without_owner and reaches_broker


def _document(name: str | None, view: ClusterView) -> dict[str, object]:
    return {
        "cluster": name,
        "leader": view.live_leader,
        "epoch": view.epoch,
        "replicas": [
            {
                "replica": each.id,
                "state": view.state_of(each),
                "broker": _broker(each) or None,
                "lease_left_s": round(each.lease_left_s, 1),
                "address": each.address,
                "version": each.version,
                "cameras": list(view.cameras_of(each.id)) if each.is_live else [],
            }
            for each in view.replicas
        ],
        "cameras_without_owner": list(view.cameras_without_owner),
    }


def _print(view: ClusterView) -> None:
    if not view.replicas:
        click.echo("no replica has joined this cluster yet")
        return
    columns = "replica", "state", "broker", "lease", "cameras", "version", "address"
    print_table(columns, [_row(view, each) for each in view.replicas])
    without = set(view.cameras_without_owner)
    cameras = [(each.name, "nobody" if each.name in without else each.owner or "") for each in view.cameras]
    if cameras:
        print_table(("camera", "owner"), cameras)


def _row(view: ClusterView, replica: Replica) -> tuple[str, ...]:
    left_s = replica.lease_left_s
    lease = f"{left_s:.1f} s left" if replica.is_live else f"ended {-left_s:.0f} s ago"
    number = len(view.cameras_of(replica.id)) if replica.is_live else 0
    return (
        replica.id,
        view.state_of(replica),
        _broker(replica),
        lease,
        str(number),
        replica.version,
        replica.address or "",
    )


def _broker(replica: Replica) -> str:
    """Return in one word whether a live replica has its connections to the broker."""
    if not replica.is_live:
        return ""
    return "connected" if replica.connected else "connecting"
