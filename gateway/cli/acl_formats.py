"""An ACL in the languages of several brokers.

The one of mosquitto is tested with a real broker. Those of EMQX and HiveMQ follow their documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from gateway.cli.acl_rules import OWN_LOGIN, Access, Rule, RuleGroup

HIVEMQ_ROLE_OF_ALL: Final = "(every login)"
"""The role that every user of HiveMQ needs. No login has such a name."""


def write_mosquitto(groups: Sequence[RuleGroup]) -> Iterator[str]:
    """Give the lines of a file for mosquitto's ``acl_file``."""
    for group in groups:
        yield f"# {group.title}"
        login = group.rules[0].login
        if login is not None:
            yield f"user {login}"
        word = "pattern" if login is None else "topic"
        for rule in group.rules:
            yield f"{word} {rule.access} {rule.topic.replace(OWN_LOGIN, '%u')}"
        yield ""


def write_emqx(groups: Sequence[RuleGroup]) -> Iterator[str]:
    """Give the lines of a file ``acl.conf`` for EMQX 5."""
    actions: Mapping[Access, str] = {"read": "subscribe", "write": "publish", "readwrite": "all"}
    for group in groups:
        yield f"%% {group.title}"
        for rule in group.rules:
            client = "all" if rule.login is None else f"{{user, {json.dumps(rule.login)}}}"
            topic = json.dumps(rule.topic.replace(OWN_LOGIN, "${username}"))
            yield f"{{allow, {client}, {actions[rule.access]}, [{topic}]}}."
        yield ""
    yield "%% everything else"
    yield "{deny, all}."


def write_hivemq(groups: Sequence[RuleGroup]) -> Iterator[str]:
    """Give the section ``roles`` of ``credentials.xml``, for HiveMQ's File RBAC extension."""
    yield "<roles>"
    for group in groups:
        yield f"  <!-- {escape(group.title).replace('--', '- -')} -->"
        yield "  <role>"
        yield f"    <id>{escape(group.rules[0].login or HIVEMQ_ROLE_OF_ALL)}</id>"
        yield "    <permissions>"
        yield from map(_hivemq_permission, group.rules)
        yield "    </permissions>"
        yield "  </role>"
    yield "</roles>"


def _hivemq_permission(rule: Rule) -> str:
    topic = escape(rule.topic.replace(OWN_LOGIN, "${{username}}"))
    activities: Mapping[Access, str] = {"read": "SUBSCRIBE", "write": "PUBLISH", "readwrite": "ALL"}
    activity = f"<activity>{activities[rule.access]}</activity>"
    return f"      <permission><topic>{topic}</topic>{activity}</permission>"


def write_table(groups: Sequence[RuleGroup]) -> Iterator[str]:
    """Give lines with a tab between login, access and topic filter, for another broker."""
    yield "login\taccess\ttopic"
    for group in groups:
        for rule in group.rules:
            yield f"{rule.login or '(every login)'}\t{rule.access}\t{rule.topic}"


FORMATS: Final[Mapping[str, Callable[[Sequence[RuleGroup]], Iterator[str]]]] = {
    "mosquitto": write_mosquitto,
    "emqx": write_emqx,
    "hivemq": write_hivemq,
    "table": write_table,
}
"""The writer for each broker."""
