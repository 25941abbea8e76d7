"""JSON Schemas of models as the components of a document that describes an interface (OpenAPI, AsyncAPI)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import BaseModel, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from gateway.contract.base import VersionedModel, WireModel
from gateway.contract.errors import CommandDocument

Schema = dict[str, Any]
"""A JSON Schema (2020-12), or another part of a description."""

REF_TEMPLATE = "#/components/schemas/{model}"

_CODE = re.compile(r"``([^`]+)``")


class SchemaGenerator(GenerateJsonSchema):
    """Pydantic's generator, for schemas that people and generators of code read.

    A document always has the fields with a default value, and never has ``null`` in a field that it may leave out.
    """

    def field_title_should_be_set(self, schema: object) -> bool:
        # Pydantic would repeat the name of each field in other letters.
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization":
            return not _may_be_left_out(field)
        return super().field_is_required(field, total)

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        if self.mode == "serialization" and _may_be_left_out(schema):
            return self.generate_inner(_without_null(schema["schema"]))
        return super().model_field_schema(schema)


def _may_be_left_out(field: Mapping[str, Any]) -> bool:
    return "serialization_exclude_if" in field


def _without_null(schema: Any) -> Any:
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    return schema


class Components:
    """The models that a description refers to. Each becomes one schema, also if it occurs several times."""

    def __init__(self) -> None:
        self._models: dict[str, type[BaseModel]] = {}

    def ref(self, model: type[BaseModel]) -> Schema:
        """Return the reference to the schema of a document."""
        known = self._models.setdefault(model.__name__, model)
        assert known is model, f"two models have the name {model.__name__}"
        return {"$ref": REF_TEMPLATE.format(model=model.__name__)}

    def versioned_ref(self, model: type[WireModel]) -> Schema:
        """Return the reference to a document of its own: with the version of the contract as its first field."""
        if issubclass(model, VersionedModel):
            return self.ref(model)
        name = model.__name__.removesuffix("Document") + "Reply"
        return self._derived_ref(
            name, lambda: create_model(name, __base__=(model, VersionedModel), __doc__=model.__doc__)
        )

    def command_reply_ref(self, model: type[WireModel]) -> Schema:
        """Return the reference to the reply to a command over MQTT, with the document of its result."""
        name = "Command" + model.__name__
        return self._derived_ref(
            name, lambda: create_model(name, __base__=CommandDocument, __doc__=model.__doc__, data=(model, ...))
        )

    def schemas(self) -> dict[str, Schema]:
        """Return the schemas of all models so far, and of the models inside of them, by their names."""
        mode: JsonSchemaMode = "serialization"
        _, found = models_json_schema(
            [(model, mode) for model in self._models.values()],
            ref_template=REF_TEMPLATE,
            schema_generator=SchemaGenerator,
        )
        return cast(dict[str, Schema], plain_text(found.get("$defs", {})))

    def _derived_ref(self, name: str, create: Callable[[], type[BaseModel]]) -> Schema:
        return self.ref(self._models.get(name) or create())


def fields_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of the fields of an operation. It refers to no other schema."""
    schema: Schema = plain_text(model.model_json_schema(schema_generator=SchemaGenerator))
    del schema["title"]
    assert "$defs" not in schema, f"a field of {model.__name__} has a model of its own"
    return schema


def plain_text(value: Any) -> Any:
    """Return a part of a description with the marks of docstrings as those of Markdown."""
    if isinstance(value, dict):
        return {name: plain_text(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain_text(each) for each in value]
    return _CODE.sub(r"`\1`", value) if isinstance(value, str) else value
