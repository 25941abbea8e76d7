"""The data that travels through the gateway: frozen, validated when it is made, without I/O."""

from __future__ import annotations

from gateway.model.caller import Caller
from gateway.model.faces import ENROLMENT_LIMITS, Analysis, Descriptor, FoundFace, Quality, QualityLimits, Timing
from gateway.model.geometry import Box, Image, Landmarks, Mounting, PictureLimits, Points, Polygon, Rotation
from gateway.model.names import PERSON_ID
from gateway.model.people import Judgement, Likeness, Person, QualityProblem, Verdict
from gateway.model.replies import Comparison, Detection, Enrolment, Face, Recognition, Reply
from gateway.model.requests import (
    CAMERA_NAME,
    MAX_CAMERA_LENGTH,
    MAX_PICTURES_AT_ONCE,
    REQUEST_ID,
    RESERVED_CAMERAS,
    AdministrationRequest,
    Effect,
    Operation,
    Origin,
    Request,
    SizeLimit,
)
from gateway.model.tasks import (
    AnalyseTask,
    DescriptorPrecision,
    DetectorPrecision,
    DrawTask,
    EngineName,
    FaceMark,
    LandmarkCount,
    Purpose,
    RedescribeTask,
    Search,
    Task,
)

__all__ = [
    "CAMERA_NAME",
    "ENROLMENT_LIMITS",
    "MAX_CAMERA_LENGTH",
    "MAX_PICTURES_AT_ONCE",
    "PERSON_ID",
    "REQUEST_ID",
    "RESERVED_CAMERAS",
    "AdministrationRequest",
    "AnalyseTask",
    "Analysis",
    "Box",
    "Caller",
    "Comparison",
    "Descriptor",
    "DescriptorPrecision",
    "Detection",
    "DetectorPrecision",
    "DrawTask",
    "Effect",
    "EngineName",
    "Enrolment",
    "Face",
    "FaceMark",
    "FoundFace",
    "Image",
    "Judgement",
    "LandmarkCount",
    "Landmarks",
    "Likeness",
    "Mounting",
    "Operation",
    "Origin",
    "Person",
    "PictureLimits",
    "Points",
    "Polygon",
    "Purpose",
    "Quality",
    "QualityLimits",
    "QualityProblem",
    "Recognition",
    "RedescribeTask",
    "Reply",
    "Request",
    "Rotation",
    "Search",
    "SizeLimit",
    "Task",
    "Timing",
    "Verdict",
]
