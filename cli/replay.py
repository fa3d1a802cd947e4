"""``erleah replay``: a past turn run again from its recording, beside what it was then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from assistants.registry import make_assistants
from cli.terminal import command_settings, data, run, say
from services import redis_keys
from services.embeddings.factory import make_embedder
from services.errors import ConfigurationError, ErleahError, NotFoundError
from services.llm.chain import make_language_model
from services.redis import connect_redis
from worker.comparing import compare
from worker.recording import Recording, Recordings
from worker.replaying import replay as run_again

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from assistants.interface import Assistant
    from services.embeddings.embedder import Embedder
    from services.llm.chain import LanguageModel
    from services.settings import Settings
    from worker.comparing import Step
    from worker.replaying import Replay

__all__ = ["replay"]

IN_PROCESS = frozenset({"local", "fastembed"})
"""Embedders that need no network."""
_VERSION = re.compile("v[0-9]+")


@click.command()
@click.argument("message_id", type=click.UUID)
@click.option("--prompts", metavar="VERSION", help="With these prompts instead of the turn's own, v2 say.")
@click.option("--live", is_flag=True, help="Ask a real model where none was asked the same then.")
@click.option("--model", metavar="NAME", help="Another model writes, with --live.")
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def replay(*, message_id: UUID, prompts: str | None, live: bool, model: str | None, as_json: bool) -> int:
    """Run the turn of this message (a question, or its answer) again, and show where it parts from what it was.

    Needs Redis alone, writes nothing, and asks nothing outside but a model, and that with --live only. Exit code 1
    when the same inputs give another result.
    """
    if model is not None and not (live and model):
        raise click.UsageError("--model needs a name and --live: what another model would write, only it can say")
    if prompts is not None and not _VERSION.fullmatch(prompts):
        raise click.UsageError("--prompts wants v and a number, as the folders of prompts are called: v2")
    settings = command_settings()
    recording, replayed = run(_replay(settings, str(message_id), prompts=prompts, live=live, model=model))
    steps = compare(recording, replayed)
    parted = [step for step in steps if not step.is_same]
    if as_json:
        data(_as_json(recording, replayed, steps))
    else:
        _show(recording, replayed, steps)
    if not replayed.is_comparable:
        return 1  # what was asked for, a comparison, there is none
    return 1 if parted and not (prompts or live) else 0


async def _replay(
    settings: Settings, message_id: str, *, prompts: str | None, live: bool, model: str | None
) -> tuple[Recording, Replay]:
    redis = connect_redis(settings.redis_url, retries=1)
    try:
        recordings = Recordings(redis, days=1)
        recording = await recordings.load(await recordings.question_of(message_id) or message_id)
    finally:
        await redis.aclose()
    if recording is None:
        days = settings.record_turns_days
        kept = f"the newest {redis_keys.RECORDINGS_AT_MOST:,} are kept, for {days} days (RECORD_TURNS_DAYS)"
        nothing = "RECORD_TURNS_DAYS is 0, so nothing is; set it, restart the workers and ask again"
        raise NotFoundError(f"no turn of the message {message_id} is recorded; {kept if days else nothing}")
    changes: dict[str, Any] = {"prompt_version": prompts or recording.settings["prompt_version"]}
    if model:
        changes |= {"anthropic_model": model, "openai_model": model}
    settings = settings.model_copy(update=changes)
    assistant = _assistant(recording, settings)
    language_model = _live_model(settings, model) if live else None
    embedder = _embedder(recording, settings)
    try:
        replayed = await run_again(
            recording, assistant, settings, embedder=embedder, live=language_model, is_other_model=bool(model)
        )
    finally:
        await _close(embedder, language_model)
    return recording, replayed


async def _close(embedder: Embedder | None, model: LanguageModel | None) -> None:
    if embedder is not None:
        await embedder.aclose()
    if model is not None:
        await model.aclose()


def _assistant(recording: Recording, settings: Settings) -> Assistant:
    name = recording.begun.assistant
    for assistant in make_assistants(settings).values():
        if assistant.name == name:
            return assistant
    raise NotFoundError(f"the turn was answered by the assistant {name!r}, which is not installed here")


def _live_model(settings: Settings, name: str | None) -> LanguageModel:
    """The real models; raises ConfigurationError where one is named and none can be asked."""
    language_model = make_language_model(settings)
    if name and not language_model.has_model:
        # Else the templates would answer, and be shown as what that model wrote.
        raise ConfigurationError(f"there is no model to ask for {name}: set ANTHROPIC_API_KEY or OPENAI_API_KEY")
    return language_model


def _embedder(recording: Recording, settings: Settings) -> Embedder | None:
    """The recorded one, if it works in this process; else None."""
    names = ("embedding_provider", "embedding_model")
    is_same = all(getattr(settings, name) == recording.settings[name] for name in names)
    if not is_same or settings.embedding_provider not in IN_PROCESS:
        return None
    try:
        # A model that was never fetched here is none that works without a network: nothing waits for its download.
        return make_embedder(settings, may_download=False)
    except ErleahError:
        return None


def _as_json(recording: Recording, replayed: Replay, steps: Sequence[Step]) -> dict[str, Any]:
    return {
        "message_id": recording.begun.message_id,
        "same": all(step.is_same for step in steps) if replayed.is_comparable else None,
        "compared": len(steps),
        "parts": [{"step": step.name, "diff": step.diff} for step in steps if not step.is_same],
        "then": recording.ending.text,
        "now": replayed.text,
        "unanswered": list(replayed.unanswered),
        "understood_again": replayed.understood_again,
        "left_out": [{"read": read.asked, "bytes": read.left_out_bytes} for read in recording.left_out],
    }


def _show(recording: Recording, replayed: Replay, steps: Sequence[Step]) -> None:
    parted = [step for step in steps if not step.is_same]
    if recording.ending.called_off:
        say(f"The turn was called off then ({recording.ending.called_off}): it is compared as far as it came.")
    for read in recording.left_out:
        say(f"Left out of the recording, being too large ({(read.left_out_bytes or 0) / 1000:,.1f} kB): {read.asked}")
    if not replayed.is_comparable:
        missing = "what was left out of its recording" if recording.left_out else "the embedder it used"
        data(
            "It can't be told whether they are the same: the turn ended before it had understood the question, and "
            f"to do that again {missing} is missing."
        )
        return
    if recording.left_out:
        say("Its understanding is taken from the recording: what it read is not all there.")
    elif not replayed.understood_again:
        say("Its understanding is taken from the recording: the embedder it used is not at hand without a network.")
    if not parted:
        data(f"The same, {len(steps)} steps compared.\n")
        data(replayed.text)
        return
    data(f"They part at: {', '.join(step.name for step in parted)} ({len(steps)} steps compared).")
    for step in parted:
        data(f"\n── {step.name}")
        data("\n".join(step.diff))
    for unanswered in replayed.unanswered:
        say(f"\n{unanswered}; ask it with: --live")
    data(f"\n── then\n{recording.ending.text}\n\n── now\n{replayed.text}")
