"""Patterns of MQTT topics: a level may be open, and may give a part of the name of a camera."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_TOPIC_LENGTH = 256

_NAMED_LEVEL = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")


@dataclass(frozen=True, slots=True)
class TopicPattern:
    """A pattern such as ``cams/{host}/still``, and the camera of its topics, such as ``esp_{host}``.

    ``{name}`` is one whole level, which ``camera`` repeats. ``+`` is one level of any content. Raises ValueError if the
    two texts do not fit together.
    """

    topic: str
    camera: str

    def __post_init__(self) -> None:
        for level in self._levels:
            if set(level) & set("{}+#\0") and level != "+" and not _NAMED_LEVEL.fullmatch(level):
                raise ValueError(
                    f"the level {level[:40]!r} of the topic is not valid: a level is text without + # {{ }}, or +, or"
                    " {name}"
                )
        if self.topic.startswith("$") or not 1 <= len(self.topic) <= MAX_TOPIC_LENGTH:
            raise ValueError(f"a topic has 1 to {MAX_TOPIC_LENGTH} characters, and does not begin with $")
        in_topic = [each[1] for level in self._levels if (each := _NAMED_LEVEL.fullmatch(level))]
        if len(set(in_topic)) < len(in_topic):
            raise ValueError("the topic has two levels of the same name: give them different names")
        in_camera = set(_NAMED_LEVEL.findall(self.camera))
        if in_camera != set(in_topic):
            raise ValueError(
                "the camera must repeat each named level of the topic, and no other, as in topic: cams/{host}/still and"
                " camera: '{host}'; + stands for a level that the camera does not repeat"
            )

    @property
    def _levels(self) -> list[str]:
        return self.topic.split("/")

    @property
    def topic_filter(self) -> str:
        """The filter of MQTT that matches the topics of the pattern."""
        return "/".join("+" if _NAMED_LEVEL.fullmatch(level) else level for level in self._levels)

    @property
    def names_one_camera(self) -> bool:
        """True if all topics of the pattern are of the same camera."""
        return "{" not in self.camera

    def filter_of(self, camera: str) -> str | None:
        """Return a filter that matches the topics of a camera, or None if the pattern has no topics of it.

        With several named levels the filter matches the topics of other cameras too: from ``{site}-{host}`` nobody can
        tell where the name of the site ends.
        """
        found = re.fullmatch(_camera_expression(self.camera), camera)
        if found is None:
            return None
        values = found.groupdict()
        if len(values) > 1:
            return self.topic_filter
        levels = (values[named[1]] if (named := _NAMED_LEVEL.fullmatch(each)) else each for each in self._levels)
        return "/".join(levels)

    def name_camera(self, topic: str) -> str:
        """Return the camera that a topic of the pattern names. It may have characters that no camera may have."""
        found = {
            named[1]: level
            for pattern, level in zip(self._levels, topic.split("/"), strict=False)
            if (named := _NAMED_LEVEL.fullmatch(pattern))
        }
        return _NAMED_LEVEL.sub(lambda named: found.get(named[1], ""), self.camera)


@lru_cache(maxsize=256)
def _camera_expression(camera: str) -> str:
    """Return the regular expression of the names that a camera such as ``esp_{host}`` stands for."""
    expression, known = "", set[str]()
    for number, part in enumerate(_NAMED_LEVEL.split(camera)):
        # The names of levels are at the odd places, and the text between them at the even ones.
        if number % 2 == 0:
            expression += re.escape(part)
        elif part in known:
            expression += f"(?P={part})"
        else:
            known.add(part)
            expression += f"(?P<{part}>.*)"
    return expression


def filters_overlap(one: str, other: str) -> bool:
    """Return whether a topic exists that both filters of MQTT match. A broker may deliver its messages twice."""
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if "#" in (left, right):
            return True
        if "+" not in (left, right) and left != right:
            return False
    # The filter ``a/#`` matches ``a`` too.
    longer, shorter = sorted((one.split("/"), other.split("/")), key=len, reverse=True)
    return len(longer) == len(shorter) or longer[len(shorter) :] == ["#"]
