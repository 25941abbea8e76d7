"""Settings: one frozen tree, read once at start from a YAML file and the environment.

``FACEGATE_MQTT__HOST`` overrides ``mqtt.host``; lists and maps are given as JSON. Every setting is described in
``config/gateway.yaml``, which a test holds to the defaults here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from gateway.errors import ConfigError
from gateway.files.yaml_file import read_yaml
from gateway.model import (
    CAMERA,
    MAX_CAMERA_LENGTH,
    RESERVED_CAMERAS,
    DescriptorPrecision,
    DetectorPrecision,
    EngineName,
    Operation,
    PictureLimits,
    Rotation,
    Search,
)

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(ge=1e-4, le=0.5)]
Days = Annotated[float, Field(gt=0, le=36_500)]
Pixels = Annotated[int, Field(ge=20, le=10_000)]
Coordinate = Annotated[float, Field(ge=0, le=1)]
Corners = Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(min_length=3, max_length=64)]


def _home_path(value: object) -> object:
    """``~`` is the home folder, which a shell would make of it. Raise ValueError for what names no file."""
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("it names no file or folder")
    if not value.startswith("~"):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{value.split('/')[0]} is the home folder of no user: write ./~ for a folder of that name"
        ) from None


File = Annotated[Path, BeforeValidator(_home_path)]

HOST_NAME = re.compile(r"[^\s:/@?#*,\[\]]+|\[?[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]?")
"""A name or an IP address, without scheme and port."""

PREFIX = "FACEGATE_"
CONFIG_VARIABLE = "FACEGATE_CONFIG"
"""Names the configuration file, and is no setting."""

DEFAULT_OPERATIONS = tuple(operation for operation in Operation if operation is not Operation.ENROLL)
"""What changes nobody: a camera on the network is not trusted with more unless it is said."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TlsSettings(_Section):
    enabled: bool = False
    ca: File | None = None
    cert: File | None = None
    key: File | None = None

    @model_validator(mode="after")
    def _no_plain_text(self) -> TlsSettings:
        given = [name for name in ("ca", "cert", "key") if getattr(self, name) is not None]
        if given and not self.enabled:
            raise ValueError(
                f"{' and '.join(given)} given, but TLS is not enabled, and all would be sent in plain text:"
                " set mqtt.tls.enabled to true, or take them out"
            )
        if self.key is not None and self.cert is None:
            raise ValueError("key is given without the cert that it belongs to")
        return self


class MqttSettings(_Section):
    host: str = Field(default="localhost", min_length=1)
    port: Port = 1883
    user: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings = TlsSettings()
    base: str = Field(default="facegate", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,3}$")
    client_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: int = Field(default=20, ge=5, le=3600)
    answer_s: Seconds = 10
    window: int = Field(default=1000, ge=1, le=10_000)
    response_topics: tuple[str, ...] = ()
    max_queued: int = Field(default=1000, ge=1)

    @field_validator("host")
    @classmethod
    def _host_alone(cls, host: str) -> str:
        # the zone of a link-local address, as in fe80::1%eth0
        if host.startswith("[") or not HOST_NAME.fullmatch(host.partition("%")[0]):
            raise ValueError(f"{host!r} is not a host name: write the host name alone; the port is mqtt.port")
        return host

    @field_validator("response_topics")
    @classmethod
    def _prefixes(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not topic or topic.startswith(("$", "/")) or set(topic) & set("+#\0"):
                raise ValueError(f"{topic!r} cannot be the beginning of a topic to publish on")
        return topics


class RestSettings(_Section):
    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    port: Port = 5001
    threads: int = Field(default=48, ge=1, le=256)

    @field_validator("hosts")
    @classmethod
    def _host_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not HOST_NAME.fullmatch(host):
                raise ValueError(f"{host!r} is not a host name: write the name alone, as pi.local")
        return hosts


class WorkerSettings(_Section):
    processes: int = Field(default=0, ge=0, le=128)
    picture_s: Seconds = 10
    queue: int = Field(default=24, ge=1, le=10_000)
    queue_per_camera: int = Field(default=4, ge=1, le=10_000)
    queue_bytes: int = Field(default=64_000_000, ge=1_000_000)
    growth_bytes: int = Field(default=400_000_000, ge=100_000_000)

    @property
    def count(self) -> int:
        """One for each core that this process may use, unless set."""
        if self.processes:
            return self.processes
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class UploadSettings(_Section):
    pieces: int = Field(default=256, ge=2, le=9_999)
    per_camera: int = Field(default=2, ge=1, le=100)
    at_once: int = Field(default=64, ge=1, le=1000)
    bytes: int = Field(default=100_000_000, ge=100_000)
    idle_s: Seconds = 5
    keep_s: Seconds = 60


class LimitSettings(_Section):
    bytes: int = Field(default=10_000_000, ge=1_000)
    pixels: int = Field(default=25_000_000, ge=10_000, le=150_000_000)
    side: int = Field(default=16_384, ge=100, le=65_535)
    request_s: Seconds = 60

    @property
    def picture(self) -> PictureLimits:
        return PictureLimits(self.pixels, self.side)

    @property
    def message_bytes(self) -> int:
        """A whole message: two pictures in base64, and some room about them."""
        return 3 * self.bytes


class DecisionSettings(_Section):
    max_false_identification: Share = 0.01
    max_false_match: Share = 0.001
    fixed_identification: Coordinate | None = None
    fixed_verification: Coordinate | None = None


class QualitySettings(_Section):
    pixels: int = Field(default=50, ge=0, le=10_000)
    brightness: Coordinate = 0.06
    sharpness: Coordinate = 0.1
    pose: Coordinate = 0.05
    inside: Coordinate = 0.6
    clean: Coordinate = 0.0


class EnrolmentSettings(QualitySettings):
    """The quality that a picture must have to be enrolled."""

    pixels: int = Field(default=60, ge=0, le=10_000)
    brightness: Coordinate = 0.12
    sharpness: Coordinate = 0.55
    clean: Coordinate = 0.56


class PeopleSettings(_Section):
    folder: File = Path("known_faces")
    rescan_s: Seconds = 5
    most: int = Field(default=20_000, ge=1, le=1_000_000)
    pictures_per_person: int = Field(default=100, ge=1, le=10_000)
    enrolments_per_hour: int = Field(default=600, ge=1, le=1_000_000)
    keep: Literal["nothing", "chips", "pictures"] = "chips"
    keep_days: Days | None = None
    key: SecretStr | None = None
    key_file: File | None = None


class UnknownSettings(_Section):
    most: int = Field(default=200, ge=0, le=5_000)
    keep_days: Days = 14


class DetectionSettings(_Section):
    min_face: Pixels = 56
    max_face: Pixels | None = None

    @model_validator(mode="after")
    def _some_between(self) -> DetectionSettings:
        if self.max_face is not None and self.max_face < self.min_face:
            raise ValueError("max_face is smaller than min_face")
        return self


class PrecisionSettings(_Section):
    detector: DetectorPrecision = "auto"
    descriptor: DescriptorPrecision = "auto"


class CameraSettings(_Section):
    """What is None is as for all cameras."""

    operations: tuple[Operation, ...] | None = None
    min_face: Pixels | None = None
    max_face: Pixels | None = None
    only: tuple[Corners, ...] = ()
    never: tuple[Corners, ...] = ()
    rotate: Rotation = 0


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", allow_inf_nan=False
    )

    data: File = Path("data")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    engine: EngineName = "facegate"
    landmarks_68: bool = True
    mqtt: MqttSettings = MqttSettings()
    rest: RestSettings = RestSettings()
    workers: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    uploads: UploadSettings = UploadSettings()
    detection: DetectionSettings = DetectionSettings()
    precision: PrecisionSettings = PrecisionSettings()
    decision: DecisionSettings = DecisionSettings()
    quality: QualitySettings = QualitySettings()
    enrolment: EnrolmentSettings = EnrolmentSettings()
    people: PeopleSettings = PeopleSettings()
    unknowns: UnknownSettings = UnknownSettings()
    operations: tuple[Operation, ...] = DEFAULT_OPERATIONS
    cameras: Mapping[str, CameraSettings] = {}

    @field_validator("cameras")
    @classmethod
    def _camera_names(cls, cameras: Mapping[str, CameraSettings]) -> Mapping[str, CameraSettings]:
        for name in cameras:
            if not CAMERA.fullmatch(name) or name in RESERVED_CAMERAS:
                raise ValueError(
                    f"{name!r} cannot be the name of a camera:"
                    f" it is 1 to {MAX_CAMERA_LENGTH} of A-Z a-z 0-9 _ -, and not bridge"
                )
        return cameras

    @model_validator(mode="after")
    def _cameras_see(self) -> Settings:
        for name in self.cameras:
            search = self.search_of(name)
            if search.max_face is not None and search.max_face < search.min_face:
                raise ValueError(
                    f"cameras.{name}: max_face ({search.max_face}) is smaller than min_face ({search.min_face})"
                )
        return self

    def operations_of(self, camera: str) -> tuple[Operation, ...]:
        """What this camera may ask for: its own setting, else the one for all."""
        own = self.cameras.get(camera)
        return self.operations if own is None or own.operations is None else own.operations

    def search_of(self, camera: str | None) -> Search:
        """Which faces are looked for in pictures of this camera, or of one over REST."""
        own = self.cameras.get(camera or "", CameraSettings())
        return Search(
            own.min_face or self.detection.min_face,
            own.max_face or self.detection.max_face,
            own.only,
            own.never,
            own.rotate,
        )

    def rotation_of(self, camera: str) -> Rotation:
        """By how much pictures of this camera are turned before anything else."""
        return self.search_of(camera).rotate

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes in as arguments."""
        return _Environment(settings_cls), init_settings


def load(path: Path | None = None, *, data: Path | None = None) -> Settings:
    """The file's settings with the environment's on top. Raises ConfigError naming the path of what is wrong.

    ``data``: goes before the file's own setting, and after FACEGATE_DATA.
    """
    content = read_yaml(path) if path else {}
    if data is not None:
        content["data"] = str(data)
    _check_cases()
    unknown = list(_unknown_variables())
    if unknown:
        raise ConfigError(f"The environment sets what does not exist: {', '.join(unknown)}.")
    strange = ", ".join(sorted(content.keys() - Settings.model_fields.keys()))
    if strange:  # some of them would be taken for arguments of pydantic-settings' own
        raise ConfigError(f"The configuration ({path}) cannot be used: {strange}: no such setting.")
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path)) from None
    except SettingsError as error:
        why = f": {error.__cause__}" if isinstance(error.__cause__, ValueError) else ""
        raise ConfigError(f"The environment cannot be used: {error}{why} (lists and maps are given as JSON).") from None


class _Environment(EnvSettingsSource):
    """The environment's variables, with JSON that is read strictly."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Raise ValueError for what is no JSON, for a key that stands twice, and for levels without end."""
        try:
            return json.loads(value, object_pairs_hook=_without_doubles)
        except RecursionError:
            raise ValueError("it has too many levels within each other") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"{doubled} stands twice, and the second would replace the first")
    return found


def _check_cases() -> None:
    """Raise ConfigError for two variables that are one setting: their case makes no difference."""
    found: dict[str, str] = {}
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and (other := found.setdefault(variable.upper(), variable)) != variable:
            raise ConfigError(f"The environment sets {other} and {variable}, which are one setting: unset one of them.")


def _unknown_variables() -> Iterator[str]:
    """A mistyped variable would else be ignored in silence."""
    for variable in os.environ:
        if variable == CONFIG_VARIABLE:
            continue
        if variable.upper().startswith(PREFIX) and not _exists(variable[len(PREFIX) :].lower().split("__")):
            yield variable


def _exists(keys: list[str]) -> bool:
    fields = Settings.model_fields
    for depth, key in enumerate(keys, 1):
        if key not in fields:
            return False
        kind = fields[key].annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return depth == len(keys)
        fields = kind.model_fields
    return True


_IN_OUR_WORDS = {
    "extra_forbidden": "no such setting",
    "model_type": "it must be a map of settings",
    "model_attributes_type": "it must be a map of settings",
    "path_type": "it must be a path (a lone ~ is empty in YAML: write ~/folder)",
    "string_type": "it must be text: put quotes around it",
    "tuple_type": "it must be a list, as [a, b]",
    "dict_type": "it must be a map, name: value",
    "mapping_type": "it must be a map, name: value",
    "too_short": "it has {actual_length} entries, and needs at least {min_length}",
    "too_long": "it has more than {max_length} entries",
    "string_too_short": "it is empty",
}
"""By pydantic's type of a problem, with the names of its context in braces."""

_PATTERNS = {
    "mqtt.base": "it must be one to four levels of A-Z a-z 0-9 _ -, with / between them, as site/facegate",
    "mqtt.client_id": "it must be 1 to 64 of A-Z a-z 0-9 _ -",
}


def _message(key: str, problem: ErrorDetails) -> str:
    if problem["type"] == "string_pattern_mismatch" and key in _PATTERNS:
        return _PATTERNS[key]
    if problem["type"].startswith("model_") and problem["input"] is None:
        return "nothing stands below it: take the line out"
    if words := _IN_OUR_WORDS.get(problem["type"]):
        return words.format(**problem.get("ctx", {}))
    return problem["msg"].removeprefix("Value error, ")


def _sentence(error: ValidationError, path: Path | None) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        problems.append(f"{key}: {_message(key, problem)}")
    return f"The configuration{f' ({path})' if path else ''} cannot be used: {'; '.join(problems)}."
