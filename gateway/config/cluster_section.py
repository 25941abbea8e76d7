"""The section ``cluster``: several gateways that work as one."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from gateway.config.field_types import Seconds
from gateway.config.section import Section
from gateway.model import CAMERA_NAME


class ClusterSettings(Section):
    """``cluster``: this gateway as a replica of a cluster. ``name``: None for a gateway that works alone."""

    name: str | None = None
    lease_s: float = Field(default=3, ge=1, le=60)
    offline_names_s: Seconds | None = None
    address: str | None = Field(default=None, min_length=1, max_length=200)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str | None) -> str | None:
        # The name is a level of a topic.
        if name is not None and not CAMERA_NAME.fullmatch(name):
            raise ValueError(f"{name[:64]!r} is no name of a cluster: use 1 to 64 characters of A-Z a-z 0-9 _ -")
        return name

    @model_validator(mode="after")
    def _check_times(self) -> ClusterSettings:
        if self.offline_names_s is not None and self.offline_names_s < self.lease_s:
            raise ValueError(
                f"offline_names_s ({self.offline_names_s:g}) is shorter than lease_s ({self.lease_s:g}): a replica"
                " would stop naming people between two renewals of its lease; raise offline_names_s, or lower lease_s"
            )
        return self

    def check_needs(self, postgres_url: object | None, protocol: str) -> None:
        """Raise ValueError if a replica cannot work with this store, or with this version of MQTT."""
        if self.name is not None and postgres_url is None:
            raise ValueError(
                "cluster.name needs a store that all replicas share: set people.store to a database in PostgreSQL, or"
                " remove cluster.name"
            )
        if self.name is not None and protocol == "3.1.1":
            raise ValueError(
                "cluster.name needs MQTT 5, by which the broker shares the requests among the replicas, but"
                ' mqtt.protocol is 3.1.1: set mqtt.protocol to "5" or auto, or remove cluster.name'
            )

    @property
    def names_s(self) -> float:
        """Seconds for which a replica names people without the database."""
        return self.lease_s if self.offline_names_s is None else self.offline_names_s
