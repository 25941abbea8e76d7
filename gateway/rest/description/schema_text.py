"""The types of fields in HTML, for people."""

from __future__ import annotations

import html
import re

from gateway.contract.components import Schema

_CODE = re.compile(r"`([^`]+)`")


def text_html(text: str) -> str:
    """Return a text of the description in HTML: its words in backquotes are code."""
    paragraphs = _CODE.sub(r"<code>\1</code>", html.escape(text, quote=False)).split("\n\n")
    return "".join(f"<p>{each}</p>" for each in paragraphs)


def schema_anchor(name: str) -> str:
    return f"schema-{name}"


def type_html(schema: Schema) -> str:
    """Return the type of a field, with links to the schemas in it."""
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[1]
        return f'<a href="#{schema_anchor(name)}">{name}</a>'
    if "const" in schema:
        return f"<code>{html.escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(each))}</code>" for each in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema and "properties" not in schema:
            return " or ".join(dict.fromkeys(map(type_html, schema[word])))
    if schema.get("type") == "array":
        return _array_html(schema)
    if schema.get("contentEncoding") == "base64":
        return "base64"
    if schema.get("format") == "binary":
        return "file"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"object of {type_html(values)}"
    return str(schema.get("type", "anything"))


def _array_html(schema: Schema) -> str:
    if items := schema.get("prefixItems"):
        return f"[{', '.join(map(type_html, items))}]"
    return f"list of {type_html(schema.get('items', {}))}"


def fields_html(schema: Schema) -> str:
    """Return a table of the fields of an object."""
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{name}</code><td>{type_html(each)}<td>{'always' if name in required else ''}"
        for name, each in schema.get("properties", {}).items()
    )
    return f"<table><tr><th>field<th>type<th>{rows}</table>" if rows else "<p>It has no fields.</p>"
