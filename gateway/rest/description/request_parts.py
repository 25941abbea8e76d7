"""The fields of an operation as the parameters and the body of a route."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway.contract.components import Schema

BINARY: Schema = {"type": "string", "format": "binary"}

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
ARCHIVE_TYPE = "application/zip"


def without_path_fields(schema: Schema, path_names: Collection[str]) -> Schema:
    """Return the schema of the fields that a request has outside of its path."""
    alternatives = [set(each["required"]) for each in schema.get("oneOf", ())]
    # With the person in the path, for example, the request cannot give a name too.
    is_decided = any(each <= set(path_names) for each in alternatives)
    left_out = {*path_names, *(set().union(*alternatives) if is_decided else ())}
    rest = {name: value for name, value in schema.items() if not (is_decided and name == "oneOf")}
    rest["properties"] = {name: each for name, each in schema["properties"].items() if name not in left_out}
    if required := [name for name in schema.get("required", ()) if name not in left_out]:
        rest["required"] = required
    else:
        rest.pop("required", None)
    return rest


def path_parameters(path_names: Collection[str], schema: Schema) -> list[Schema]:
    """Return the parameters in the path. ``schema``: that of all fields, which may lack some of them."""
    known: Mapping[str, Schema] = schema["properties"]
    return [
        {"name": name, "in": "path", "required": True, "schema": _without_null(known.get(name, {"type": "string"}))}
        for name in path_names
    ]


def query_parameters(schema: Schema, *, optional: bool = False) -> list[Schema]:
    """Return the fields without files as parameters of the query.

    ``optional``: they may also be in the body, so that none of them is required here.
    """
    required = () if optional else schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(each)}
        for name, each in schema["properties"].items()
        if not is_file(each)
    ]


def request_body(schema: Schema) -> Schema | None:
    """Return the body with the fields: JSON, a form if there are files, and a bare file if there is only one."""
    if not schema["properties"]:
        return None
    content: Schema = {"application/json": {"schema": schema}}
    files = [name for name, each in schema["properties"].items() if is_file(each)]
    if files:
        content["multipart/form-data"] = {"schema": _form(schema)}
    if len(files) == 1:
        kinds = (ARCHIVE_TYPE,) if files == ["archive"] else PICTURE_TYPES
        content.update({kind: {"schema": BINARY} for kind in kinds})
    return {"required": bool(schema.get("required") or schema.get("oneOf")), "content": content}


def has_bare_body(body: Schema | None) -> bool:
    """Return whether a body may be a file without a field name. The other fields are in the query then."""
    return body is not None and len(body["content"]) > 2


def is_file(field: Schema) -> bool:
    """Return whether a field is a file, or a list of files."""
    return "contentEncoding" in field or "contentEncoding" in field.get("items", {})


def _form(schema: Schema) -> Schema:
    """Return the schema of a form: files are bytes instead of base64."""
    return {**schema, "properties": {name: _form_field(each) for name, each in schema["properties"].items()}}


def _form_field(field: Schema) -> Schema:
    if not is_file(field):
        return _without_null(field)
    return {**field, "items": BINARY} if "items" in field else BINARY


def _without_null(field: Schema) -> Schema:
    """Return the schema of a field that is left out instead of null."""
    others = [each for each in field.get("anyOf", ()) if each != {"type": "null"}]
    rest = {name: value for name, value in field.items() if (name, value) != ("default", None)}
    if len(others) == 1:
        del rest["anyOf"]
        return {**others[0], **rest}
    return rest
