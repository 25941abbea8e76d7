"""The settings, from a YAML file and the environment.

``config/gateway.yaml`` describes every setting. A test compares it with the defaults here.
"""

from __future__ import annotations

from gateway.config.environment import CONFIG_VARIABLE, VARIABLE_PREFIX
from gateway.config.load import load
from gateway.config.network_sections import IngressSettings, MqttSettings, RestSettings
from gateway.config.sections import (
    CameraSettings,
    DecisionSettings,
    LimitSettings,
    UploadSettings,
    WorkerSettings,
)
from gateway.config.settings import DEFAULT_OPERATIONS, Settings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_OPERATIONS",
    "VARIABLE_PREFIX",
    "CameraSettings",
    "DecisionSettings",
    "IngressSettings",
    "LimitSettings",
    "MqttSettings",
    "RestSettings",
    "Settings",
    "UploadSettings",
    "WorkerSettings",
    "load",
]
