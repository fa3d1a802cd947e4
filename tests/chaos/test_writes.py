"""Writes of answers are told from all else that a worker sends, and it is seen which of them nobody answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from chaos.writes import PassingWrites, is_write, rows_in
from services.directus_names import ANSWERS_FLOW_ID
from standins.tap import Tap

ROWS = [{"id": "a", "seq": 3, "messageText": "…"}, {"id": "q", "status": "answered"}]


def request(line: str, body: Any = ROWS) -> bytes:  # noqa: ANN401 - any JSON
    return f"{line} HTTP/1.1\r\nhost: d\r\n\r\n{json.dumps(body)}".encode()


PATCH = request("PATCH /items/messages?fields=id%2Cstatus")
FLOW = request(f"POST /flows/trigger/{ANSWERS_FLOW_ID}")


def test_only_what_writes_answers_is_a_write() -> None:
    assert is_write(PATCH)
    assert is_write(FLOW)
    assert not is_write(request("GET /items/messages/a"))
    assert not is_write(request("POST /items/messages"))
    assert not is_write(request("POST /flows/trigger/another"))
    assert rows_in(PATCH) == ROWS
    assert rows_in(request("PATCH /items/messages", {"query": {}})) == []


async def test_each_write_has_its_own_reply_or_none() -> None:
    tap = Tap(1)
    writes = PassingWrites([tap])
    coming = asyncio.create_task(writes.next())
    await asyncio.sleep(0)
    assert tap.after is not None
    assert tap.reply is not None
    for sent in (PATCH, FLOW, request("GET /items/messages/a")):
        tap.after(sent)
    tap.reply(FLOW, b"HTTP/1.1 200 OK\r\n\r\n")
    tap.reply(FLOW, b"more of it")
    assert [(each.is_by_flow, each.status, each.rows, each.seqs) for each in writes.seen] == [
        (False, None, 2, {"a": 3}),
        (True, 200, 2, {"a": 3}),
    ]
    assert (await coming) in writes.seen
