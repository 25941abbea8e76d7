"""The sections about the network: ``mqtt`` with ``mqtt.tls``, and ``rest``."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway.config.field_types import (
    HOST_NAME,
    ORIGIN,
    FilePath,
    NetworkSetting,
    Port,
    Seconds,
    UserRole,
)
from gateway.config.section import Section
from gateway.model.caller import home_assistant_login
from gateway.model.requests import LOGIN_RULE, is_user_login


class TlsSettings(Section):
    """``mqtt.tls``: the encryption of the connection to the broker."""

    enabled: bool = False
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    server_name: str | None = None

    @field_validator("server_name")
    @classmethod
    def _check_server_name(cls, name: str | None) -> str | None:
        if name is not None and not HOST_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a host name: write the name of the broker's certificate alone")
        return name

    @model_validator(mode="after")
    def _refuse_plain_text(self) -> TlsSettings:
        given = [name for name in ("ca", "cert", "key", "server_name") if getattr(self, name) is not None]
        if given and not self.enabled:
            raise ValueError(
                f"{' and '.join(given)} given, but TLS is not enabled, so everything would be sent in plain text:"
                f" set mqtt.tls.enabled to true, or remove {'it' if len(given) == 1 else 'them'}"
            )
        if self.key is not None and self.cert is None:
            raise ValueError("key is given without cert: set cert to the certificate of the key")
        return self


class MqttSettings(Section):
    """``mqtt``: the broker, and the exchange of messages with it."""

    host: str = Field(default="localhost", min_length=1)
    port: Port = 1883
    user: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings = TlsSettings()
    base: str = Field(default="facegate", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,3}$")
    client_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: int = Field(default=20, ge=5, le=3600)
    answer_s: Seconds = 10
    window: int = Field(default=1000, ge=1, le=10_000)
    response_topics: tuple[str, ...] = ()
    max_queued: int = Field(default=1000, ge=1)
    users: Mapping[str, UserRole] = {}
    export: bool = False
    trust_broker: bool = False

    @field_validator("users")
    @classmethod
    def _check_logins(cls, users: Mapping[str, UserRole]) -> Mapping[str, UserRole]:
        for login in users:
            # The broker binds the topics of a camera to its login: such a login would have the topics of the bridge.
            if not is_user_login(login):
                raise ValueError(f"{login[:80]!r} is not the login of a user: {LOGIN_RULE}")
        return users

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        # A link-local address may end with its zone, as in fe80::1%eth0.
        if host.startswith("[") or not HOST_NAME.fullmatch(host.partition("%")[0]):
            raise ValueError(f"{host!r} is not a host name: write the host name alone; the port is mqtt.port")
        return host

    @field_validator("response_topics")
    @classmethod
    def _check_prefixes(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not topic or topic.startswith(("$", "/")) or set(topic) & set("+#\0"):
                raise ValueError(
                    f"{topic!r} is not the beginning of a topic to publish on:"
                    " it must not be empty, begin with $ or /, or contain +, # or NUL"
                )
        return topics


class AnonymousSettings(Section):
    """``rest.anonymous``: the role of requests without a token, and the addresses that they may come from."""

    # The word "from" belongs to Python.
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    role: Literal["client", "viewer", "keeper"] = "client"
    networks: tuple[NetworkSetting, ...] = Field(alias="from")


class RestTlsSettings(Section):
    """``rest.tls``: the certificate with which REST is served over HTTPS. Without it, REST is served over HTTP."""

    cert: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def _check_pair(self) -> RestTlsSettings:
        if (self.cert is None) != (self.key is None):
            given, missing = ("cert", "key") if self.key is None else ("key", "cert")
            raise ValueError(f"{given} is given without {missing}: a server needs both (`facegate tls make`)")
        return self


class IngressSettings(Section):
    """``rest.ingress``: the port on which Home Assistant's supervisor passes on the requests of logged-in users."""

    address: str
    host: str = "0.0.0.0"  # noqa: S104 (connections from other addresses than ``address`` are closed)
    port: Port = 8099
    role: UserRole = "viewer"
    users: Mapping[str, UserRole] = {}

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        try:
            return str(ip_address(address))
        except ValueError:
            raise ValueError(f"{address[:64]!r} is not an IP address: the supervisor has 172.30.32.2") from None

    @field_validator("users")
    @classmethod
    def _check_users(cls, users: Mapping[str, UserRole]) -> Mapping[str, UserRole]:
        roles: dict[str, UserRole] = {}
        for user, role in users.items():
            login = home_assistant_login(user)
            if not login or "," in login:
                raise ValueError(f"{user[:64]!r} is not the login of a user: it must not be empty or have a comma")
            if login in roles:
                raise ValueError(
                    f"{user[:64]!r} is the login of a user who has a role already: small and capital letters are the"
                    " same here, so name each user once"
                )
            roles[login] = role
        return roles


class RestSettings(Section):
    """``rest``: the REST interface."""

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    port: Port = 5001
    threads: int = Field(default=64, ge=1, le=256)
    event_streams: int = Field(default=64, ge=0, le=256)
    anonymous: AnonymousSettings | None = None
    plain_admin: bool = False
    tls: RestTlsSettings = RestTlsSettings()
    proxies: tuple[NetworkSetting, ...] = ()
    origins: tuple[str, ...] = ()
    ingress: IngressSettings | None = None

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            # "null" is the origin of every file and of every sandboxed page.
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin[:80]!r} is not an origin: write it as browsers send it, such as https://app.example or"
                    " http://localhost:3000: in lower case, without a path and without the usual port"
                )
        return origins

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not HOST_NAME.fullmatch(host):
                raise ValueError(f"{host!r} is not a host name: write the name alone, as pi.local")
        return hosts

    @model_validator(mode="after")
    def _check_ports(self) -> RestSettings:
        if self.ingress is not None and self.ingress.port == self.port:
            raise ValueError(
                f"ingress.port and port are both {self.port}: give ingress a port of its own, such as 8099"
            )
        return self
