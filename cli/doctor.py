"""``erleah doctor``: checks every setting and service, and says what to do about each failure."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cli.doctor_directus import look_at_flows, look_at_rights
from cli.probe import alive
from cli.running_demo import RunningDemo
from cli.terminal import command_settings, data, mark, run
from search.index import SearchIndex
from search.thresholds import thresholds_for
from services.directus.client import Directus
from services.embeddings.factory import make_embedder
from services.errors import ErleahError, ServiceUnavailableError
from services.llm.chain import make_language_model
from services.llm.prices import DEAREST, is_price_known
from services.queue.job_queue import JobQueue
from services.queue.jobs import Queue
from services.redis import check_redis, connect_redis
from services.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.settings import Settings

__all__ = ["doctor"]

CHECK_S = 15.0
DEBUG = "erleah --debug doctor"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was seen or what to do."""

    what: str
    ok: bool
    said: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For a machine.")
def doctor(*, as_json: bool) -> int:
    """Check every setting and service; exit 1 if anything is wrong."""
    # Settings that can't be read stop right here, each bad variable with what it wants.
    settings = command_settings()
    findings = run(_examine(settings))
    if as_json:
        data([{"what": each.what, "ok": each.ok, "said": each.said} for each in findings])
    else:
        for each in findings:
            data(f"{mark(ok=each.ok)} {each.what:<12} {each.said}")
    return 0 if all(each.ok for each in findings) else 1


async def _examine(settings: Settings) -> list[Finding]:
    checks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "settings": _settings,
        "directus": _directus,
        "collections": _collections,
        "rights": _rights,
        "flows": _flows,
        "redis": _redis,
        "workers": _workers,
        "receiver": _receiver,
        "qdrant": _qdrant,
        "embeddings": _embeddings,
        "models": _models,
    }
    return list(await asyncio.gather(*(_check(what, check, settings) for what, check in checks.items())))


async def _check(what: str, check: Callable[[Settings], Awaitable[str]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(CHECK_S):
            return Finding(what, ok=True, said=await check(settings))
    except ErleahError as error:
        return Finding(what, ok=False, said=" ".join(str(error).split()))
    except TimeoutError:
        return Finding(what, ok=False, said=f"no answer within {CHECK_S:g} s")
    except Exception as error:  # noqa: BLE001 - a defect in one check must not lose what the others found
        # Not in its own words: they may hold what it was called with, and that may be a secret.
        context = click.get_current_context(silent=True)
        if context is not None and context.find_root().params.get("debug"):
            traceback.print_exc()
        return Finding(what, ok=False, said=f"something unexpected: {type(error).__name__}; see where: {DEBUG}")


async def _settings(settings: Settings) -> str:
    return f"read; {settings.environment.value}"


async def _directus(settings: Settings) -> str:
    async with _open_directus(settings) as directus:
        await directus.ping()
        await directus.health()
    return f"{settings.directus_url} answers, and knows DIRECTUS_API_KEY"


async def _collections(settings: Settings) -> str:
    async with _open_directus(settings) as directus:
        missing = []
        for collection in ("conferences", "sessions", "exhibitors", "speakers", "conversations", "messages"):
            try:
                await directus.read_items(collection, fields=["id"], limit=1)
            except ServiceUnavailableError:
                raise  # that Directus is away says nothing of its collections
            except ErleahError:
                missing.append(collection)
        if missing:
            raise ErleahError(f"can't read {', '.join(missing)}; run erleah bootstrap")
        conferences = await directus.count_items("conferences")
    return f"all there; {conferences} conference{'' if conferences == 1 else 's'}" + (
        "" if conferences else " (load one: erleah load DIR)"
    )


async def _rights(settings: Settings) -> str:
    async with _open_directus(settings) as service:
        return await look_at_rights(service)


async def _flows(settings: Settings) -> str:
    if settings.directus_admin_token is None:
        return "not looked at: only administrators see them, and DIRECTUS_ADMIN_TOKEN is not set"
    async with _open_directus(settings) as service:
        admin = service.with_token(settings.directus_admin_token.get_secret_value())
        return await look_at_flows(admin, service, settings)


async def _redis(settings: Settings) -> str:
    redis = connect_redis(settings.redis_url, retries=0)
    try:
        await check_redis(redis)
        return f"{redis.address} answers"
    finally:
        await redis.aclose()


async def _workers(settings: Settings) -> str:
    redis = connect_redis(settings.redis_url, retries=0)
    queue = JobQueue(redis)
    try:
        workers = {seen.worker_id for seen in await queue.workers() if seen.queue == Queue.TURNS}
        depth = await queue.depth(Queue.TURNS)
    finally:
        await redis.aclose()
    if not workers:
        raise ErleahError("none is running; start one with: erleah worker")
    return f"{len(workers)} at work; {depth.waiting} messages waiting"


async def _receiver(settings: Settings) -> str:
    url = settings.webhook_public_url
    try:
        await alive(url)
    except ServiceUnavailableError as error:
        raise ErleahError(f"{error}; start it with: erleah webhook, or set WEBHOOK_PUBLIC_URL") from None
    except ErleahError as error:
        raise ErleahError(f"{error}; set WEBHOOK_PUBLIC_URL") from None
    return f"{url} answers"


async def _qdrant(settings: Settings) -> str:
    if settings.qdrant_url.startswith("embedded://"):
        return "embedded: it lives inside the worker, which says what is wrong with it when it starts"
    vectors = Vectors(settings.qdrant_url, settings.qdrant_api_key)
    embedder = make_embedder(settings)
    try:
        await vectors.ping()
        await SearchIndex(vectors, embedder).check()
    finally:
        await embedder.aclose()
        await vectors.aclose()
    return f"{settings.qdrant_url} answers, and its index fits the embedder"


async def _embeddings(settings: Settings) -> str:
    if (demo := RunningDemo.behind(settings)) is not None:
        return f"{demo.embedder}: the running demo's own, by what its terminal has set{_silence(demo.embedder)}"
    embedder = make_embedder(settings)
    try:
        vectors = await embedder.embed(["Is anybody there?"])
    finally:
        await embedder.aclose()
    return f"{embedder.identity}: {len(vectors[0])} dimensions{_silence(embedder.identity)}"


def _silence(embedder: str) -> str:
    measured = thresholds_for(embedder).auto is not None
    return "" if measured else "; not measured: when to keep silent is read off the index"


async def _models(settings: Settings) -> str:
    if (demo := RunningDemo.behind(settings)) is not None:
        if demo.has_model:
            return " → ".join(demo.models) + " (the running demo's own, with the keys it was started with)"
        return "the running demo has no key: answers come from templates (start it with ANTHROPIC_API_KEY)"
    model = make_language_model(settings)
    try:
        names = model.provider_names
    finally:
        await model.aclose()
    if not model.has_model:
        return "none has a key: answers come from templates (set ANTHROPIC_API_KEY for better ones)"
    return " → ".join(names) + f" (keys are not tried here: that would cost){_unpriced(settings, names)}"


def _unpriced(settings: Settings, providers: Sequence[str]) -> str:
    """Which models cost nobody knows what; "" where there is none."""
    used = {
        "anthropic": (settings.anthropic_model, settings.anthropic_fast_model),
        "openai": (settings.openai_model,),
    }
    models = [model for name in providers for model in used.get(name, ()) if not is_price_known(model)]
    if not models:
        return ""
    counted = f"${DEAREST.input:g} a million tokens in, ${DEAREST.output:g} out"
    return f"; no price is known of {', '.join(models)}: counted as the dearest known one ({counted})"


def _open_directus(settings: Settings) -> Directus:
    return Directus(settings.directus_url, settings.directus_api_key.get_secret_value(), retry_for_s=0)
