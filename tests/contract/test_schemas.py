"""JSON Schema is generated from the models of the contract."""

from __future__ import annotations

import json
from functools import cache
from typing import get_args

import pytest

from gateway.contract.errors import ErrorCode
from gateway.contract.operations import ADMINISTRATION, RECOGNITION
from gateway.contract.replies import ReplyDocument, write_reply
from gateway.contract.schemas import json_schemas
from gateway.contract.verdict import VerdictLine, write_error_verdict, write_verdict
from gateway.errors import BadRequest, Busy, NoFace, TooLarge, wire_errors
from gateway.model import (
    Box,
    Comparison,
    Detection,
    Enrolment,
    Face,
    Hint,
    Image,
    Judgement,
    Operation,
    Origin,
    Person,
    QualityProblem,
    Recognition,
    Reply,
    Request,
)

LONGEST = Person("a" * 53, "A")
IMAGE = Image(1, 1, 1)
schemas = cache(json_schemas)
HINTS: tuple[Hint, ...] = ("undecided", *get_args(QualityProblem))


def test_every_operation_has_a_schema_of_its_request_and_of_its_reply() -> None:
    for operation in (*ADMINISTRATION, *(each.value for each in RECOGNITION)):
        for part in ("request", "reply"):
            schema = schemas()[f"{operation}/{part}"]
            assert (schema["type"], schema["additionalProperties"]) == ("object", False), operation


def test_schemas_are_json() -> None:
    assert json.loads(json.dumps(schemas())) == schemas()


def test_schema_of_a_request_has_types_and_required_fields() -> None:
    schema = schemas()["people/rename/request"]
    assert schema["required"] == ["person", "name"]
    assert schema["properties"]["person"]["pattern"] == "^[a-z0-9_]{1,53}$"
    assert schemas()["people/import/request"]["properties"]["archive"]["contentEncoding"] == "base64"


def test_schema_of_a_reply_names_the_fields_as_they_are_on_the_wire() -> None:
    assert list(schemas()["face_rec/reply"]["properties"])[:2] == ["schema", "id"]
    assert "annotated" not in schemas()["face_rec/reply"]["required"]


def test_error_codes_of_the_schema_are_those_of_the_error_classes() -> None:
    assert set(get_args(ErrorCode)) == set(wire_errors())


REPLIES = [
    Recognition(faces=(), image=IMAGE, threshold=0.5, timing={}),
    Recognition(
        faces=(Face(Box(0, 0, 1, 1), judgement=Judgement("match", LONGEST, 0.834)),),
        image=IMAGE,
        threshold=0.5,
        timing={},
    ),
    Recognition(
        faces=(Face(Box(0, 0, 1, 1), judgement=Judgement("too_small")),), image=IMAGE, threshold=0.5, timing={}
    ),
    *(Recognition(faces=(), image=IMAGE, threshold=0.5, timing={}, hint=hint) for hint in HINTS),
    Comparison(match=True, score=1.0, threshold=0.5, faces=(), timing={}),
    Enrolment(LONGEST, 1, ()),
    Detection(faces=(Face(Box(0, 0, 1, 1)),), image=IMAGE, timing={}, left_out=3),
]


@pytest.mark.parametrize("kind", get_args(Reply))
def test_every_kind_of_reply_has_a_valid_verdict_text_and_a_document_with_a_schema(kind: type[Reply]) -> None:
    examples = [reply for reply in REPLIES if type(reply) is kind]
    assert examples, f"add an example of {kind.__name__} to REPLIES"
    results = {spec.result for spec in RECOGNITION.values()}
    for reply in examples:
        VerdictLine(write_verdict(reply))
        document = write_reply(Origin(), "any", reply)
        assert type(document) in results
        assert type(document) in get_args(ReplyDocument)


@pytest.mark.parametrize("error", [NoFace("no face"), Busy("full", 5), TooLarge("large")])
def test_verdict_of_an_error_is_valid_for_its_model(error: NoFace | Busy | TooLarge) -> None:
    VerdictLine(write_error_verdict(error))


@pytest.mark.parametrize("operation", RECOGNITION)
def test_fields_of_an_operation_promise_annotate_only_where_a_request_may_have_it(operation: Operation) -> None:
    person = "ada" if operation in (Operation.VERIFY, Operation.ENROLL) else None
    pictures = (b"",) * operation.picture_counts[0]
    try:
        Request(operation=operation, pictures=pictures, valid_for_s=1, person=person, annotate=True)
        accepted = True
    except BadRequest:
        accepted = False
    assert ("annotate" in RECOGNITION[operation].known) == accepted
