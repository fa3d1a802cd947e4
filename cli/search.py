"""``erleah search``: what a turn would find, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from cli.terminal import command_settings, data, run, say
from search.query import EntityType, SearchMode
from services.queue.job_queue import JobQueue
from services.queue.jobs import SearchJob
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.settings import Settings

__all__ = ["search", "show"]

WAIT_S = 30.0


@click.command()
@click.argument("query")
@click.option("--conference", metavar="ID", required=True, help="Where to look.")
@click.option(
    "--entity", type=click.Choice([each.value for each in EntityType]), required=True, help="What to look for."
)
@click.option(
    "--mode",
    type=click.Choice([SearchMode.AUTO.value, SearchMode.FACETED.value, SearchMode.MASTER.value]),
    help="Ask the index alone, with the words as they are; without it times and places are understood as a turn does.",
)
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def search(*, query: str, conference: str, entity: str, mode: str | None, limit: int, as_json: bool) -> int:
    """Search as a turn would; a worker does it, so only Redis must be reachable."""
    if not query.strip():
        raise click.UsageError("QUERY is empty; say what to look for")
    settings = command_settings()
    job = SearchJob.model_validate(
        {
            "request_id": uuid4().hex,
            "query": query,
            "conference_id": conference,
            "entity_type": entity,
            "mode": mode,
            "limit": limit,
        }
    )
    found = run(_search(settings, job))
    if as_json:
        data(found)
    else:
        show(found, asked=query)
    return 0


async def _search(settings: Settings, job: SearchJob) -> dict[str, Any]:
    redis = connect_redis(settings.redis_url, retries=1)
    queue = JobQueue(redis)
    try:
        await queue.enqueue(job)
        return dict(await queue.result(job, WAIT_S))
    finally:
        await redis.aclose()


def show(found: dict[str, Any], *, asked: str) -> None:
    """Rows on stdout; what was understood, filtered, given up, decided and corrected on stderr."""
    say(f"mode {found['mode']}; {_filters(found['filters'])}")
    for line in (*_understood(found, asked), *_reasons(found["explain"])):
        say(line)
    for place, hit in enumerate(found["results"], start=1):
        _row(f"{place:>3}.", hit)
    if found["results"]:
        return
    near = found["near"]
    if not near:
        say("Nothing found. Is the conference indexed? erleah reindex --wait")
        return
    say("Nothing here on that. Nearest, and not an answer:")
    for hit in near:
        _row("   ~", hit)


def _row(mark: str, hit: dict[str, Any]) -> None:
    data(f"{mark} {hit['score']:.3f}  {hit['title']}")
    parts = hit.get("parts") or {}
    if parts:
        data(f"             meaning {parts['meaning']:.2f} (best facet {parts['facets']:.2f}, profile "
             f"{parts['master']:.2f}), words {parts['words']:.0%}")  # fmt: skip
    best = sorted(hit["facet_scores"].items(), key=lambda pair: -pair[1])
    if best:
        data("             " + ", ".join(f"{facet} {score:.2f}" for facet, score in best))


def _filters(applied: dict[str, Any]) -> str:
    named = [f"conference {applied.get('conference_id', '?')}"]
    named += [f"from {start or 'the beginning'} to {end or 'the end'}" for start, end in applied.get("times", [])]
    if applied.get("runs_at"):
        named.append(f"not over at {applied['runs_at']}")
    if applied.get("rooms"):
        named.append("in " + " or ".join(applied["rooms"]))
    if applied.get("kind"):
        named.append(f"of the kind {applied['kind']}")
    return "only " + ", ".join(named)


def _understood(found: dict[str, Any], asked: str) -> list[str]:
    """What was searched for where that is not what was asked, and what had to be given up."""
    lines: list[str] = []
    if not found["query"]:
        lines.append("no subject to search for: this is a list, in no order of nearness")
    elif found["query"] != asked:
        lines.append(f"searched for {found['query']!r}")
    if found["relaxed"]:
        lines.append(f"nothing was found so; given up: {', '.join(found['relaxed'])}")
    return lines


def _reasons(explain: dict[str, Any]) -> list[str]:
    """What the search made of the question, in sentences; none for modes that explain nothing."""
    lines: list[str] = []
    if "evidence" in explain:
        lines.append(f"evidence {explain['evidence']:.2f}, an answer needs {explain['threshold']:.2f}")
    if explain.get("has_subject") is False:
        lines.append("the question names no subject: whatever the filters leave is an answer")
    lines += [f"{word!r} taken for {meant!r}" for word, meant in explain.get("corrected", {}).items()]
    if explain.get("unknown_names"):
        lines.append(f"nobody and nothing here is called {', '.join(explain['unknown_names'])}")
    if explain.get("unheard"):
        lines.append(f"no text here has {_listed(explain['unheard'])}: that counts against an answer")
    if explain.get("unkept"):
        lines.append(f"the question wants {explain['unkept']}, and no row has that: that counts against an answer")
    if explain.get("drawn_to"):
        lines.append(f"ordered by nearness to {_listed(explain['drawn_to'])} too: they came nearest of all types")
    if explain.get("words_indexed") is False:
        lines.append("the index has no words yet, meaning alone was compared: erleah reindex --full")
    return lines


def _listed(words: list[str]) -> str:
    return ", ".join(map(repr, words))
