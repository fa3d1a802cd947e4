"""The receiver as a process and on the wire: starts, limits, stops."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from cli.local_directus import free_port
from services.errors import ConfigurationError
from services.settings import Settings
from webhook.main import run_webhook
from webhook.server import MAX_CONNECTIONS, listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.e2e

SECRET = "a-secret-that-only-directus-knows"
ROOT = Path(__file__).resolve().parents[2]


def settings_with_nothing_there() -> Settings:
    """Settings whose services are on ports nobody listens at."""
    return Settings(
        _env_file=None,
        directus_url=f"http://127.0.0.1:{free_port()}",
        directus_api_key="key",
        directus_webhook_secret=SECRET,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        qdrant_url=f"http://127.0.0.1:{free_port()}",
        webhook_port=0,
        log_level="WARNING",
    )


def environment_at(port: int) -> dict[str, str]:
    """What a receiver in a process of its own is told: its port, and a Redis that nobody listens at."""
    return {
        "PATH": os.environ["PATH"],
        "DIRECTUS_API_KEY": "key",
        "DIRECTUS_WEBHOOK_SECRET": SECRET,
        "WEBHOOK_PORT": str(port),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }


def live(port: int, *, retries: int = 0) -> bool:
    """Whether the receiver at that port answers, soon."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=retries), timeout=3) as http:
        return http.get(f"http://127.0.0.1:{port}/health/live").status_code == 200


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """A receiver in this process; gives its address."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(run_webhook(settings, stop=stop, on_ready=address.set_result))
    try:
        yield await asyncio.wait_for(address, 10)
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


async def test_it_starts_without_any_service_and_says_which_are_away() -> None:
    async with running(settings_with_nothing_there()) as address, httpx.AsyncClient(base_url=address) as http:
        assert (await http.get("/health/live")).status_code == 200
        ready = await http.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["failed"] == ["redis", "directus", "qdrant"]
        body = {"event": "messages.items.create", "collection": "messages", "key": str(uuid4())}
        hook = await http.post("/hooks/message-created", json=body, headers={"X-Erleah-Secret": SECRET})
        assert hook.status_code == 503
        assert int(hook.headers["Retry-After"]) >= 1
        assert "redis" in hook.json()["message"].lower()


def on_the_wire(address: str, request: bytes, *, then: bytes = b"", times: int = 0) -> bytes:
    """Send bytes as they are and give what comes back, until the server closes or is silent for 3 s."""
    url = httpx.URL(address)
    received = b""
    with socket.create_connection((url.host, url.port or 80), timeout=3) as connection:
        connection.sendall(request)
        try:
            for _ in range(times):
                connection.sendall(then)
        except OSError:  # the server has closed: what it said is still to be read
            pass
        try:
            while part := connection.recv(65536):
                received += part
        except OSError:
            pass
    return received


HEAD = b"POST /hooks/message-created HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(b"X-Erleah-Secret: wrong\r\nContent-Length: 2\r\n\r\n{}", b"401", id="wrong secret"),
        pytest.param(
            b"X-Erleah-Secret: %(s)b\r\nX-Erleah-Secret: %(s)b\r\nContent-Length: 2\r\n\r\n{}",
            b"401",
            id="repeated secret",
        ),
        pytest.param(b"X-Erleah-Secret: %(s)b\r\nContent-Length: 300000\r\n\r\n", b"413", id="long by its length"),
        pytest.param(b"X-Erleah-Secret: %(s)b\r\nContent-Length: -1\r\n\r\n", b"400", id="negative length"),
        pytest.param(b"X-Pad: " + b"x" * 70_000, b"400", id="headers without end"),
    ],
)
async def test_a_bad_request_is_answered_and_the_connection_ends(headers: bytes, status: bytes) -> None:
    request = HEAD + headers.replace(b"%(s)b", SECRET.encode())
    async with running(settings_with_nothing_there()) as address:
        answer = await asyncio.to_thread(on_the_wire, address, request)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert SECRET.encode() not in answer


async def test_a_chunked_body_without_end_is_cut_off() -> None:
    request = HEAD + b"X-Erleah-Secret: " + SECRET.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    async with running(settings_with_nothing_there()) as address:
        answer = await asyncio.to_thread(on_the_wire, address, request, then=chunk, times=4000)
    assert answer.startswith(b"HTTP/1.1 413") or answer == b"", answer[:200]


async def test_a_body_that_does_not_come_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.body.BODY_TIMEOUT_S", 0.3)
    request = HEAD + b"X-Erleah-Secret: " + SECRET.encode() + b"\r\nContent-Length: 100\r\n\r\n{"
    async with running(settings_with_nothing_there()) as address:
        answer = await asyncio.to_thread(on_the_wire, address, request)
    assert answer.startswith(b"HTTP/1.1 408"), answer[:200]
    assert b"server:" not in answer.lower()


async def test_a_stop_lets_what_runs_finish_and_takes_nothing_new() -> None:
    begun = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(serve(slow, listener, stop=stop))
    async with httpx.AsyncClient() as http:
        answer = asyncio.create_task(http.get(address))
        await asyncio.wait_for(begun.wait(), 5)
        stop.set()
        assert (await answer).text == "done"
        await asyncio.wait_for(serving, 5)
        with pytest.raises(httpx.ConnectError):
            await http.get(address)


async def test_a_cancelled_receiver_closes_its_port() -> None:
    settings = settings_with_nothing_there()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_webhook(settings, on_ready=address.set_result))
    where = await asyncio.wait_for(address, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(where)


def test_a_port_that_is_taken_is_said_by_the_settings_name() -> None:
    taken = listen("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigurationError, match="WEBHOOK_PORT"):
            listen("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()


async def test_an_answer_does_not_wait_for_a_delayed_ack() -> None:
    no_delay: list[int] = []

    async def look(_scope: Scope, _receive: Receive, send: Send) -> None:
        (connection,) = server_side(address)
        no_delay.append(connection)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def server_side(address: str) -> list[int]:
        """TCP_NODELAY of this process's sockets that were accepted at that port."""
        port = httpx.URL(address).port
        found = []
        for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
            try:
                copy = socket.socket(fileno=os.dup(number))
            except OSError:
                continue  # no socket, or closed since it was listed
            with copy:
                try:
                    accepted = copy.getsockname()[1] == port and bool(copy.getpeername())
                except (OSError, IndexError):
                    continue  # it listens, or is of another family
                if accepted:
                    found.append(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return found

    stop = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(serve(look, listener, stop=stop))
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.get(address)
    stop.set()
    await asyncio.wait_for(serving, 10)
    assert no_delay == [1]


def test_the_process_ends_well_on_sigterm_and_says_what_it_lacks_at_the_start() -> None:
    port = free_port()
    environment = environment_at(port)
    command = [sys.executable, "-m", "webhook"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)  # noqa: S603 - our own command
    try:
        assert live(port, retries=8)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert b"webhook_ready" in said
    assert SECRET.encode() not in said
    del environment["DIRECTUS_WEBHOOK_SECRET"]
    lacking = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=15)  # noqa: S603 - our own command
    assert lacking.returncode == 1
    assert lacking.stderr.startswith(b"DIRECTUS_WEBHOOK_SECRET")


def few_open_files() -> None:
    """What a process may have open where nobody has set it: 1,024, and as many as it wants if it asks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, most))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /health/live HTTP/1.1\r\nHost: door\r\nX-Half", id="half a head"),
        pytest.param(
            HEAD.replace(b"message-created", b"content-changed")
            + b"X-Erleah-Secret: %(s)b\r\nContent-Length: 9\r\n\r\n",
            id="no body",
        ),
    ],
)
def test_one_client_with_thousands_of_connections_keeps_nobody_out(said: bytes, tmp_path: Path) -> None:
    """It opens more than the receiver takes, and goes on opening: every request of others is answered, and soon."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != most < 6000:
        pytest.skip("this process may not have as many files open")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, most))
    port = free_port()
    environment = environment_at(port)
    command = [sys.executable, "-m", "webhook"]
    held: list[socket.socket] = []

    def hold(count: int) -> None:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            client.sendall(said.replace(b"%(s)b", SECRET.encode()))
            held.append(client)

    log = tmp_path / "log"  # no pipe: nobody reads it meanwhile, and a full one would stop the receiver
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr, preexec_fn=few_open_files)  # noqa: S603, PLW1509 - our own command; nothing else runs here
    try:
        assert live(port, retries=8)
        hold(MAX_CONNECTIONS + 100)
        for _ in range(10):
            hold(100)
            assert live(port)
        for each in held:  # else the stop waits for their bodies, 10 s
            each.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    finally:
        for each in held:
            each.close()
        process.kill()
        process.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert process.returncode == 0
    told = log.read_bytes()
    assert told.count(b"receiver.crowded") == 1
    assert b"Traceback" not in told


def test_who_reads_no_answer_loses_its_connection_and_who_reads_slowly_does_not() -> None:
    """Two hundred requests for a file in one piece, to a process whose looks are short; a third client is served."""
    port = free_port()
    environment = environment_at(port)
    short = "import sys, webhook.unread as unread; unread.LOOK_S = 0.5; from webhook.main import main; sys.exit(main())"
    asked = b"GET /widget/vendor/marked.esm.js HTTP/1.1\r\nHost: door\r\n\r\n" * 200
    process = subprocess.Popen([sys.executable, "-c", short], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    with socket.socket() as silent, socket.socket() as slow:
        try:
            assert live(port, retries=8)
            for client in (silent, slow):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.settimeout(5)
                client.connect(("127.0.0.1", port))
                client.sendall(asked)
            errors = 0
            for _ in range(40):
                time.sleep(0.1)
                assert slow.recv(1024), "cut off, though it reads"
                errors = errors or silent.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert errors, "still there"
            assert live(port)
            slow.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            process.wait()
