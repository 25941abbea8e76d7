"""The types of single settings, with their bounds."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from gateway.model import Landmarks68

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(gt=0, le=36_500)]
ErrorRate = Annotated[float, Field(ge=1e-4, le=0.5)]
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1: a score, a quality, or a coordinate as a share of the picture's width or height."""
UserRole = Literal["client", "viewer", "keeper", "privacy", "admin"]
"""The roles of people and programs: ``LEVELS`` of model/caller.py."""
FaceSize = Annotated[int, Field(ge=20, le=10_000)]
"""Pixels across a face."""
Corners = Annotated[tuple[tuple[Fraction, Fraction], ...], Field(min_length=3, max_length=64)]
"""The corners of a polygon, each as x and y."""

HOST_NAME = re.compile(r"[^\s:/@?#*,\[\]]+|\[?[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]?")
"""A name or an IP address, without scheme and port."""

ORIGIN = re.compile(r"(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
"""An origin as browsers send it. Apps in a web view have schemes of their own, such as ``capacitor://localhost``."""

WEB_ADDRESS = re.compile(r"(?i:https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/?")
"""A scheme, a host, and perhaps a port and a path: no user and password, which would appear in the log."""


def _check_web_address(text: str) -> str:
    if not WEB_ADDRESS.fullmatch(text):
        raise ValueError("expected an address as http://frigate:5000, without a user, a password, ? and #")
    return text.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_check_web_address)]
"""The address of a program on the network, without a slash at its end."""


def _read_network(value: object) -> object:
    """Return the network of a text. Raise ValueError."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        # Without str, the number 5 would be the address 0.0.0.5.
        return ip_network(str(value), strict=False)
    except ValueError:
        shown = str(value)[:64]
        raise ValueError(f"{shown!r} is not a network: write it as 192.168.0.0/16, or as one IP address") from None


NetworkSetting = Annotated[IPv4Network | IPv6Network, BeforeValidator(_read_network)]
"""A range of IP addresses, or a single one."""


def is_topic(text: str) -> bool:
    """Return whether a text may be the beginning of a topic of another program."""
    return (
        bool(text)
        and len(text) <= 200
        and not text.startswith("$")
        and "" not in text.split("/")
        and not set(text) & set("+#\0")
    )


def _expand_home(value: object) -> object:
    """Replace ``~`` by the home folder, as a shell does. Raise ValueError for text that is no path."""
    if not isinstance(value, str):
        return value
    if not value:
        raise ValueError("the path is empty: name a file or a folder")
    if "\0" in value:
        raise ValueError("the path contains a NUL character: name a file or a folder")
    if not value.startswith("~"):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError:
        home = value.split("/")[0]
        raise ValueError(
            f"{home} is the home folder of a user who does not exist: write ./{home} for a folder of that name"
        ) from None


FilePath = Annotated[Path, BeforeValidator(_expand_home)]

_BOOL = TypeAdapter(bool)


def _read_truth_value(value: object) -> object:
    """Return ``mesh`` for true and ``off`` for false. Other values are returned as they are."""
    # The setting was true or false in the past. YAML also reads the word off as false.
    try:
        return "mesh" if _BOOL.validate_python(value) else "off"
    except ValidationError:
        return value


Landmarks68Setting = Annotated[Landmarks68, BeforeValidator(_read_truth_value)]
