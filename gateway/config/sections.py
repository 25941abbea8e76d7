"""The sections of the configuration, one class each. Those about the network are in ``network_sections.py``.

``config/gateway.yaml`` describes every setting."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_serializer, field_validator, model_validator

from gateway.config.field_types import (
    Corners,
    Days,
    ErrorRate,
    FaceSize,
    FilePath,
    Fraction,
    Seconds,
)
from gateway.config.section import Section
from gateway.cores import usable_cores
from gateway.model import (
    DescriptorPrecision,
    DetectionMethod,
    DetectorPrecision,
    Operation,
    PictureLimits,
    Rotation,
    SizeLimit,
)


class WorkerSettings(Section):
    """``workers``: the worker processes, and the queue of requests for them."""

    processes: int = Field(default=0, ge=0, le=128)
    picture_s: Seconds = 10
    queue: int = Field(default=24, ge=1, le=10_000)
    queue_per_camera: int = Field(default=4, ge=1, le=10_000)
    queue_bytes: int = Field(default=64_000_000, ge=1_000_000)
    growth_bytes: int = Field(default=400_000_000, ge=100_000_000)
    confined: bool = True

    @property
    def count(self) -> int:
        """The number of worker processes: ``processes``, or one for each core that this process may use."""
        return self.processes or usable_cores()


class UploadSettings(Section):
    """``uploads``: pictures that arrive in pieces."""

    pieces: int = Field(default=256, ge=2, le=9_999)
    per_camera: int = Field(default=2, ge=1, le=100)
    at_once: int = Field(default=64, ge=1, le=1000)
    bytes: int = Field(default=100_000_000, ge=100_000)
    idle_s: Seconds = 5
    keep_s: Seconds = 60


class LimitSettings(Section):
    """``limits``: the largest pictures, and the longest wait of a request."""

    bytes: int = Field(default=10_000_000, ge=1_000)
    file_bytes: int = Field(default=25_000_000, ge=1_000)
    pixels: int = Field(default=25_000_000, ge=10_000, le=150_000_000)
    jpeg_pixels: int = Field(default=65_000_000, ge=10_000, le=150_000_000)
    side: int = Field(default=16_384, ge=100, le=65_535)
    request_s: Seconds = 60

    @property
    def picture(self) -> PictureLimits:
        """The limits of a decoded picture."""
        return PictureLimits(self.pixels, self.side, self.jpeg_pixels)

    @property
    def camera(self) -> SizeLimit:
        """The limit of a picture from a camera."""
        return SizeLimit(self.bytes, "limits.bytes")

    @property
    def file(self) -> SizeLimit:
        """The limit of a picture over REST, in a folder or for a command. A camera's limit applies if it is larger."""
        return SizeLimit(self.file_bytes, "limits.file_bytes") if self.file_bytes > self.bytes else self.camera

    @property
    def message_bytes(self) -> int:
        """The largest message: two pictures in base64, and their JSON."""
        return 3 * self.bytes

    @property
    def body_bytes(self) -> int:
        """The largest body of a REST request: two pictures in base64, and their JSON."""
        return 3 * self.file.bytes


class DecisionSettings(Section):
    """``decision``: how often the gateway may be wrong."""

    max_false_identification: ErrorRate = 0.01
    max_false_match: ErrorRate = 0.001
    fixed_identification: Fraction | None = None
    fixed_verification: Fraction | None = None
    failed_verifications_per_hour: int = Field(default=240, ge=1, le=1_000_000)


class QualitySettings(Section):
    """``quality``: the limits below which a face is not used to name a person."""

    pixels: int = Field(default=50, ge=0, le=10_000)
    brightness: Fraction = 0.06
    sharpness: Fraction = 0.1
    pose: Fraction = 0.05
    inside: Fraction = 0.6
    clean: Fraction = 0.0


class EnrolmentSettings(QualitySettings):
    """``enrolment``: the limits below which a face is not enrolled."""

    pixels: int = Field(default=60, ge=0, le=10_000)
    brightness: Fraction = 0.12
    sharpness: Fraction = 0.55
    clean: Fraction = 0.56


SQLITE = "sqlite"
"""The store in the data folder, as ``people.store`` names it."""

POSTGRESQL = "postgresql://"
"""The beginning of ``people.store`` for a store in PostgreSQL. The rest is a secret: it has the password."""


class PeopleSettings(Section):
    """``people``: enrolled people, and the data that is stored about them."""

    store: SecretStr = SecretStr(SQLITE)
    folder: FilePath = Path("known_faces")
    rescan_s: Seconds = 5
    most: int = Field(default=20_000, ge=1, le=1_000_000)
    pictures_per_person: int = Field(default=100, ge=1, le=10_000)
    enrolments_per_hour: int = Field(default=600, ge=1, le=1_000_000)
    keep: Literal["nothing", "chips", "pictures"] = "chips"
    keep_days: Days | None = None
    key: SecretStr | None = None
    key_file: FilePath | None = None

    @field_validator("store")
    @classmethod
    def _check_store(cls, store: SecretStr) -> SecretStr:
        # The message must not contain the value.
        if (text := store.get_secret_value()) != SQLITE and not text.startswith(POSTGRESQL):
            raise ValueError(f"expected {SQLITE}, or an address as {POSTGRESQL}USER:PASSWORD@HOST/DATABASE")
        return store

    @field_serializer("store")
    def _hide_store(self, store: SecretStr) -> str:
        return SQLITE if self.postgres_url is None else f"{POSTGRESQL}**********"

    @property
    def postgres_url(self) -> str | None:
        """The address of the store in PostgreSQL, with the password; None for the store in SQLite."""
        text = self.store.get_secret_value()
        return None if text == SQLITE else text


class BackupSettings(Section):
    """``backups``: the backups that the gateway makes by itself in the data folder."""

    every_h: int = Field(default=24, ge=0, le=8_760)
    keep: int = Field(default=7, ge=1, le=1_000)


class AuditSettings(Section):
    """``audit``: the number and the age of its lines."""

    most: int = Field(default=200_000, ge=1_000, le=10_000_000)
    keep_days: Days | None = None


class UnknownSettings(Section):
    """``unknowns``: groups of faces that belong to no enrolled person."""

    most: int = Field(default=200, ge=0, le=5_000)
    keep_days: Days = 14


class DetectionSettings(Section):
    """``detection``: how faces are searched for, and their sizes."""

    method: DetectionMethod = "two-stage"
    min_face: FaceSize = 56
    max_face: FaceSize | None = None

    @model_validator(mode="after")
    def _check_order(self) -> DetectionSettings:
        if self.max_face is not None and self.max_face < self.min_face:
            raise ValueError(f"max_face ({self.max_face}) is smaller than min_face ({self.min_face})")
        return self


class PrecisionSettings(Section):
    """``precision``: the number formats in which the networks compute."""

    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"


class CameraSettings(Section):
    """``cameras.<name>``: the settings of one camera. None means the setting for all cameras."""

    operations: tuple[Operation, ...] | None = None
    min_face: FaceSize | None = None
    max_face: FaceSize | None = None
    only: tuple[Corners, ...] = ()
    never: tuple[Corners, ...] = ()
    rotate: Rotation = 0
    mirror: bool = False
