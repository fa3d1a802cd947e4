"""The conference assistant: sessions, exhibitors, speakers and the conference itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from assistants.conference.cues import CUES
from assistants.conference.entities import Entities
from assistants.conference.found import best, found
from assistants.conference.intents import Intent, router_examples
from assistants.conference.offline import fixed_answer, offline_answer
from assistants.conference.operator_search import search_as_a_turn
from assistants.conference.plan import make_plan, what_is_searched
from assistants.conference.prompting import REQUIRED_PROMPTS, answer_prompt
from assistants.conference.relax import relax
from assistants.conference.suggestions import suggest
from assistants.conference.tools import make_tools
from assistants.conference.trusted_hosts import trusted_hosts
from assistants.conference.understanding import Understander
from assistants.interface import Assistant, Outcome, Source
from assistants.language import LanguageGuesser
from assistants.links import without_foreign_links
from assistants.router import SemanticRouter
from search.query import EntityType
from services.errors import ConfigurationError
from services.prompts import PromptFiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assistants.interface import Guess, Toolbox, ToolCall, TurnView, Understood
    from services.llm.calls import Prompt
    from services.llm.chain import LanguageModel
    from services.settings import Settings

__all__ = ["ConferenceAssistant"]

_PROMPTS = Path(__file__).parent / "prompts"
_SOURCES = 10


class ConferenceAssistant(Assistant):
    """Answers visitors' questions at a conference; ``source`` is ``mini``.

    ``prompt_version`` is the setting PROMPT_VERSION, a folder of ``prompts/``.
    """

    name: ClassVar[str] = "conference"
    sources: ClassVar[frozenset[str]] = frozenset({"mini"})

    def __init__(self, prompt_version: str = "v1") -> None:
        self.tools = make_tools()
        self._prompts = PromptFiles(_PROMPTS, prompt_version)
        self._understander: Understander | None = None

    async def start(self, toolbox: Toolbox) -> None:
        """Check the prompts, load the language model of the guesser, teach the router.

        Raises ConfigurationError for a prompt that is missing or wants what it is not given, and
        ServiceUnavailableError when the embedder is away.
        """
        self._prompts.check(REQUIRED_PROMPTS)
        router = SemanticRouter(toolbox.embedder, router_examples(), CUES)
        languages, _ = await asyncio.gather(asyncio.to_thread(LanguageGuesser), router.start())
        self._understander = Understander(router, languages, self._prompts)

    def scope_of(self, conversation: Mapping[str, Any], settings: Settings) -> str | None:
        """The conversation's conference, else DEFAULT_CONFERENCE_ID."""
        named = conversation.get("conference_id")
        # Directus gives the id, or the whole row when its fields were asked for.
        conference_id = named.get("id") if isinstance(named, dict) else named
        return str(conference_id) if conference_id else settings.default_conference_id

    async def guess(self, view: TurnView, toolbox: Toolbox) -> Guess:
        """By rule, by the router, or from the conversation: see ``understanding.py``."""
        return await self._started().guess(view, toolbox)

    async def understand(self, view: TurnView, model: LanguageModel, toolbox: Toolbox) -> Understood:
        """Rule, router or model: see ``understanding.py``."""
        return await self._started().understand(view, model, toolbox)

    def plan(self, view: TurnView) -> list[ToolCall]:
        """By the plan table."""
        return make_plan(view)

    def same_call(self, made: ToolCall, planned: ToolCall) -> bool:
        """Where the index chooses its way itself (``mode``), ``use_faceted`` makes no difference."""
        return made.tool == planned.tool and what_is_searched(made) == what_is_searched(planned)

    def relax(self, view: TurnView) -> list[ToolCall]:
        """One thing more given up."""
        return relax(view)

    def prompt(self, view: TurnView) -> Prompt:
        """The rules, this turn's data, the conversation."""
        return answer_prompt(view, self._prompts)

    def offline_answer(self, view: TurnView) -> str:
        """The answer without a model."""
        return offline_answer(view)

    def fixed_answer(self, view: TurnView) -> str | None:
        """For what needs no search: hello, nothing asked, no conference."""
        return fixed_answer(view)

    def clean(self, text: str, view: TurnView, *, whole: bool) -> str:
        """Links only to hosts that the conference itself names; no pictures."""
        return without_foreign_links(text, trusted_hosts(view), whole=whole)

    def outcome(self, view: TurnView) -> Outcome:
        """Asked back, could not look, found nothing, or answered."""
        intent = view.understanding.intent if view.understanding else ""
        if intent == Intent.CLARIFICATION or view.scope_id is None or Entities.of(view.understanding).said:
            return Outcome.CLARIFICATION
        if view.outcomes and all(outcome.error for outcome in view.outcomes):
            return Outcome.ERROR
        return Outcome.ANSWERED if found(view) else Outcome.UNANSWERABLE

    def sources_used(self, view: TurnView) -> Sequence[Source]:
        """What was shown first, first; the rest of what was found behind it."""
        shown = best(view)
        rows = [*shown, *(row for row in found(view) if row not in shown)][:_SOURCES]
        return [
            Source(
                type=str(row["type"]),
                id=str(row["id"]),
                title=str(row["title"]),
                score=float(row.get("score") or 0.0),
                facet_scores=row.get("facet_scores") or {},
            )
            for row in rows
        ]

    def suggestions(self, view: TurnView) -> Sequence[str]:
        """Two or three questions that can be answered from here."""
        return suggest(view)

    async def search(self, view: TurnView, kind: str, limit: int, toolbox: Toolbox) -> dict[str, Any]:
        """Sessions, exhibitors or speakers: see ``operator_search.py``."""
        guess = await self._started().guess(view, toolbox)
        return await search_as_a_turn(view, guess.understanding, EntityType(kind), limit, toolbox)

    def _started(self) -> Understander:
        if self._understander is None:
            raise ConfigurationError("The conference assistant has not been started")
        return self._understander

    @property
    def prompt_version(self) -> str:
        """The folder of the prompts in use."""
        return self._prompts.version
