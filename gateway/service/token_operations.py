"""The operations ``tokens/…``: each method is one row of the table in contract/operations.py."""

from __future__ import annotations

from collections.abc import Callable

from gateway.contract import fields as f
from gateway.contract import tokens as documents
from gateway.contract.base import Document
from gateway.errors import Conflict
from gateway.model import AdministrationRequest, Effect
from gateway.people.services import PeopleServices
from gateway.service.documents import write_token
from gateway.service.token_changes import NewToken, TokenChanges


class TokenOperations:
    """The operations on the tokens of the REST interface.

    ``keep_admin``: refuse to revoke the last token with the role admin, since REST makes no token without one.
    """

    def __init__(self, people: PeopleServices, *, keep_admin: bool) -> None:
        self._tokens = people.store.tokens
        self._registry = people.registry
        self._changes = TokenChanges(people.store.tokens, people.store.audit)
        self._keep_admin = keep_admin

    def list(self, _request: AdministrationRequest, _fields: f.NoFields) -> documents.TokensDocument:
        return documents.TokensDocument(tokens=[write_token(each) for each in self._tokens.list_tokens()])

    def add(self, request: AdministrationRequest, fields: f.AddToken) -> documents.NewTokenDocument:
        self._begin_secret(request.effect, lambda: self._changes.check_new(fields.name, fields.role, request.caller))
        return _write_new(self._changes.add(fields.name, fields.role, fields.days, request.caller))

    def rotate(self, request: AdministrationRequest, fields: f.RotateToken) -> documents.NewTokenDocument:
        self._begin_secret(request.effect, lambda: self._changes.find(fields.name))
        return _write_new(self._changes.rotate(fields.name, fields.days, request.caller))

    def revoke(self, request: AdministrationRequest, fields: f.OneToken) -> documents.RevokedTokenDocument:
        if self._begin(request.effect, lambda: self._check_revocation(fields.name)):
            self._changes.revoke(fields.name, request.caller)
        elif request.effect and fields.name in [each.name for each in self._tokens.list_tokens()]:
            raise Conflict(
                f"{request.effect.id_text} was used before to revoke {fields.name}, and there is such a token again:"
                " send the request with another id"
            )
        return documents.RevokedTokenDocument(name=fields.name)

    def _check_revocation(self, name: str) -> None:
        self._changes.find(name)
        if self._keep_admin:
            self._changes.check_not_last_admin(name)

    def _begin_secret(self, effect: Effect | None, check: Callable[[], object]) -> None:
        """Run the check. Raise Conflict for a request that was made before: its reply is stored nowhere."""
        if not self._begin(effect, check) and effect is not None:
            raise Conflict(
                f"{effect.id_text} was used before, and the reply had a token, which is shown once: if you do not have"
                " it, rotate the token with another id"
            )

    def _begin(self, effect: Effect | None, check: Callable[[], object]) -> bool:
        """Run the check, unless a request with this id was made before. Return whether this is the first one."""
        calls: list[Document] = []

        def begin() -> Document:
            check()
            calls.append({})
            return {}

        if effect is None:
            begin()
        else:
            # The id has a transaction of its own, since the tokens are in another file. Their change follows.
            self._registry.apply_once(effect, begin)
        return bool(calls)


def _write_new(new: NewToken) -> documents.NewTokenDocument:
    return documents.NewTokenDocument(**write_token(new.token).document(), token=new.secret)
