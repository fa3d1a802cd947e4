"""A model provider on a loopback port: Anthropic's Messages API and OpenAI's API, by script.

The real SDKs talk to it over HTTP, so what a test sees is what a provider would do to us::

    async with ModelStandIn(Script(text="Hello there.")) as standin:
        AsyncAnthropic(base_url=standin.anthropic_url, api_key="k")

``python -m standins.models --port 9000 --tokens-per-second 60 --tokens 300`` serves benchmarks
from a process of its own. All streams wake at common ticks, so that 200 of them cost few wake-ups.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from standins.model_script import Fault, FaultKind, RecordedRequest, Reply, Script
from standins.model_wire import AnthropicWire, OpenAIWire, Wire, embeddings_body, structured_reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

__all__ = ["Fault", "FaultKind", "ModelStandIn", "RecordedRequest", "Script"]

_FINE_STREAMS = 20
"""Up to so many streams each token is written by itself; beyond, tokens of one tick go together."""

_TICK_S = 0.05
"""The common tick of many streams: 20 writes/s each, three tokens a write at 60 tokens/s."""

_PING_S = 0.05
"""A stalled stream pings as a real one does, so that a read time-out alone does not notice it."""

_DEFAULT_DIMENSIONS = 1536

_DEFAULT_SCRIPT = Script()


class _QuietServer(uvicorn.Server):
    """A server that leaves the process's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ModelStandIn:
    """Serves ``replies``: one for all requests, or a sequence, one for each request, the last for the rest.

    ``requests`` records what was asked (at most ``keep`` of them, the oldest go). ``before_stream`` is waited
    for before the first token of each stream.
    """

    before_stream: Callable[[RecordedRequest], Awaitable[None]] | None = None

    def __init__(self, replies: Reply | Sequence[Reply] = _DEFAULT_SCRIPT, *, keep: int = 1000) -> None:
        self._replies: list[Reply] = [replies] if isinstance(replies, Script) or callable(replies) else list(replies)
        self._keep = keep
        self._server: _QuietServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self.requests: list[RecordedRequest] = []
        self.live_streams = 0
        self.app = Starlette(
            routes=[
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/v1/chat/completions", self._completions, methods=["POST"]),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            ]
        )

    @property
    def port(self) -> int:
        """The loopback port it listens on."""
        if self._socket is None:
            msg = "the stand-in has not been started"
            raise RuntimeError(msg)
        return int(self._socket.getsockname()[1])

    @property
    def anthropic_url(self) -> str:
        """What ANTHROPIC_BASE_URL is to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """What OPENAI_BASE_URL is to be."""
        return f"http://127.0.0.1:{self.port}/v1"

    def reply_with(self, *replies: Reply) -> None:
        """Replace the script from now on."""
        self._replies = list(replies)

    async def start(self, port: int = 0) -> None:
        """Listen on ``port`` (0: a free one) in the running loop."""
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        # asyncio leaves Nagle's algorithm on for sockets that it has not made; head and body would be 40 ms apart.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            self.app, log_config=None, log_level="critical", access_log=False, lifespan="off", http="h11", ws="none"
        )
        self._server = _QuietServer(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop listening and cut what is still streaming."""
        if self._server is None or self._serving is None or self._socket is None:
            return
        # uvicorn's own shutdown waits for streams to end and sleeps; here they are to be cut at once.
        self._serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        for server in self._server.servers:
            server.close()
        tasks = list(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        self._socket.close()
        self._server = self._serving = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self, port: int = 0) -> Iterator[Self]:
        """Serve from a thread with a loop of its own, for callers without a loop."""
        ready, done = threading.Event(), threading.Event()

        async def serve() -> None:
            await self.start(port)
            ready.set()
            while not done.is_set():  # noqa: ASYNC110 - the event belongs to another thread
                await asyncio.sleep(0.05)
            await self.stop()

        thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        thread.start()
        ready.wait(timeout=10)
        try:
            yield self
        finally:
            done.set()
            thread.join(timeout=10)

    async def _messages(self, request: Request) -> _Answer:
        return await self._answer(request, AnthropicWire())

    async def _completions(self, request: Request) -> _Answer:
        return await self._answer(request, OpenAIWire())

    async def _embeddings(self, request: Request) -> JSONResponse:
        recorded, script = await self._record(request)
        recorded.ended.set()
        if script.fault is not None and script.fault.kind is FaultKind.STATUS:
            return JSONResponse(OpenAIWire().error_body(script.fault), script.fault.status, _retry(script.fault))
        texts = recorded.body["input"]
        body = embeddings_body(
            [texts] if isinstance(texts, str) else texts,
            model=recorded.body["model"],
            dimensions=recorded.body.get("dimensions") or _DEFAULT_DIMENSIONS,
            as_base64=recorded.body.get("encoding_format") == "base64",
        )
        return JSONResponse(body)

    async def _answer(self, request: Request, wire: Wire) -> _Answer:
        recorded, script = await self._record(request)
        return _Answer(self, wire, recorded, script)

    async def _record(self, request: Request) -> tuple[RecordedRequest, Script]:
        body = json.loads(await request.body())
        recorded = RecordedRequest(request.url.path, dict(request.headers), body, time.monotonic())
        self.requests.append(recorded)
        del self.requests[: -self._keep]
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return recorded, reply if isinstance(reply, Script) else reply(recorded)


class _Answer:
    """One reply, as an ASGI response that may also break off."""

    def __init__(self, standin: ModelStandIn, wire: Wire, request: RecordedRequest, script: Script) -> None:
        self._standin = standin
        self._wire = wire
        self._request = request
        self._script = script

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._script.fault
        self._standin.live_streams += 1
        watcher = asyncio.create_task(self._watch(receive))
        try:
            if fault is not None and fault.kind is FaultKind.STATUS:
                body = self._wire.error_body(fault)
                await JSONResponse(body, fault.status, _retry(fault))(scope, receive, send)
            elif fault is not None and fault.kind is FaultKind.TIMEOUT:
                await self._request.ended.wait()
            elif self._request.streamed:
                await self._stream(send)
            else:
                await self._whole(scope, receive, send)
        finally:
            watcher.cancel()
            self._standin.live_streams -= 1
            self._request.ended.set()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._request.hung_up, self._request.hung_up_at = True, time.monotonic()
        self._request.ended.set()

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _sleep(self._script.first_token_delay_s)
        text = structured_reply(self._request, self._script)
        await JSONResponse(self._wire.whole(self._request, self._script, text))(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        script, wire = self._script, self._wire
        fault = script.fault
        pieces = script.pieces
        stop_at = len(pieces) if fault is None else min(fault.after_tokens, len(pieces))
        headers = [(b"content-type", b"text/event-stream"), (b"request-id", b"req_standin")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_body(wire.begin(self._request, script)))
        await _sleep(script.first_token_delay_s)
        if self._standin.before_stream is not None:
            await self._standin.before_stream(self._request)
        async for batch in self._paced(pieces[:stop_at]):
            if self._request.hung_up:
                return
            await send(_body(b"".join(wire.token(piece) for piece in batch)))
            self._request.sent_tokens += len(batch)
        if fault is not None:
            await self._break(fault, send)
        else:
            await send(_body(wire.end(script, self._request.sent_tokens), more=False))

    async def _paced(self, pieces: Sequence[str]) -> Any:  # noqa: ANN401 - an async generator of piece lists
        rate = self._script.tokens_per_second
        if rate is None:
            if pieces:
                yield pieces
            return
        begun = time.monotonic()
        sent = 0
        while sent < len(pieces):
            tick = 1 / rate if self._standin.live_streams <= _FINE_STREAMS else max(_TICK_S, 1 / rate)
            now = time.monotonic()
            # The last token is due at len/rate exactly; other wake-ups fall on the common ticks.
            await _sleep(min(tick - now % tick, begun + len(pieces) / rate - now))
            due = min(len(pieces), int((time.monotonic() - begun) * rate + 1e-6))
            if due > sent:
                yield pieces[sent:due]
                sent = due

    async def _break(self, fault: Fault, send: Send) -> None:
        if fault.kind is FaultKind.ERROR_EVENT:
            await send(_body(self._wire.error_event(fault), more=False))
        elif fault.kind is FaultKind.SILENT_END:
            await send(_body(self._wire.silent_end(), more=False))
        elif fault.kind is FaultKind.GARBAGE:
            await send(_body(b"event: content_block_delta\ndata: {not json\n\n", more=False))
        elif fault.kind is FaultKind.STALL:
            while not self._request.hung_up:
                await send(_body(self._wire.ping))
                await _sleep(_PING_S)
        # DROP: the response is left incomplete, and uvicorn closes the connection.


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _retry(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}


async def _serve(port: int, reply: Reply) -> None:
    standin = ModelStandIn(reply, keep=10)
    await standin.start(port)
    print(f"model stand-in: {standin.anthropic_url} and {standin.openai_url}", flush=True)  # noqa: T201 - its ready line
    await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve from the command line until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m standins.models", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens-per-second", type=float, default=None)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--first-token-delay", type=float, default=0.0)
    parser.add_argument("--text", default=None)
    wanted = parser.parse_args(arguments)
    script = Script(
        text=wanted.text,
        tokens=wanted.tokens,
        tokens_per_second=wanted.tokens_per_second,
        first_token_delay_s=wanted.first_token_delay,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(wanted.port, script))


if __name__ == "__main__":
    main()
