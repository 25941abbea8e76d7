"""The sentences about refusals, for the person who looks after Frigate."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.integrations.frigate.refusals import RefusalKind, Task

ADVICE: Mapping[RefusalKind, str] = {
    "refused": "start it, or correct the address in {setting}",
    "unknown_host": "correct the address in {setting}",
    "unreachable": "look whether it runs, and whether the network lets this machine reach it",
    "timeout": "look whether it runs, and whether it is overloaded",
    "tls": "set {section}.ca to the certificate of its authority, or {section}.verify_tls to false for Frigate's own"
    " certificate; port 5000 needs http",
    "redirect": "set {setting} to the address of the program itself, not of a proxy with a login page",
    "too_large": "a picture may have up to limits.bytes: raise it, or choose a smaller stream",
    "no_http": "{setting} must be the address of its web interface",
    "too_many": "it limits the number of logins: correct {section}.user and {section}.password, then wait a minute",
    "fault": "look into its log",
    "no_jpeg": "{setting} must be the address of the program itself, not of another web page",
    "https": "write https:// in {setting}",
    "no_document": "{setting} must be the address of Frigate itself, not of another web page",
}
"""The end of the sentence for each kind of refusal that has the same end for each task."""

SPECIAL_ADVICE: Mapping[tuple[Task, RefusalKind], str] = {
    ("get the snapshot", "gone"): "Frigate stores no picture of finished events unless snapshots.enabled is true in its"
    " configuration",
    (
        "get a frame of go2rtc",
        "gone",
    ): "go2rtc has no stream with that name: set {section}.streams, or add the stream to"
    " go2rtc in Frigate's configuration",
    ("get the recording", "gone"): "Frigate has no recording of that time: set record.enabled to true in its"
    " configuration, or {section}.recording to false",
    ("read the event", "gone"): "the event was deleted, or Frigate was restarted",
    ("write a name", "gone"): "the event was deleted, or Frigate was restarted",
    ("write a name", "role"): "give the user {user} the role admin in Frigate (Settings, Users), or use port 5000, or"
    " set {section}.write_back to false",
}
"""The end of the sentence for single tasks."""

WRONG_LOGIN = "correct {section}.user and {section}.password"
NO_LOGIN = "set {section}.user and {section}.password, or use the port 5000 of Frigate, which needs no login"
OTHER_ROLE = "the user {user} may not see this camera: change the user's role in Frigate"
INVALID = "this version of Frigate does not know the request: report it, with Frigate's version"


def advice(task: Task, kind: RefusalKind, section: str, setting: str, user: str | None) -> str:
    """Return what to do. ``section``: as ``frigate.home``. ``setting``: the one with the address that was asked."""
    login = WRONG_LOGIN if user else NO_LOGIN
    general = {"login": login, "role": OTHER_ROLE, "invalid": INVALID, "gone": "it does not exist", **ADVICE}
    template = SPECIAL_ADVICE.get((task, kind), general[kind])
    return template.format(section=section, setting=setting, user=user or "anonymous")
