"""Who may see a conversation: Directus decides, asked with the visitor's own token."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from services.directus_names import CONVERSATIONS
from services.errors import AccessDeniedError, NotFoundError, ServiceRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from services.directus.client import Directus

__all__ = ["VisitorAccess", "as_erleah", "as_visitor", "bearer_token"]

REMEMBER_S: Final = 60.0
"""A share withdrawn in Directus is still honoured here for this long; a burst costs one read."""

REMEMBER_AT_MOST: Final = 10_000
"""About 2 MB; beyond it the oldest are asked for again."""

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]{1,4096})", re.IGNORECASE)


def bearer_token(request: Request) -> str:
    """The token in the one Authorization header; HTTPException 401 when there is none to read."""
    sent = request.headers.getlist("authorization")
    match = _BEARER.fullmatch(sent[0].strip()) if len(sent) == 1 else None
    if match is None:
        message = "Wants the header Authorization: Bearer <the share's token>, once"
        raise HTTPException(401, message, {"WWW-Authenticate": "Bearer"})
    return match[1]


@contextmanager
def as_visitor() -> Iterator[None]:
    """Calls with a visitor's token: what Directus refuses, it refuses him. HTTPException 401."""
    try:
        yield
    except AccessDeniedError:
        message = "The token is unknown or has expired; trade the share for a new one"
        raise HTTPException(401, message, {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None


@contextmanager
def as_erleah() -> Iterator[None]:
    """Calls with Erleah's own token: what Directus refuses is the operator's to mend, not the visitor's."""
    try:
        yield
    except AccessDeniedError as error:
        message = f"Erleah's own user may not do this; run `erleah bootstrap`, or check DIRECTUS_API_KEY: {error}"
        raise ServiceRejectedError("directus", message) from error


class VisitorAccess:
    """Remembers for a minute, by digest and never by token, who may read which conversation."""

    def __init__(self, directus: Directus) -> None:
        self._directus = directus
        self._allowed_until: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, token: str, conversation_id: str) -> None:
        """Pass if this token reads this conversation at Directus.

        Raises AccessDeniedError if it opens another (a conversation that does not exist looks the
        same: Directus does not say which), HTTPException 401 if it opens none (any more),
        ServiceUnavailableError if Directus is away.
        """
        digest = sha256(f"{token}\n{conversation_id}".encode()).digest()
        now = time.monotonic()
        if self._allowed_until.get(digest, 0.0) > now:
            return
        try:
            with as_visitor():
                await self._directus.with_token(token).read_item(CONVERSATIONS, conversation_id, fields=["id"])
        except NotFoundError:
            message = f"This token does not open the conversation {conversation_id}"
            raise AccessDeniedError(message) from None
        self._allowed_until[digest] = now + REMEMBER_S
        self._allowed_until.move_to_end(digest)
        while len(self._allowed_until) > REMEMBER_AT_MOST:
            self._allowed_until.popitem(last=False)
