"""A worker process: start up, run, shut down. The one place where it is put together.

It runs three queues: turns, changed rows and reindexes (the librarian's), each with a runner of its
own, and beside them the upkeep loops, each able to fail alone: the answer pump, the watch, the sweep.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import uvloop
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from assistants.interface import Toolbox
from assistants.registry import make_assistants
from ingest.facet_writers.factory import make_facet_writer
from ingest.jobs import index_handlers
from ingest.services import IngestServices
from search.index import SearchIndex
from search.writer import IndexWriter
from services.directus.client import Directus
from services.embeddings.factory import make_embedder
from services.embeddings.remembering import RememberingEmbedder
from services.errors import ConfigurationError, ErleahError, NotFoundError, ServiceUnavailableError
from services.llm.breaker import BreakerGate
from services.llm.chain import make_language_model
from services.logging import configure_logging, get_logger
from services.memory import give_back_what_is_freed, keep_large_blocks_apart, leave_what_stays_alone
from services.metrics import Metrics
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob, Queue, SearchJob
from services.queue.runner import JobRunner
from services.rate_limits import RateLimits
from services.redis import RedisClient, check_redis, connect_redis
from services.settings import load_settings
from services.turn_leases import TurnLeases
from services.vectors import Layout, Vectors
from services.watched_rows import WatchedRows
from worker.answer_pump import AnswerPump
from worker.answering import answer_message
from worker.conversation_line import ConversationLine
from worker.intake import read_begun
from worker.late_writes import LateWrites
from worker.recording import Recordings
from worker.searching import run_search
from worker.services import Services
from worker.sweep import Sweep
from worker.turn_limit import TurnLimit
from worker.turn_store import TurnStore
from worker.turn_watch import TurnWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.embeddings.embedder import Embedder
    from services.queue.runner import JobContext
    from services.settings import Settings

__all__ = ["Worker", "main", "run_process", "run_worker", "shut_down", "start_up"]

log = get_logger(__name__)

GRACE_S = 20.0
"""Turns that run at the stop get this long, then they are handed over; orchestrators kill after 30 s."""
CLOSING_S = 10.0
"""Beyond it, for what is closed at the end: a connection that hangs must not cost the whole container's time."""
INDEX_JOBS = {Queue.INDEX: 2, Queue.REINDEX: 1}
"""A second changed row need not wait for a slow first; two reindexes would only share one embedder."""
LOOK_AROUND_S = 5.0
"""A service that takes connections and says nothing must not keep a worker from starting; turns do without it."""
INDEX_JOB_TIMEOUT_S = 3600.0
TURN_JOB_MARGIN_S = 60.0
"""A turn ends by itself at TURN_TIMEOUT_S; its job's limit is for a defect, and waits out an outage."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A started worker: what it works with, and what it opened and must close."""

    services: Services
    redis: RedisClient
    vectors: Vectors
    embedder: Embedder
    owns_vectors: bool


async def start_up(settings: Settings, *, redis: RedisClient | None = None, vectors: Vectors | None = None) -> Worker:
    """Make all parts; waits, and says for what, while a service it can't begin without is away.

    ``vectors`` may be lent by a process that has the index inside it.

    Raises ConfigurationError for what only a person can mend.
    """
    redis = redis or connect_redis(settings.redis_url)
    owns_vectors = vectors is None
    layout = Layout(
        quantized=settings.qdrant_quantized,
        on_disk=settings.qdrant_on_disk,
        tenant_index=settings.qdrant_tenant_index,
    )
    vectors = vectors or Vectors(settings.qdrant_url, settings.qdrant_api_key, layout=layout)
    embedder = RememberingEmbedder(make_embedder(settings))
    directus = Directus(settings.directus_url, settings.directus_api_key.get_secret_value())
    index = SearchIndex(vectors, embedder)
    toolbox = Toolbox(settings=settings, directus=directus, redis=redis, index=index, embedder=embedder)
    assistants = make_assistants(settings)
    for assistant in {id(each): each for each in assistants.values()}.values():
        await _patiently(lambda assistant=assistant: assistant.start(toolbox))  # type: ignore[misc]  # bound per loop
    turns = TurnStore(redis)
    leases = TurnLeases(redis)
    line = ConversationLine(redis)
    watch = TurnWatch(redis, leases, line, partial(read_begun, directus))
    metrics = Metrics(redis)
    watched = WatchedRows(redis)
    late_writes = LateWrites(directus, watched, metrics, at_most=settings.worker_max_turns)
    services = Services(
        settings=settings,
        directus=directus,
        queue=JobQueue(redis),
        model=make_language_model(settings, gate=BreakerGate(redis), metrics=metrics),
        toolbox=toolbox,
        assistants=assistants,
        turns=turns,
        leases=leases,
        line=line,
        watch=watch,
        pump=AnswerPump(
            directus,
            interval_s=settings.stream_interval_ms / 1000,
            still_ours=watch.still_ours,
            metrics=metrics,
            late_writes=late_writes,
        ),
        late_writes=late_writes,
        watched=watched,
        metrics=metrics,
        turn_limit=TurnLimit(RateLimits(per_minute=settings.rate_limit_per_minute, redis=redis)),
        recordings=Recordings(redis, days=settings.record_turns_days) if settings.record_turns_days else None,
    )
    worker = Worker(services, redis, vectors, embedder, owns_vectors)
    await _look_around(worker)
    give_back_what_is_freed()
    return worker


async def run(worker: Worker, *, stop: asyncio.Event, on_ready: Callable[[], None] | None = None) -> None:
    """Run all queues and the upkeep until ``stop`` is set; then finish or hand over what runs."""
    services = worker.services
    runners = _runners(worker)
    sweep = Sweep(
        services.directus,
        services.queue,
        worker.redis,
        services.metrics,
        reindex_every_s=services.settings.reindex_every_min * 60,
    )
    upkeep = [
        asyncio.create_task(services.pump.run(), name="answer pump"),
        asyncio.create_task(services.watch.run(), name="turn watch"),
        asyncio.create_task(services.late_writes.run(), name="late writes"),
        asyncio.create_task(services.late_writes.keep(), name="watched rows"),
        asyncio.create_task(sweep.run(), name="sweep"),
        asyncio.create_task(services.metrics.run(), name="metrics"),
    ]
    running = [asyncio.create_task(runner.run(), name=queue.name) for queue, runner in runners.items()]
    stopping = asyncio.create_task(stop.wait(), name="stop")
    log.info("worker.ready", max_turns=services.settings.worker_max_turns)
    if on_ready is not None:
        on_ready()
    try:
        await asyncio.wait({*running, *upkeep, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        log.info("worker.stopping", turns=len(services.watch))
        await asyncio.gather(*(runner.stop(GRACE_S) for runner in runners.values()))
        for task in (*upkeep, *running, stopping):
            task.cancel()
        ended = await asyncio.gather(*upkeep, *running, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                log.error("worker.part_failed", reason=str(error), error=type(error).__name__)


async def shut_down(worker: Worker) -> None:
    """Close what start_up opened, last first; one that fails does not keep the others open."""
    services = worker.services
    closing: list[Callable[[], Awaitable[object]]] = [
        services.model.aclose,
        services.directus.aclose,
        worker.embedder.aclose,
    ]
    if worker.owns_vectors:
        closing.append(worker.vectors.aclose)
    closing.append(worker.redis.aclose)
    for close in closing:
        try:
            await close()
        except Exception as error:  # noqa: BLE001 - the process ends anyway, and the others are closed all the same
            log.warning("worker.not_closed", reason=type(error).__name__)


async def run_worker(
    settings: Settings,
    *,
    vectors: Vectors | None = None,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Start up, run until ``stop`` is set, shut down; a worker that still starts has nothing to finish."""
    stop = stop or asyncio.Event()
    starting = asyncio.create_task(start_up(settings, vectors=vectors), name="start up")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not starting.done():
            starting.cancel()
    if not starting.done():
        await asyncio.wait({starting})
        return
    worker = starting.result()
    try:
        await run(worker, stop=stop, on_ready=on_ready)
    finally:
        await shut_down(worker)


def run_process() -> None:
    """Be a worker, with the settings that are found, until a signal; logs are set up for the whole process.

    Raises ErleahError when it can't start: for a bad setting, and for what only a person can mend in a service.
    """
    keep_large_blocks_apart()
    settings = load_settings()
    configure_logging(settings)
    uvloop.run(_until_signal(settings))


def main() -> int:
    """Run ``python -m worker``: exit code 0 after a stop by signal, 1 when it can't start."""
    try:
        run_process()
    except ErleahError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(run_worker(settings, stop=stop, on_ready=leave_what_stays_alone))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(working, GRACE_S + CLOSING_S)


def _runners(worker: Worker) -> dict[Queue, JobRunner]:
    services, settings = worker.services, worker.services.settings

    async def answer(job: AnswerJob, context: JobContext) -> None:
        await answer_message(job, context, services)

    async def search(job: SearchJob, _context: JobContext) -> dict[str, Any]:
        return await run_search(job, services.assistants.values(), services.toolbox)

    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
    ingest = IngestServices(
        directus=services.directus,
        index=IndexWriter(worker.vectors, worker.embedder),
        facets=make_facet_writer(settings, services.model),
        queue=services.queue,
        redis=worker.redis,
    )
    runners = {
        Queue.TURNS: JobRunner(
            worker.redis,
            Queue.TURNS,
            {AnswerJob: answer, SearchJob: search},
            max_jobs=settings.worker_max_turns,
            job_timeout_s=settings.turn_timeout_s + TURN_JOB_MARGIN_S,
            worker_id=worker_id,
        )
    }
    handlers = index_handlers(ingest)
    for queue, max_jobs in INDEX_JOBS.items():
        runners[queue] = JobRunner(
            worker.redis,
            queue,
            {job: handler for job, handler in handlers.items() if job.queue is queue},
            max_jobs=max_jobs,
            job_timeout_s=INDEX_JOB_TIMEOUT_S,
            poll_delay_s=0.1,
            worker_id=worker_id,
        )
    return runners


async def _look_around(worker: Worker) -> None:
    """Say at the start which service is away and what to do; jobs wait until it is there."""
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "redis": lambda: check_redis(worker.redis),
        "directus": worker.services.directus.ping,
        "qdrant": worker.vectors.ping,
        "index": worker.services.toolbox.index.check,
    }
    for name, check in checks.items():
        try:
            async with asyncio.timeout(LOOK_AROUND_S):
                await check()
        except ConfigurationError:
            raise
        except TimeoutError:
            log.warning("worker.service_away", service=name, reason=f"no answer within {LOOK_AROUND_S:g} s")
        except NotFoundError as error:
            log.info("worker.nothing_indexed", reason=str(error))
        except ErleahError as error:
            log.warning("worker.service_away", service=name, reason=str(error))


async def _patiently(begin: Callable[[], Awaitable[None]]) -> None:
    """Begin something that may need a service which is still coming up."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(ServiceUnavailableError),
        wait=wait_exponential_jitter(initial=0.5, max=5),
        before_sleep=lambda state: log.warning(
            "worker.waits", reason=str(state.outcome.exception()) if state.outcome else ""
        ),
    ):
        with attempt:
            await begin()
