"""The routes of the face interface of DeepStack."""

from __future__ import annotations

from collections.abc import Mapping

DEEPSTACK_OPERATIONS: Mapping[str, str] = {
    "/v1/vision/face": "detect",
    "/v1/vision/face/recognize": "face_rec",
    "/v1/vision/face/match": "face_match",
    "/v1/vision/face/register": "people/add",
    "/v1/vision/face/list": "people/list",
    "/v1/vision/face/delete": "people/remove",
}
"""The operation of each path. The method is POST. The path may end with a slash."""

UPDATE_PATH = "/v1/status/updateavailable"
"""The path that Blue Iris asks before it uses a server. The method is GET."""

FORM_KEY_ROUTES = frozenset(f"POST {path}" for path in DEEPSTACK_OPERATIONS)
"""The routes whose requests may carry their token in the form, as ``api_key``."""
