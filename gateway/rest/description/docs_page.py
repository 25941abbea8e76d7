"""The page ``/docs``: the description of the REST interface for people.

It is made on the server and has no script: where no token is needed, any script of this origin could erase people.
"""

from __future__ import annotations

import html
import json
from functools import cache

from gateway.contract.components import Schema
from gateway.rest.description.openapi import describe_rest
from gateway.rest.description.schema_text import fields_html, schema_anchor, text_html, type_html

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>REST interface - Facegate</title>
<link rel="icon" href="console/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="console/console.css">
<link rel="stylesheet" href="console/docs.css">
<main class="docs-page">
<h1>Facegate {version}: the REST interface</h1>
{text}
<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1), and for MQTT
<a href="asyncapi.json">asyncapi.json</a> (AsyncAPI 3). In the examples <code>$URL</code> is the address of the gateway,
and <code>$TOKEN</code> a token.</p>
<nav aria-label="Routes">{contents}</nav>
{groups}
<h2>Documents</h2>
{schemas}
</main>
</html>
"""

Route = tuple[str, str, Schema]
"""The method, the path and the description of a route."""


@cache
def docs_page() -> str:
    """Return the page."""
    document = describe_rest()
    routes = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    tags = document["tags"]
    return _PAGE.format(
        version=html.escape(document["info"]["version"]),
        text=text_html(document["info"]["description"]),
        contents="".join(_contents(tag, routes) for tag in tags),
        groups="".join(_group(tag, routes, document) for tag in tags),
        schemas="".join(_schema(name, each) for name, each in document["components"]["schemas"].items()),
    )


def _routes_of(tag: Schema, routes: list[Route]) -> list[Route]:
    return [each for each in routes if tag["name"] in each[2]["tags"]]


def _contents(tag: Schema, routes: list[Route]) -> str:
    items = "".join(
        f'<li><a href="#{operation["operationId"]}">{method} {html.escape(path)}</a>'
        for method, path, operation in _routes_of(tag, routes)
    )
    return f"<h2>{tag['name'].capitalize()}</h2><ul>{items}</ul>"


def _group(tag: Schema, routes: list[Route], document: Schema) -> str:
    articles = "".join(_article(route, document) for route in _routes_of(tag, routes))
    return f"<section><h2>{tag['name'].capitalize()}</h2>{text_html(tag['description'])}{articles}</section>"


def _sentence(summary: str) -> str:
    return summary if summary.endswith(("?", "!")) else f"{summary}."


def _article(route: Route, document: Schema) -> str:
    method, path, operation = route
    role = operation.get("x-role")
    who = f"At least the role <code>{role}</code>." if role else "Everybody, without a token."
    return (
        f'<article id="{operation["operationId"]}"><h3>{method} {html.escape(path)}</h3>'
        f"{text_html(_sentence(operation['summary']))}{text_html(operation.get('description', ''))}<p>{who}</p>"
        f"{_parameters(operation)}{_bodies(operation)}{_answers(operation, document)}"
        f"<pre>{html.escape(curl_example(route), quote=False)}</pre>{_example(operation)}</article>"
    )


def _parameters(operation: Schema) -> str:
    rows = "".join(
        f"<tr><td><code>{each['name']}</code><td>{each['in']}<td>{type_html(each['schema'])}"
        f"<td>{text_html(each.get('description', ''))}"
        for each in operation.get("parameters", ())
    )
    return f"<table><tr><th>parameter<th>in<th>type<th>{rows}</table>" if rows else ""


def _bodies(operation: Schema) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    bare = [kind for kind, each in content.items() if each["schema"].get("format") == "binary"]
    tables = "".join(
        f"<p>Body <code>{kind}</code>:</p>{fields_html(each['schema'])}"
        for kind, each in content.items()
        if kind not in bare
    )
    kinds = ", ".join(f"<code>{kind}</code>" for kind in bare)
    return f"{tables}<p>Or the file itself as the body: {kinds}.</p>" if bare else tables


def _answers(operation: Schema, document: Schema) -> str:
    rows = ""
    for status, answer in operation["responses"].items():
        name = answer.get("$ref", "").rsplit("/", 1)[-1]
        described = document["components"]["responses"][name] if name else answer
        types = " or ".join(
            f"{type_html(each['schema'])} (<code>{kind}</code>)" for kind, each in described.get("content", {}).items()
        )
        rows += f"<tr><td>{status}<td>{text_html(described['description'])}<td>{types}"
    return f"<details><summary>Answers</summary><table><tr><th>status<th>meaning<th>body{rows}</table></details>"


def _example(operation: Schema) -> str:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    if "example" not in content:
        return ""
    text = html.escape(json.dumps(content["example"], ensure_ascii=False, indent=1), quote=False)
    return f"<details><summary>Example of an answer</summary><pre>{text}</pre></details>"


def curl_example(route: Route) -> str:
    """Return a command that uses a route."""
    method, path, operation = route
    content = operation.get("requestBody", {}).get("content", {})
    parts = ["curl"] if method == "GET" else ["curl", "-X", method]
    if operation.get("x-role"):
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if form := content.get("multipart/form-data"):
        fields = form["schema"]
        parts += [f"-F {name}=@picture.jpg" for name in fields.get("required", ())]
    elif content:
        fields = content["application/json"]["schema"]
        values = ",".join(f'"{name}":"…"' for name in fields.get("required", ()))
        parts.append(f"-H 'Content-Type: application/json' -d '{{{values}}}'")
    return " ".join([*parts, f'"$URL{path}"'])


def _schema(name: str, schema: Schema) -> str:
    text = text_html(schema.get("description", ""))
    fields = fields_html(schema) if "properties" in schema else f"<p>{type_html(schema)}</p>"
    return f'<article id="{schema_anchor(name)}"><h3>{name}</h3>{text}{fields}</article>'
