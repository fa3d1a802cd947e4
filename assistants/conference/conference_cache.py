"""The conference's facts, read from Directus once in some minutes and kept in Redis between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from assistants.conference.facts import ConferenceFacts, gather_facts
from services import redis_keys
from services.directus_names import CONFERENCES, SESSIONS
from services.errors import ErleahError
from services.logging import get_logger

if TYPE_CHECKING:
    from assistants.interface import Toolbox

__all__ = ["read_facts"]

log = get_logger(__name__)

_FIELDS = (
    "id", "name", "description", "start_date", "end_date", "venue", "city", "country", "timezone", "website", "faq",
)  # fmt: skip


async def read_facts(conference_id: str, toolbox: Toolbox) -> ConferenceFacts:
    """What holds for the whole conference.

    Raises NotFoundError when there is no such conference, and what Directus raises when it is away
    and nothing is cached. Without Redis every call reads Directus.
    """
    key = redis_keys.conference(conference_id)
    cached = await _cached(key, toolbox)
    if cached is not None:
        return cached
    row = await toolbox.directus.read_item(CONFERENCES, conference_id, fields=_FIELDS)
    sessions = await toolbox.directus.read_items(
        SESSIONS,
        filter={"conference_id": {"_eq": conference_id}},
        fields=("start_time", "end_time", "room", "title", "session_type"),
        limit=-1,
    )
    facts = gather_facts(row, sessions)
    try:
        await toolbox.redis.set(key, facts.model_dump_json(), ex=redis_keys.CONFERENCE_TTL_S)
    except ErleahError as error:
        log.warning("conference.not_cached", reason=type(error).__name__)
    return facts


async def _cached(key: str, toolbox: Toolbox) -> ConferenceFacts | None:
    try:
        saved = await toolbox.redis.get(key)
    except ErleahError:
        return None
    if not saved:
        return None
    try:
        return ConferenceFacts.model_validate_json(saved)
    except ValidationError:  # another version wrote it; it lapses by itself
        return None
