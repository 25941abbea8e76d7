"""The descriptions of DeepStack's face interface."""

from __future__ import annotations

from gateway.contract import deepstack as documents
from gateway.contract.base import WireModel
from gateway.contract.components import Components, Schema
from gateway.rest.deepstack.form import URL_ENCODED
from gateway.rest.deepstack.routes import DEEPSTACK_OPERATIONS, UPDATE_PATH
from gateway.rest.description.request_parts import BINARY
from gateway.rest.description.route_description import RouteDescription, json_answer

_DENIALS = {
    "401": "The field `api_key` is missing or wrong.",
    "403": "The role of the token is too low, or a page of another site sent the request.",
    "429": "Too many tokens from this address were wrong.",
    "500": "A bug in the gateway: see its log.",
}
"""The answers to a request that is denied, by status. Other refusals have the status 200."""

_KEY: Schema = {"api_key": {"type": "string", "description": "A token, as DeepStack's clients send it."}}
_LEAST: Schema = {"min_confidence": {"type": "number", "minimum": 0, "maximum": 1}}
_USERID: Schema = {"userid": {"type": "string", "description": "The name of the person."}}

_FORMS: dict[str, Schema] = {
    "detect": {"image": BINARY, **_LEAST},
    "face_rec": {"image": BINARY, **_LEAST},
    "face_match": {"image1": BINARY, "image2": BINARY},
    "people/add": {"image": BINARY, **_USERID},
    "people/list": {},
    "people/remove": _USERID,
}
"""The fields of each form, by operation."""

_RESULTS: dict[str, tuple[str, type[WireModel]]] = {
    "detect": ("Find faces", documents.FoundFacesDocument),
    "face_rec": ("Name the people in a picture", documents.RecognisedFacesDocument),
    "face_match": ("Compare the faces of two pictures", documents.SimilarityDocument),
    "people/add": ("Enrol pictures of a person", documents.RegisteredDocument),
    "people/list": ("List the names of all people", documents.RegisteredPeopleDocument),
    "people/remove": ("Remove a person", documents.DeletedDocument),
}


def deepstack_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of the routes, by method and path."""
    update = json_answer(components.ref(documents.UpdateDocument), "There is no update.")
    return {
        **{f"POST {path}": _describe(components, operation) for path, operation in DEEPSTACK_OPERATIONS.items()},
        f"GET {UPDATE_PATH}": RouteDescription(
            "deepstack_update",
            "deepstack",
            "Tell Blue Iris that there is no update",
            {"200": update},
            problems=(400, 403, 413, 500),
        ),
    }


def _describe(components: Components, operation: str) -> RouteDescription:
    summary, model = _RESULTS[operation]
    refusal = components.ref(documents.RefusalDocument)
    result = json_answer({"anyOf": [components.ref(model), refusal]}, "The result, or `success: false` and the reason.")
    return RouteDescription(
        name=f"deepstack_{operation.replace('/', '_')}",
        tag="deepstack",
        summary=summary,
        description="A route of DeepStack's face interface. Its path may end with a slash.",
        answers={"200": result, **{status: json_answer(refusal, text) for status, text in _DENIALS.items()}},
        body=_body(_FORMS[operation]),
    )


def _body(fields: Schema) -> Schema:
    """Return the body: a form, which may be URL-encoded without pictures."""
    schema: Schema = {"type": "object", "properties": {**fields, **_KEY}}
    has_files = BINARY in fields.values()
    kinds = ("multipart/form-data",) if has_files else ("multipart/form-data", URL_ENCODED)
    return {"required": has_files, "content": {kind: {"schema": schema} for kind in kinds}}
