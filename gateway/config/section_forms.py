"""The forms in which sections are written, for a message about something else in the place of one."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import ErrorDetails

_PULL = "inputs: {pull: {porch: {url: 'http://192.168.1.20/snapshot.jpg'}}}"
_TOPICS = "inputs: {topics: [{topic: 'cam/{name}/jpg', camera: '{name}'}]}"

FORMS: Mapping[str, str] = {
    "mqtt": "mqtt: {host: localhost}",
    "mqtt.tls": "mqtt: {tls: {enabled: true}}",
    "mqtt.users": "mqtt: {users: {home: keeper}}",
    "rest": "rest: {port: 5001}",
    "rest.anonymous": "rest: {anonymous: {role: client, from: [192.168.0.0/16]}}",
    "rest.tls": "rest: {tls: {cert: data/tls/rest.pem, key: data/tls/rest-key.pem}}",
    "workers": "workers: {processes: 0}",
    "limits": "limits: {bytes: 10000000}",
    "uploads": "uploads: {pieces: 256}",
    "detection": "detection: {min_face: 56}",
    "precision": "precision: {detector: auto}",
    "decision": "decision: {max_false_identification: 0.01}",
    "quality": "quality: {pixels: 50}",
    "enrolment": "enrolment: {pixels: 60}",
    "people": "people: {folder: known_faces}",
    "gallery": "gallery: {in_memory: null}",
    "backups": "backups: {every_h: 24}",
    "audit": "audit: {most: 200000}",
    "unknowns": "unknowns: {keep_days: 14}",
    "live": "live: {enabled: true}",
    "sightings": "sightings: {keep_days: 7}",
    "ignored": "ignored: {keep_days: 90}",
    "inputs": _PULL,
    "inputs.pull": _PULL,
    "inputs.topics": _TOPICS,
    "homeassistant": "homeassistant: {enabled: true}",
    "frigate": "frigate: {home: {url: 'http://frigate:5000'}}",
    "cluster": "cluster: {lease_s: 3}",
    "cameras": "cameras: {porch: {min_face: 40}}",
}
"""An example of each section, which changes little. It has a name where a household gives the names."""

_NO_MAP = frozenset({"model_type", "model_attributes_type", "dict_type", "mapping_type", "tuple_type"})
"""Types of errors of pydantic about a value in the place of a map, or of a list of maps."""


def form_of(setting: str, problem: ErrorDetails) -> str | None:
    """Return the form of the section in whose place a setting stands, if an error of pydantic is about that."""
    form = _find_form(setting, problem["type"])
    return form.replace("enabled: true", "enabled: false") if form and problem["input"] is False else form


def _find_form(setting: str, error_type: str) -> str | None:
    parent = setting.rpartition(".")[0]
    # Without the name of a camera or a server, the settings stand where the names belong.
    if error_type == "model_type" or (error_type == "extra_forbidden" and parent == "inputs"):
        return FORMS.get(setting) or FORMS.get(parent)
    return FORMS.get(setting) if error_type in _NO_MAP else None
