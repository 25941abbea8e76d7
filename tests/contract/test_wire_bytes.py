"""The documents on the wires are the same, byte for byte, as before there were models for them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from gateway.contract.base import WireModel, dump
from gateway.contract.errors import (
    CommandDocument,
    CommandErrorDocument,
    ErrorDocument,
    ProblemDocument,
    write_command_error,
    write_command_reply,
    write_error,
    write_problem,
)
from gateway.contract.health import (
    BridgeInfoDocument,
    BridgeStateDocument,
    HealthDocument,
    LimitsDocument,
    LivenessDocument,
    write_health,
    write_liveness,
)
from gateway.contract.operations import ADMINISTRATION
from gateway.contract.replies import (
    ComparisonDocument,
    DetectionDocument,
    EnrolmentDocument,
    RecognitionDocument,
    write_reply,
)
from gateway.errors import Busy, GatewayError, Incomplete, NoFace
from gateway.model import (
    Box,
    Comparison,
    Detection,
    Enrolment,
    Face,
    Image,
    Judgement,
    Likeness,
    Origin,
    Person,
    Quality,
    Recognition,
)
from gateway.model.caller import camera_caller
from gateway.model.coded_warnings import CodedWarning
from gateway.model.health import BrokerAddress, Disk, Health, ImportProgress, MqttHealth
from tests.contract.expected import EXPECTED

ORIGIN = Origin(caller=camera_caller("porch"), request_id="42", id="1790000000.123-ab12cd", timestamp=1790000000.1234)
REST_ORIGIN = Origin(id="1790000000.123-ab12cd", timestamp=1790000000.1)
OBAMA, JOSE = Person("barack_obama", "Barack Obama"), Person("jose", "José")
IMAGE = Image(853, 480, 102795)
TIMING = {"queue": 1.23, "decode": 1.06, "detect": 31.0, "total": 37.44}
QUALITY = Quality(118, 0.52, 0.00001, 0.93, 1.0)
LANDMARKS = {"chin": [(1, 2), (3, 4)], "left_eye": [(5, 6)]}
PICTURE = b"\xff\xd8\xff\xe0 not quite a picture"

MATCH = Face(Box(412, 88, 530, 206), QUALITY, LANDMARKS, Judgement("match", OBAMA, 0.83333, 0.96234, 0.312345))
CANDIDATES = (Likeness(OBAMA, 0.91234, 0.98765), Likeness(JOSE, 1.0, 0.97))
AMBIGUOUS = Face(Box(0, 0, 9, 9), QUALITY, None, Judgement("ambiguous", None, 0.91234, 0.98765, 0.01, CANDIDATES))
UNKNOWN = Face(Box(10, 10, 50, 60), judgement=Judgement("unknown", None, 0.2, 0.8))
DARK = Face(Box(10, 10, 50, 60), QUALITY, judgement=Judgement("too_dark"))
PLAIN = Face(Box(10, 10, 50, 60))

HEALTH = Health(
    MqttHealth(True, True, False),
    1,
    2,
    True,
    True,
    known_faces=ImportProgress(3, 4, 2, ("Bob/1.jpg: no face",), True),
    unknowns=5,
    warnings=("a warning",),
    audit_head="812:5f0c",
    disk=Disk(12_345_678_901, 50_000_000_000),
    address=BrokerAddress("mqtt.lan", 8883, "house/faces", True),
)

FEW = CodedWarning("add 1 more", "few_pictures", ("jose",))
REDUCED = CodedWarning("reduced", "reduced_picture", picture=2)

WRITTEN: dict[str, Callable[[], WireModel]] = {
    "recognition": lambda: write_reply(
        ORIGIN,
        "face_rec",
        Recognition(
            faces=(MATCH, AMBIGUOUS, UNKNOWN, DARK),
            image=IMAGE,
            threshold=0.5215,
            timing=TIMING,
            dropped=3,
            left_out=452,
            annotated=PICTURE,
        ),
    ),
    "recognition of nobody": lambda: write_reply(
        REST_ORIGIN, "face_rec", Recognition(faces=(), image=IMAGE, threshold=0.5, timing={})
    ),
    "comparison": lambda: write_reply(
        ORIGIN,
        "face_match",
        Comparison(
            match=True,
            score=0.91,
            threshold=0.5,
            faces=(Face(Box(1, 2, 3, 4), QUALITY, LANDMARKS), PLAIN),
            timing=TIMING,
        ),
    ),
    "comparison with a warning": lambda: write_reply(
        ORIGIN,
        "face_match",
        Comparison(match=True, score=0.91, threshold=0.5, faces=(), timing={}, warnings=(REDUCED,)),
    ),
    "verification": lambda: write_reply(
        ORIGIN, "verify", Comparison(match=False, score=0.1, threshold=0.5, faces=(), timing={}, person=JOSE)
    ),
    "detection": lambda: write_reply(
        ORIGIN, "detect", Detection(faces=(Face(Box(1, 2, 3, 4), QUALITY),), image=IMAGE, timing=TIMING)
    ),
    "detection annotated": lambda: write_reply(
        ORIGIN, "detect", Detection(faces=(), image=IMAGE, timing=TIMING, annotated=PICTURE, left_out=3)
    ),
    "enrolment": lambda: write_reply(ORIGIN, "enroll", Enrolment(JOSE, 2, (FEW,), TIMING)),
    "error no_face": lambda: write_error(ORIGIN, "verify", NoFace("there is no face")),
    "error busy": lambda: write_error(ORIGIN, "verify", Busy("the queue is full", 3)),
    "error incomplete": lambda: write_error(ORIGIN, "verify", Incomplete("pieces are missing", [1, 2])),
    "error internal": lambda: write_error(ORIGIN, "verify", GatewayError("oh")),
    "command": lambda: write_command_reply({"person": "ada"}, "7"),
    "command without transaction": lambda: write_command_reply({}, None),
    "command error": lambda: write_command_error(Busy("full", 3), "7"),
    "command error incomplete": lambda: write_command_error(Incomplete("missing", [1]), None),
    "health": lambda: write_health(HEALTH),
    "healthz": lambda: write_liveness(HEALTH, {"requests": 1}),
    "problem": lambda: write_problem("Not Found", 404, "nobody", "unknown_person"),
}

MODELS: dict[str, type[WireModel]] = {
    "recognition": RecognitionDocument,
    "recognition of nobody": RecognitionDocument,
    "comparison": ComparisonDocument,
    "comparison with a warning": ComparisonDocument,
    "verification": ComparisonDocument,
    "detection": DetectionDocument,
    "detection annotated": DetectionDocument,
    "enrolment": EnrolmentDocument,
    "command": CommandDocument,
    "command without transaction": CommandDocument,
    "health": HealthDocument,
    "healthz": LivenessDocument,
    "problem": ProblemDocument,
    "bridge/info": BridgeInfoDocument,
    "bridge/state": BridgeStateDocument,
}


def model_of(name: str) -> type[WireModel]:
    if name.startswith(("error", "command error")):
        return ErrorDocument if name.startswith("error") else CommandErrorDocument
    if name in MODELS:
        return MODELS[name]
    result: type[WireModel] = ADMINISTRATION[name.split()[0]].result
    return result


@pytest.mark.parametrize("name", WRITTEN)
def test_written_document_is_unchanged(name: str) -> None:
    assert dump(WRITTEN[name]()).decode() == EXPECTED[name]


def test_document_is_valid_for_its_model_and_keeps_its_bytes() -> None:
    for name, expected in EXPECTED.items():
        document = model_of(name).model_validate(json.loads(expected))
        assert dump(document).decode() == expected, name


def test_document_with_an_unknown_field_is_invalid_for_its_model() -> None:
    assert [name for name in EXPECTED if "colour" not in refusal_of_an_unknown_field(name)] == []


def refusal_of_an_unknown_field(name: str) -> str:
    try:
        model_of(name).model_validate({**json.loads(EXPECTED[name]), "colour": "red"})
    except ValidationError as error:
        return str(error)
    return "none"


def test_every_operation_of_administrators_has_an_expected_document() -> None:
    shared = {
        "people/not_them": "people/feature",
        "people/split": "people/rename",
        "people/merge": "people/rename",
        "unknowns/name": "people/add",
        "unknowns/export": "people/export",
        "unknowns/unignore": "unknowns/ignore",
        "unknowns/join": "unknowns/ignore",
        "sightings/not_them": "sightings/confirm",
        "cameras/disable": "cameras/enable",
        "tokens/rotate": "tokens/add",
        "cameras/switch": "cameras/enable",
    }
    for name, spec in ADMINISTRATION.items():
        assert name in EXPECTED or ADMINISTRATION[shared[name]].result is spec.result


def test_document_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dump({"score": float("nan")})


@pytest.mark.parametrize(("request_s", "written"), [(60, b"60}"), (7.5, b"7.5}")])
def test_whole_seconds_of_the_limits_stay_whole(request_s: float, written: bytes) -> None:
    assert dump(LimitsDocument(bytes=1, pixels=2, jpeg_pixels=4, side=3, request_s=request_s)).endswith(written)
