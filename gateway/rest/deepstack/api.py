"""``/v1/vision/face``: the face interface of DeepStack, and the question of Blue Iris about updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Flask, Response, request

from gateway.contract import deepstack as documents
from gateway.contract.base import WireModel, dump
from gateway.metrics import Metrics
from gateway.model import Comparison, Detection, Operation, Recognition
from gateway.rest.access.access import Access
from gateway.rest.access.check import identify_by_form
from gateway.rest.calls import Calls
from gateway.rest.deepstack.form import DeepStackForm, read_deepstack_form, read_key
from gateway.rest.deepstack.people import RegisteredPeople
from gateway.rest.deepstack.refusals import add_refusals
from gateway.rest.deepstack.routes import DEEPSTACK_OPERATIONS, UPDATE_PATH

Answer = Callable[[DeepStackForm], WireModel]


def add_deepstack_api(app: Flask, calls: Calls, access: Access, metrics: Metrics) -> None:
    """Add the routes. All of them may end with a slash."""
    blueprint = Blueprint("deepstack", __name__)
    answers = _answers(calls)
    for path, operation in DEEPSTACK_OPERATIONS.items():
        view = _view(answers[operation], access)
        blueprint.add_url_rule(path, operation.replace("/", "_"), view, methods=["POST"], strict_slashes=False)
    add_refusals(blueprint, metrics)
    app.register_blueprint(blueprint)
    app.add_url_rule(UPDATE_PATH, "updates", lambda: _respond(documents.UpdateDocument()), strict_slashes=False)


def _view(answer: Answer, access: Access) -> Callable[[], Response]:
    def view() -> Response:
        identify_by_form(access, read_key(request))
        return _respond(answer(read_deepstack_form(request)))

    return view


def _respond(document: WireModel) -> Response:
    return Response(dump(document), mimetype="application/json")


def _answers(calls: Calls) -> Mapping[str, Answer]:
    """Return the function that answers a form, by operation."""
    people = RegisteredPeople(calls)

    def detect(form: DeepStackForm) -> WireModel:
        least = form.min_confidence()
        reply = calls.recognise(Operation.DETECT, (form.picture(),))
        assert isinstance(reply, Detection)
        return documents.write_found_faces(reply, least)

    def recognise(form: DeepStackForm) -> WireModel:
        least = form.min_confidence()
        reply = calls.recognise(Operation.FACE_REC, (form.picture(),))
        assert isinstance(reply, Recognition)
        return documents.write_recognised_faces(reply, least)

    def match(form: DeepStackForm) -> WireModel:
        reply = calls.recognise(Operation.FACE_MATCH, form.two_pictures(), file_names=form.file_names)
        assert isinstance(reply, Comparison)
        return documents.write_similarity(reply)

    return {
        "detect": detect,
        "face_rec": recognise,
        "face_match": match,
        "people/add": lambda form: people.register(form.userid(), form.all_pictures(), form.file_names),
        "people/list": lambda _: people.list_names(),
        "people/remove": lambda form: people.delete(form.userid()),
    }
