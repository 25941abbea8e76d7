"""The Flask application, assembled from its checks and its resources."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, request

from gateway.config import LimitSettings
from gateway.contract.base import Document
from gateway.metrics import Metrics
from gateway.model.health import Health
from gateway.rest.access.access import Access
from gateway.rest.access.check import add_access_check
from gateway.rest.access.login_api import add_login_api
from gateway.rest.api_v1 import add_api_v1
from gateway.rest.calls import Calls, add_timing
from gateway.rest.conditional import add_conditional_replies
from gateway.rest.console.assets import add_console
from gateway.rest.cross_origin import add_cross_origin
from gateway.rest.cross_site import CrossSiteCheck, add_cross_site_check
from gateway.rest.deepstack.api import add_deepstack_api
from gateway.rest.description_api import add_description_api
from gateway.rest.early_refusals import add_early_refusals
from gateway.rest.events.api import add_events_api
from gateway.rest.events.hub import EventHub
from gateway.rest.events.streams import EventStreams
from gateway.rest.face_rec_api import add_face_rec_api
from gateway.rest.health_api import add_health_api
from gateway.rest.metrics_api import add_metrics_api
from gateway.rest.problems import add_error_handlers
from gateway.rest.request_id import add_request_id
from gateway.rest.request_log import log_request
from gateway.service.service import Submit


def create_app(
    submit: Submit,
    health: Callable[[], Health],
    metrics: Metrics,
    limits: LimitSettings,
    *,
    access: Access,
    streams: EventStreams | None = None,
    sites: CrossSiteCheck | None = None,
    describe_mqtt: Callable[[], Document] = dict,
) -> Flask:
    """Return the application. ``sites``: the check of the names in URLs and of other sites; by default the strictest.

    ``describe_mqtt``: returns the AsyncAPI document. ``streams``: the event streams. Without it there are no events.
    """
    app = Flask("gateway.rest", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limits.body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the provider that Flask installs has this attribute
    add_request_id(app)
    # The checks of the headers come first: a refused request is not logged in full, and its body is not read.
    sites = sites or CrossSiteCheck(())
    add_cross_site_check(app, sites, metrics, access.client_of)
    add_access_check(app, access)
    add_early_refusals(app)
    app.before_request(lambda: log_request(request))
    add_timing(app)
    add_conditional_replies(app)
    add_cross_origin(app, sites.origins)
    add_error_handlers(app, metrics)

    calls = Calls(submit, limits.request_s)
    add_face_rec_api(app, calls)
    add_api_v1(app, calls)
    add_deepstack_api(app, calls, access, metrics)
    add_events_api(app, access, EventStreams(EventHub(lambda _: None), most=0) if streams is None else streams)
    add_health_api(app, health, metrics)
    add_metrics_api(app, metrics, health)
    add_login_api(app, access)
    add_description_api(app, describe_mqtt)
    add_console(app)
    return app
