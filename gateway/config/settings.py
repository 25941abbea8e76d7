"""All settings: one tree, which is read once at start and never changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.config.cluster_section import ClusterSettings
from gateway.config.environment import VARIABLE_PREFIX, StrictEnvironment
from gateway.config.field_types import FilePath, Landmarks68Setting
from gateway.config.frigate_section import FrigateSettings
from gateway.config.gallery_section import GallerySettings
from gateway.config.homeassistant_section import HomeAssistantSettings
from gateway.config.input_sections import InputSettings
from gateway.config.live_sections import IgnoredSettings, LiveSettings, SightingSettings
from gateway.config.network_sections import MqttSettings, RestSettings
from gateway.config.sections import (
    AuditSettings,
    BackupSettings,
    CameraSettings,
    DecisionSettings,
    DetectionSettings,
    EnrolmentSettings,
    LimitSettings,
    PeopleSettings,
    PrecisionSettings,
    QualitySettings,
    UnknownSettings,
    UploadSettings,
    WorkerSettings,
)
from gateway.errors import ConfigError
from gateway.logs import LogFormat
from gateway.model import (
    CAMERA_NAME,
    MAX_CAMERA_LENGTH,
    RESERVED_CAMERAS,
    EngineName,
    Mounting,
    Operation,
    Search,
    SizeLimit,
)

# A camera on the network may not change the enrolled people unless the configuration allows it.
DEFAULT_OPERATIONS = tuple(operation for operation in Operation if operation is not Operation.ENROLL)
"""The operations that change nothing."""


class Settings(BaseSettings):
    """The tree of settings.

    An environment variable overrides a setting: ``FACEGATE_MQTT__HOST`` overrides ``mqtt.host``. Lists and maps are
    given as JSON there.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=VARIABLE_PREFIX, env_nested_delimiter="__", allow_inf_nan=False
    )

    data: FilePath = Path("data")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"
    engine: EngineName = "facegate"
    recogniser: FilePath | None = None
    landmarks_68: Landmarks68Setting = "mesh"
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
    gallery: GallerySettings = GallerySettings()
    backups: BackupSettings = BackupSettings()
    audit: AuditSettings = AuditSettings()
    unknowns: UnknownSettings = UnknownSettings()
    live: LiveSettings = LiveSettings()
    sightings: SightingSettings = SightingSettings()
    ignored: IgnoredSettings = IgnoredSettings()
    inputs: InputSettings = InputSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    frigate: Mapping[str, FrigateSettings] = {}
    cluster: ClusterSettings = ClusterSettings()
    operations: tuple[Operation, ...] = DEFAULT_OPERATIONS
    cameras: Mapping[str, CameraSettings] = {}

    @field_validator("cameras")
    @classmethod
    def _check_camera_names(cls, cameras: Mapping[str, CameraSettings]) -> Mapping[str, CameraSettings]:
        for name in cameras:
            if not CAMERA_NAME.fullmatch(name) or name in RESERVED_CAMERAS:
                raise ValueError(
                    f"{name!r} is not the name of a camera:"
                    f" use 1 to {MAX_CAMERA_LENGTH} characters of A-Z a-z 0-9 _ -; the name bridge is reserved"
                )
        return cameras

    @model_validator(mode="after")
    def _check_topics_of_frigate(self) -> Settings:
        if self.frigate and not self.live.enabled:
            raise ValueError("frigate needs live.enabled: true: without sightings no name can be decided")
        owners = {self.mqtt.base: "mqtt.base"}
        for name, instance in self.frigate.items():
            if not CAMERA_NAME.fullmatch(name):
                raise ValueError(f"frigate.{name[:40]}: use 1 to 64 characters of A-Z a-z 0-9 _ - for the name")
            setting = f"frigate.{name}.topic_prefix"
            if owner := owners.get(instance.topic_prefix):
                raise ValueError(
                    f"{setting}: {owner} is {instance.topic_prefix} too: give each Frigate server a topic_prefix of its"
                    " own, here and in its configuration"
                )
            owners[instance.topic_prefix] = setting
        return self

    @model_validator(mode="after")
    def _check_needs_of_cluster(self) -> Settings:
        self.cluster.check_needs(self.people.postgres_url, self.mqtt.protocol)
        return self

    @model_validator(mode="after")
    def _check_store_of_gallery(self) -> Settings:
        if self.gallery.in_memory is None:
            return self
        if self.people.postgres_url is None:
            raise ValueError(
                "gallery.in_memory needs people in PostgreSQL with pgvector, but people.store is sqlite: set"
                " people.store to a database in PostgreSQL, or remove gallery.in_memory"
            )
        for name in ("key", "key_file"):
            if getattr(self.people, name) is not None:
                raise ValueError(
                    "gallery.in_memory needs vectors that are not encrypted, since PostgreSQL cannot compare encrypted"
                    f" ones, but people.{name} is set: remove gallery.in_memory, and people are compared in memory"
                )
        return self

    @model_validator(mode="after")
    def _check_times_of_live_cameras(self) -> Settings:
        if self.sightings.again_s < self.live.gone_s:
            raise ValueError(
                f"sightings.again_s ({self.sightings.again_s:g}) is shorter than live.gone_s ({self.live.gone_s:g}): a"
                " visit would end while its person is still present; raise again_s, or lower gone_s"
            )
        if self.live.camera_lost_s < self.live.gone_s:
            raise ValueError(
                f"live.camera_lost_s ({self.live.camera_lost_s:g}) is shorter than live.gone_s ({self.live.gone_s:g}):"
                " somebody would be present on a camera that is not connected; raise camera_lost_s, or lower gone_s"
            )
        return self

    @model_validator(mode="after")
    def _check_topics_of_homeassistant(self) -> Settings:
        base, prefix = self.mqtt.base, self.homeassistant.prefix
        if self.homeassistant.enabled and f"{prefix}/".startswith(f"{base}/"):
            raise ValueError(
                f"homeassistant.prefix ({prefix}) is mqtt.base ({base}) or lies in it: the devices would be topics of"
                " cameras; set homeassistant.prefix to the discovery prefix of Home Assistant, by default homeassistant"
            )
        return self

    @model_validator(mode="after")
    def _check_engine_of_recogniser(self) -> Settings:
        if self.recogniser is not None and self.engine != "facegate":
            raise ValueError(f"recogniser needs engine: facegate, but engine is {self.engine}: change one of the two")
        return self

    @model_validator(mode="after")
    def _check_face_sizes_of_cameras(self) -> Settings:
        for name in self.cameras:
            search = self.search_of(name)
            if search.max_face is not None and search.max_face < search.min_face:
                raise ValueError(
                    f"cameras.{name}: max_face ({search.max_face}) is smaller than min_face ({search.min_face})"
                )
        return self

    @model_validator(mode="after")
    def _check_topics_of_inputs(self) -> Settings:
        self.inputs.check_base(self.mqtt.base)
        return self

    @model_validator(mode="after")
    def _check_pulled_cameras_are_followed(self) -> Settings:
        if self.inputs.pull and not self.live.enabled:
            raise ValueError(
                "inputs.pull needs live.enabled: true, since pictures that are pulled get no other answer than events"
            )
        return self

    def with_store(self, place: str) -> Settings:
        """Return these settings with another ``people.store``. Raises ConfigError for a value that is no store."""
        try:
            checked = PeopleSettings.model_validate({"store": place})
        except ValidationError as error:
            # The library's text may quote the value, which contains a password.
            raise ConfigError(f"The store is not valid: {error.errors(include_input=False)[0]['msg']}.") from None
        return self.model_copy(update={"people": self.people.model_copy(update={"store": checked.store})})

    @property
    def configured_cameras(self) -> frozenset[str]:
        """The cameras that the settings name. Others may exist."""
        frigate = (name for instance in self.frigate.values() for name in instance.cameras)
        # The name of a camera may also be a level of a topic: "{camera}".
        topics = (each.camera for each in self.inputs.topics if "{" not in each.camera)
        return frozenset({*self.cameras, *self.inputs.pull, *topics, *frigate})

    def operations_of(self, camera: str) -> tuple[Operation, ...]:
        """Return the operations that this camera may request: its own setting, else the setting for all cameras."""
        own = self.cameras.get(camera)
        return self.operations if own is None or own.operations is None else own.operations

    def search_of(self, camera: str | None) -> Search:
        """Return the search for faces in pictures of this camera, or of REST if ``camera`` is None."""
        own = self.cameras.get(camera or "", CameraSettings())
        return Search(
            own.min_face or self.detection.min_face,
            own.max_face or self.detection.max_face,
            own.only,
            own.never,
            Mounting(own.rotate, own.mirror),
        )

    def size_limit_of(self, camera: str | None) -> SizeLimit:
        """Return the limit of an encoded picture of this camera, or of REST if ``camera`` is None."""
        return self.limits.file if camera is None else self.limits.camera

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first: the environment, then the file, which comes in as arguments."""
        return StrictEnvironment(settings_cls, env_parse_none_str="null"), init_settings
