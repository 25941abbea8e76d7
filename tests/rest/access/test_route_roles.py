"""The table of the roles of routes."""

from __future__ import annotations

from pathlib import Path

from werkzeug.routing import Rule

from gateway.contract.operations import least_role
from gateway.model.caller import LEVELS
from gateway.rest.access.route_roles import ROUTE_ROLES, role_of_route
from gateway.rest.api_v1 import ROUTES
from tests.rest.access.examples import Site, code_of

OPEN = {
    "GET /",
    "GET /asyncapi.json",
    "GET /console/<path:file>",
    "GET /docs",
    "GET /healthz",
    "GET /login",
    "GET /openapi.json",
    "GET /readyz",
    "GET /v1/status/updateavailable",
    "POST /login",
}


def routes(site: Site) -> set[str]:
    rules: list[Rule] = list(site.app.url_map.iter_rules())
    return {f"{method} {rule.rule}" for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}


def test_each_route_has_its_role(tmp_path: Path) -> None:
    found = routes(Site(tmp_path))
    assert len(found) > 40
    assert found == ROUTE_ROLES.keys()


def test_only_these_routes_are_for_everybody() -> None:
    assert {route for route, role in ROUTE_ROLES.items() if role is None} == OPEN
    assert {role for role in ROUTE_ROLES.values() if role is not None} == set(LEVELS)


def test_route_of_an_operation_has_the_role_of_the_operation() -> None:
    for method, path, operation in ROUTES:
        assert role_of_route(method, path) == least_role(operation), (method, path)


def test_route_that_is_missing_in_the_table_is_for_admins(tmp_path: Path) -> None:
    assert role_of_route("GET", "/new") == "admin"
    site = Site(tmp_path)
    site.app.add_url_rule("/new", view_func=lambda: "secret")
    secret = site.add("phone", "privacy")
    assert code_of(site.client().get("/new")) == (401, "unauthorized")
    assert code_of(site.client().get("/new", headers={"Authorization": f"Bearer {secret}"})) == (403, "forbidden")


def test_head_needs_the_role_of_get() -> None:
    assert role_of_route("HEAD", "/face_rec") == role_of_route("GET", "/face_rec") == "client"


def test_errors_of_paths_and_methods_need_no_token(tmp_path: Path) -> None:
    client = Site(tmp_path).client()
    assert client.get("/unknown").status_code == 404
    assert client.put("/face_rec").status_code == 405
    answer = client.options("/api/v1/people")
    assert (answer.status_code, answer.data) == (200, b"")
