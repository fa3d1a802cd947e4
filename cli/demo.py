"""``erleah demo``: everything on this machine, with a real conference, until Ctrl-C.

A real Directus is a process of its own; receiver and workers run in this one, around an embedded
Redis and an embedded index. Other terminals reach all of it through ``.erleah/demo.env``.
"""

from __future__ import annotations

import asyncio
import json
import signal
import webbrowser
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli.bootstrap import bootstrap_directus
from cli.demo_state import DemoState
from cli.load import load_data
from cli.load import tell as tell_loaded
from cli.local_directus import DirectusOptions, LocalDirectus
from cli.probe import alive
from cli.reindex import tell as tell_indexed
from cli.reindex import wait_with_progress
from cli.running_demo import RunningDemo
from cli.terminal import data, is_terminal, own_command, run, say
from services.errors import ConfigurationError, ErleahError, IndexMismatchError
from services.logging import configure_logging
from services.queue.job_queue import JobQueue
from services.queue.jobs import ReindexJob
from services.redis import connect_redis
from services.settings import DEMO_ENV_FILE, load_settings
from services.vectors import Vectors
from services.vectors.folders import HeldFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from services.settings import Settings

__all__ = ["demo"]

DATA = Path(__file__).parent / "demo_data"
STATE_FOLDER = DEMO_ENV_FILE.parent
REDIS_NAME = "demo"


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Receiver and chat page.")
@click.option("--directus-port", type=click.IntRange(1, 65535), default=8055, show_default=True)
@click.option(
    "--data",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DATA,
    help="Conference files; a real conference comes with Erleah.",
)
@click.option("--scale", type=click.IntRange(1, 16), default=1, show_default=True, help="Workers.")
@click.option("--no-open", is_flag=True, help="Don't open the chat page in a browser.")
def demo(*, port: int, directus_port: int, folder: Path, scale: int, no_open: bool) -> int:
    """Run everything here: Directus, receiver, worker, a sample conference, a chat page.

    Its state lies in .erleah/; remove that folder to begin anew.
    """
    if (address := _runs_already()) is not None:
        say(f"The demo runs already: {address}")
        return 0
    if port == directus_port:
        raise click.UsageError("--port and --directus-port want a port each")
    plan = _Plan(port, directus_port, folder, scale, _conference_id(folder))
    with _alone():
        run(_demo(plan, open_page=not no_open))
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second demo out of the folder, which would take the first one's Directus and settings for its own."""
    try:
        held = HeldFolder(STATE_FOLDER)
    except BlockingIOError:
        message = f"a demo is just starting or ending in this folder; wait for it ({STATE_FOLDER}/ is its state)"
        raise ConfigurationError(message) from None
    try:
        yield
    finally:
        held.let_go()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the command line asks for."""

    port: int
    directus_port: int
    folder: Path
    scale: int
    conference_id: str


def _runs_already() -> str | None:
    """The page's address, if a demo of this folder answers there."""
    if not DEMO_ENV_FILE.is_file():
        return None
    address = DemoState(STATE_FOLDER).page_address
    try:
        run(alive(address.partition("/widget/")[0]))
    except ErleahError:
        return None
    return address


async def _demo(plan: _Plan, *, open_page: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    state = DemoState(STATE_FOLDER)
    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(_start(stack, state, plan, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            say("\nStopping …")
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        running = starting.result()
        _tell_ready(state, plan.directus_port)
        if open_page and is_terminal():
            webbrowser.open(state.page_address)
        await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            say("\nStopping …")
    say("Stopped. The demo's state is kept in .erleah/")


async def _start(stack: AsyncExitStack, state: DemoState, plan: _Plan, stop: asyncio.Event) -> list[asyncio.Task[None]]:
    """Start all parts in order; the tasks of receiver and workers."""
    from services.redis_embedded import embedded_server
    from webhook.main import run_webhook
    from webhook.server import listen
    from worker.main import run_worker

    # Port and settings before the minutes that an install may take, not after them.
    try:
        listen("127.0.0.1", plan.port).close()
    except ConfigurationError:
        message = f"port {plan.port} is taken; stop what runs there, or choose another: erleah demo --port N"
        raise ConfigurationError(message) from None
    settings = _settings(state, plan)
    has = await RunningDemo.of(settings)
    say("Starting Directus …")
    directus = LocalDirectus(
        DirectusOptions(
            port=plan.directus_port,
            data_dir=state.directus_folder,
            secrets=state.directus_secrets,
            cors_origin=f"http://127.0.0.1:{plan.port},http://localhost:{plan.port}",
        ),
        progress=say,
    )
    await asyncio.to_thread(directus.start)
    stack.push_async_callback(asyncio.to_thread, directus.stop)

    redis_url = stack.enter_context(embedded_server(REDIS_NAME)).listen()
    configure_logging(settings)
    stack.callback(state.remove_env)
    state.write_env(settings, redis_url, has)

    say("Making collections, access and flows …")
    await bootstrap_directus(settings, secret_from_env=True)
    say("Loading the conference …")
    tell_loaded(await load_data(settings, plan.folder))

    vectors = Vectors(settings.qdrant_url, None)
    stack.push_async_callback(vectors.aclose)
    parts: dict[str, Callable[[Callable[[], None]], Coroutine[None, None, None]]] = {
        f"worker {number}": lambda ready: run_worker(settings, vectors=vectors, stop=stop, on_ready=ready)
        for number in range(plan.scale)
    }
    parts["webhook"] = lambda ready: run_webhook(settings, stop=stop, on_ready=lambda _address: ready())
    tasks: list[asyncio.Task[None]] = []
    for name, begin in parts.items():
        ready = asyncio.Event()
        tasks.append(asyncio.create_task(begin(ready.set), name=name))
        stack.push_async_callback(_ended, tasks[-1], stop)
        await _ready(tasks[-1], ready)
    say("Indexing …")
    tell_indexed(await _reindex(settings, plan.conference_id))
    return tasks


async def _ready(task: asyncio.Task[None], ready: asyncio.Event) -> None:
    """Wait until one part is ready; what it fails with before is raised here."""
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task


async def _ended(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    """See to the end of one part, whatever ended the demo; what it failed with is raised here."""
    stop.set()
    await task


async def _reindex(settings: Settings, conference_id: str) -> dict[str, object]:
    redis = connect_redis(settings.redis_url)
    queue = JobQueue(redis)

    async def done(job: ReindexJob) -> dict[str, object]:
        await queue.enqueue(job)
        return await wait_with_progress(queue, job)

    try:
        return await done(ReindexJob(conference_id=conference_id))
    except IndexMismatchError:
        say(f"The index was made by another embedder than {settings.embedding_provider}; making it anew …")
        # Of all conferences: a folder may hold several, and one index can't have two embedders.
        return await done(ReindexJob(full=True))
    finally:
        await redis.aclose()


def _settings(state: DemoState, plan: _Plan) -> Settings:
    """The demo's settings: its own servers; models and their keys as the environment and ``.env`` have them."""
    settings = load_settings(
        directus_url=f"http://127.0.0.1:{plan.directus_port}",
        directus_public_url=None,
        directus_api_key=state.api_key,
        directus_admin_token=state.directus_secrets.admin_token,
        directus_webhook_secret=state.directus_secrets.webhook_secret,
        webhook_host="127.0.0.1",
        webhook_port=plan.port,
        webhook_public_url=f"http://127.0.0.1:{plan.port}",
        cors_origins=(f"http://127.0.0.1:{plan.port}", f"http://localhost:{plan.port}"),
        redis_url=f"embedded://{REDIS_NAME}",
        qdrant_url=f"embedded://{state.index_folder}",
        default_conference_id=plan.conference_id,
        log_format="console",
        log_level="WARNING",
    )
    return settings if _can_embed(settings) else settings.model_copy(update={"embedding_provider": "local"})


def _can_embed(settings: Settings) -> bool:
    """Whether there is the embedder that is set; OpenAI's, which is the default, wants a key or an own server.

    EMBEDDING_PROVIDER=openai alone is no wish: .env.example has it.
    """
    if settings.embedding_provider != "openai" or settings.openai_api_key is not None:
        return True
    # An own server may be there for answers alone, unless its embeddings are asked for by name.
    return settings.openai_base_url is not None and "embedding_provider" in settings.model_fields_set


def _conference_id(folder: Path) -> str:
    """The id of the (first) conference of the files, as it will stand in Directus."""
    path = folder / "conference.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        first = found[0] if isinstance(found, list) else found
        return str(UUID(first["id"]))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"{path} holds no conference with a UUID as id ({why}); see erleah demo --help"
        ) from None


def _tell_ready(state: DemoState, directus_port: int) -> None:
    secrets = state.directus_secrets
    data(
        f"\nErleah is ready: {state.page_address}\n"
        f"Directus: http://127.0.0.1:{directus_port}  (log in as {secrets.admin_email}, {secrets.admin_password})\n"
        f'Try, in another terminal: {own_command()} ask "Which talks are about testing?"'
    )
    say("Ctrl-C ends it all.")
