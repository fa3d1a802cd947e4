"""Facets written by a language model: one structured call an entity, facts of its fields only."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING

from ingest.facet_writers.aspects import ASPECTS, KINDS, facet_schema
from ingest.facet_writers.writer import FACET_LIMIT, Facets, facet_source
from ingest.sentences import clip, plain_text
from search.facets import FACET_KEYS
from search.query import EntityType
from services.errors import ProviderError, ProviderRefusedError
from services.llm.calls import ChatMessage, Prompt
from services.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ingest.facet_writers.writer import FacetWriter
    from ingest.rows import Row
    from services.llm.chain import LanguageModel
    from services.prompts import PromptFiles

__all__ = ["REQUIRED_PROMPTS", "ModelFacetWriter"]

REQUIRED_PROMPTS: Mapping[str, frozenset[str]] = {"facets": frozenset({"kind", "aspects"})}
"""The prompt files this room needs, and the variables it gives them."""

_CALLS_AT_ONCE = 4
"""Answers to visitors use the same key: four calls leave most of its rate to them."""

_SOURCE_LIMIT = 12_000
"""Characters of fields a call is given, some 3,000 tokens; the longest profile of the sample has 5,000."""

_FAILURES_BEFORE_REST = 3
_REST_S = 60.0
"""A model that is away costs every call its retries: after three failures in a row, 400 entities would wait
for minutes. So it is left alone for a minute, and the fallback writes."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")

log = get_logger(__name__)


class ModelFacetWriter:
    """Asks the model; what it can't or won't write, ``fallback`` writes.

    What it wrote is checked as far as code can: numbers that the fields do not have are invented, and
    a facet with such a number is left to the fallback.
    """

    paid = True

    def __init__(
        self,
        model: LanguageModel,
        prompts: PromptFiles,
        fallback: FacetWriter,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigurationError when a prompt is missing or wants what it is not given."""
        prompts.check(REQUIRED_PROMPTS)
        self.version = f"model-1-{prompts.version}"
        self._model = model
        self._fallback = fallback
        self._clock = clock
        self._schemas = {entity_type: facet_schema(entity_type) for entity_type in EntityType}
        self._systems = {entity_type: _system(prompts, entity_type) for entity_type in EntityType}
        self._free = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._failures = 0
        self._rests_until = 0.0

    async def write(self, row: Row) -> Facets:
        """The facets of one entity; with the fallback's version where the fallback wrote all of them."""
        source = _source(row)
        texts = await self._ask(row, source)
        fallback = await self._fallback.write(row)
        if texts is None:
            return fallback
        said = _numbers(source)
        checked = {
            key: clip(plain_text(text), FACET_LIMIT) if _numbers(text) <= said else fallback.texts.get(key, "")
            for key, text in texts.items()
        }
        present = {key: text for key, text in checked.items() if text}
        return Facets(present, self.version) if present else fallback

    async def _ask(self, row: Row, source: str) -> dict[str, str] | None:
        """The model's texts by facet key; None when it failed, declined or rests."""
        prompt = Prompt(
            system=self._systems[row.entity_type],
            messages=(ChatMessage("user", f"Write the texts of this {KINDS[row.entity_type]}."),),
            context=source,
        )
        async with self._free:
            if self._clock() < self._rests_until:
                return None
            try:
                parsed = await self._model.parse(prompt, self._schemas[row.entity_type])
            except ProviderRefusedError:
                log.warning("facets_refused", entity_type=row.entity_type, entity_id=row.id)
                return None
            except ProviderError as error:
                self._note_failure(error)
                return None
        self._failures = 0
        return {str(key): str(text) for key, text in parsed.value.model_dump().items()}

    def _note_failure(self, error: ProviderError) -> None:
        self._failures += 1
        rests = self._failures >= _FAILURES_BEFORE_REST
        if rests:
            self._rests_until = self._clock() + _REST_S
        log.warning("facets_not_written", provider=error.provider, why=error.code, rests=rests)


def _system(prompts: PromptFiles, entity_type: EntityType) -> str:
    aspects = [{"key": key, "asks": ASPECTS[key]} for key in FACET_KEYS[entity_type]]
    return prompts.render("facets", kind=KINDS[entity_type], aspects=aspects)


def _source(row: Row) -> str:
    """The fields as JSON, which no text inside can break out of; long texts are cut, never the structure."""
    fields = {key: value for key, value in facet_source(row).items() if value not in ("", [])}
    share = _SOURCE_LIMIT
    while len(rendered := json.dumps(_cut(fields, share), ensure_ascii=False, indent=1)) > _SOURCE_LIMIT and share:
        share //= 2
    return rendered


def _cut(value: object, limit: int) -> object:
    match value:
        case str():
            return clip(plain_text(value), limit)
        case list():
            return [_cut(item, limit) for item in value[:limit]]
        case dict():
            return {key: _cut(item, limit) for key, item in value.items()}
        case _:
            return value


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))
