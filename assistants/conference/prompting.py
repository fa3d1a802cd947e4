"""The model's prompt: the same rules for every turn, and this turn's data apart from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assistants.conference.entities import Entities
from assistants.conference.entries import moment_of
from assistants.conference.found import found, given_up, offers
from assistants.conference.question import normalise
from assistants.language import LANGUAGE_NAMES
from services.llm.calls import ChatMessage, Prompt

if TYPE_CHECKING:
    from assistants.interface import TurnView
    from services.prompts import PromptFiles

__all__ = ["REQUIRED_PROMPTS", "answer_prompt"]

SYSTEM, CONTEXT = "system", "context"

REQUIRED_PROMPTS: dict[str, frozenset[str]] = {
    SYSTEM: frozenset(),
    CONTEXT: frozenset(
        {
            "now",
            "conference",
            "language",
            "intent",
            "query",
            "data",
            "near",
            "found",
            "relaxed",
            "failed",
            "time",
            "location",
            "no_conference",
        }
    ),
    "understand": frozenset(),
}
"""The prompt files and the variables each may use, checked when a worker starts."""

_HISTORY_CHARS = 4000
"""Of one earlier message; a pasted document in the history is not what this answer is about."""
_LEFT_OUT = frozenset({"id", "score", "facet_scores", "answers", "read_as"})


def answer_prompt(view: TurnView, prompts: PromptFiles) -> Prompt:
    """What the model is asked to write. ``system`` never changes, so that providers can cache it."""
    entities = Entities.of(view.understanding)
    understanding = view.understanding
    local = (entities.now or view.now).astimezone(entities.zone)
    data, near = _data(view, entities)
    context = prompts.render(
        CONTEXT,
        now=f"{local:%A %d %B %Y, %H:%M} ({entities.timezone})",
        conference=_line(entities.conference),
        language=LANGUAGE_NAMES.get(understanding.language if understanding else "en", "the language of the question"),
        intent=understanding.intent if understanding else "",
        query=_line(understanding.query if understanding else ""),
        data=data,
        near=near,
        found=bool(found(view)),
        relaxed=given_up(view),
        failed=list(dict.fromkeys(outcome.call.tool for outcome in view.outcomes if outcome.error)),
        time=_line(entities.time or ""),
        location=_line(entities.location or ""),
        no_conference=view.scope_id is None,
    )
    history = tuple(ChatMessage(message.role, message.text[:_HISTORY_CHARS]) for message in view.history)
    question = normalise(view.question) or "…"
    return Prompt(system=prompts.render(SYSTEM), messages=(*history, ChatMessage("user", question)), context=context)


def _data(view: TurnView, entities: Entities) -> tuple[str, str]:
    """What was found and what is only near, a JSON object a line.

    A text inside it can't end its own string, so can't speak outside it.
    """
    near = [_json(row, entities) for row in offers(view)]
    every = dict.fromkeys(_json(row, entities) for outcome in view.outcomes for row in outcome.results)
    return "\n".join(line for line in every if line not in near), "\n".join(near)


def _json(row: dict[str, Any], entities: Entities) -> str:
    shown = {key: _local(key, value, entities) for key, value in row.items() if key not in _LEFT_OUT}
    return json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", " ")


def _local(key: str, value: Any, entities: Entities) -> Any:  # noqa: ANN401 - rows are JSON
    """Times as visitors read them: in the conference's zone, with the weekday (models are bad at both)."""
    if key in {"start_time", "end_time"}:
        moment = moment_of(value, entities.zone)
        return f"{moment:%A %d %B %Y, %H:%M}" if moment else value
    if isinstance(value, list):
        return [_local("", item, entities) for item in value]
    if isinstance(value, dict):
        return {inner: _local(inner, item, entities) for inner, item in value.items() if inner != "id"}
    return value


def _line(text: str) -> str:
    return json.dumps(normalise(text)[:500], ensure_ascii=False).replace("<", "\\u003c")
