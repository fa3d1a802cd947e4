"""Visitors, in a process of their own: each watches his one answer over Directus's WebSocket.

Reads a plan as JSON on stdin, ``{"url", "origin", "within_s", "watch": [{"token", "answer_id"}, …]}``, prints
``ready`` when all have subscribed, and when all answers have ended (or the time is up) one line of
JSON: ``{answer_id: {"seen": [[at, seq], …], "ended_at", "status"}}``. Times are the machine's
monotonic clock, the same for all its processes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

_AT_ONCE = 20
"""Connections opened at a time: Directus serves answers meanwhile."""


async def _visit(plan: dict[str, Any], who: dict[str, str], slots: asyncio.Semaphore, ready: asyncio.Event) -> Any:  # noqa: ANN401 - JSON
    seen: list[list[float]] = []
    told: dict[str, Any] = {"seen": seen, "ended_at": None, "status": None}
    async with slots:
        # As a browser does: no pings of its own, which a busy Directus may answer too late.
        connection = await connect(
            plan["url"], origin=plan["origin"], proxy=None, compression=None, ping_interval=None, open_timeout=30
        )
        await connection.send(json.dumps({"type": "auth", "access_token": who["token"]}))
        await _hear(connection)
        query = {"fields": ["id", "seq", "messageText", "status"]}
        wanted = {"type": "subscribe", "collection": "messages", "item": who["answer_id"], "event": "update"}
        await connection.send(json.dumps(wanted | {"uid": "own", "query": query}))
        await _hear(connection)
    ready.set()
    try:
        async with asyncio.timeout(plan["within_s"]):
            while told["status"] in {None, "streaming"}:
                heard = await _hear(connection)
                if heard.get("event") == "update":
                    row = heard["data"][0] if isinstance(heard["data"], list) else heard["data"]
                    seen.append([time.monotonic(), row["seq"]])
                    told["status"] = row["status"]
            told["ended_at"] = seen[-1][0]
    except TimeoutError:
        pass
    finally:
        await connection.close()
    return told


async def _hear(connection: ClientConnection) -> dict[str, Any]:
    while True:
        heard: dict[str, Any] = json.loads(await connection.recv())
        if heard["type"] != "ping":
            return heard
        await connection.send(json.dumps({"type": "pong"}))


async def _watch(plan: dict[str, Any]) -> dict[str, Any]:
    slots = asyncio.Semaphore(_AT_ONCE)
    ready = [asyncio.Event() for _ in plan["watch"]]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_visit(plan, who, slots, event)) for who, event in zip(plan["watch"], ready, strict=True)
        ]
        for event in ready:
            await event.wait()
        print("ready", flush=True)
    return {who["answer_id"]: task.result() for who, task in zip(plan["watch"], tasks, strict=True)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_watch(json.load(sys.stdin)))), flush=True)
