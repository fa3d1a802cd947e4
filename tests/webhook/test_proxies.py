"""Whom the receiver believes about who the client is: the proxies of FORWARDED_ALLOW_IPS, wherever that is set."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from services.settings import Settings, load_settings
from webhook.main import run_webhook

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

VISITOR = "203.0.113.7"
"""Who the proxy says is behind it."""


async def tell_the_client(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers with the client's address, as the server makes it out."""
    del receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["client"][0].encode()})


def has_ipv6() -> bool:
    """Whether this machine lets an address of IPv6 be listened on; containers often don't."""
    try:
        socket.create_server(("::", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def bare_receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A receiver whose app only says who called; an empty folder, and nothing set but what it must have."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DIRECTUS_API_KEY", "an-api-key-of-some-length")
    monkeypatch.setenv("DIRECTUS_WEBHOOK_SECRET", "a-webhook-secret-of-some-length")
    monkeypatch.setenv("WEBHOOK_PORT", "0")
    monkeypatch.setenv("REDIS_URL", "embedded://")
    monkeypatch.setenv("QDRANT_URL", "embedded://")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webhook.main.create_app", lambda *_, **__: tell_the_client)


async def client_seen() -> str:
    """The client's address that the receiver makes out when a proxy on this machine names VISITOR."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_webhook(load_settings(), stop=stop, on_ready=address.set_result))
    try:
        port = httpx.URL(await asyncio.wait_for(address, 10)).port
        async with httpx.AsyncClient(trust_env=False) as proxy:
            answer = await proxy.get(f"http://127.0.0.1:{port}", headers={"X-Forwarded-For": VISITOR})
        return answer.text
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


@pytest.mark.parametrize("proxies", ["", "127.0.0.1", "10.0.0.1,127.0.0.0/8", "*"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", pytest.param("::", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here"))]
)
async def test_a_proxy_that_is_named_is_believed(monkeypatch: pytest.MonkeyPatch, proxies: str, host: str) -> None:
    """Also where an address of IPv6 is listened on, and a proxy of IPv4 is seen as ``::ffff:127.0.0.1``."""
    monkeypatch.setenv("WEBHOOK_HOST", host)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxies)
    assert await client_seen() == VISITOR


async def test_anybody_else_is_the_client_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "172.16.0.0/12,::1")
    assert await client_seen() == "127.0.0.1"


@pytest.mark.parametrize(("proxies", "seen"), [("172.18.0.1", "127.0.0.1"), ("127.0.0.1", VISITOR)])
def test_the_file_says_it_as_well_as_the_environment(proxies: str, seen: str) -> None:
    Path(".env").write_text(f"FORWARDED_ALLOW_IPS={proxies}\n")
    assert asyncio.run(client_seen()) == seen
