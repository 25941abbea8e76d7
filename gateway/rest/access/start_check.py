"""The refusal to start if other machines could reach REST, and nobody decided who may use it."""

from __future__ import annotations

import logging

from gateway.config import RestSettings
from gateway.errors import GatewayError, StartError
from gateway.rest.access.anonymous import is_loopback_host
from gateway.store.protocols import Tokens

log = logging.getLogger(__name__)


def check_tokens(settings: RestSettings, tokens: Tokens) -> None:
    """Raise StartError if REST listens beyond this machine by mistake, or if the tokens cannot be read.

    It is no mistake if there is a token, or if ``anonymous`` says who needs none, even if that is nobody. Log a warning
    if every request needs a token, and there is none.
    """
    try:
        has_tokens = bool(tokens.list_tokens())
    except GatewayError as error:
        raise StartError(f"REST cannot check who may use it: {error}. {_DAMAGE_ADVICE}") from None
    is_open_on_purpose = settings.anonymous is not None and bool(settings.anonymous.networks)
    if has_tokens or is_open_on_purpose:
        return
    if settings.anonymous is None and not is_loopback_host(settings.host):
        raise StartError(
            f"REST would listen on {settings.host} (rest.host), which other machines can reach, and there is no token:"
            " make one with `facegate tokens add --name phone --role viewer`, or let addresses in without a token"
            " (rest.anonymous), or refuse every request until there is one (rest.anonymous: {from: []}), or set"
            " rest.host to 127.0.0.1."
        )
    if settings.anonymous is not None or settings.proxies:
        log.warning("REST refuses every request, since there is no token: make one with `facegate tokens add`")


_DAMAGE_ADVICE = "Move the file away if it is damaged, and make new tokens: `facegate tokens add`"
