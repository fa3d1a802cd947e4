"""A real Directus for the end-to-end tests: one per test session, provisioned, on a free port.

Directus is installed into the machine's cache the first time (about two minutes); a start takes some
seconds. Tests share it, so each makes rows and conversations of its own and cleans nothing up.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

from cli.local_directus import DirectusOptions, DirectusSecrets, LocalDirectus, free_port
from provision.provisioner import provision
from services.directus.client import Directus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.report import Report

PAGE_ORIGIN = "http://127.0.0.1:8000"


class Rest:
    """Directus with one token, bare: tests see statuses, and a second opinion beside our own client."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=30, trust_env=False
        )

    def call(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> httpx.Response:  # noqa: ANN401 - any JSON
        """Send a request and give its answer, whatever its status."""
        return self._client.request(method, path, json=json, params=params)

    def data(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a request that must succeed and give the ``data`` of its answer."""
        answer = self.call(method, path, json=json, params=params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json().get("data") if answer.content else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


@dataclass(frozen=True)
class DirectusServer:
    """A running Directus and the ways into it; ``process`` lets a test stop and start it."""

    url: str
    admin_token: str = field(repr=False)
    service_token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    receiver_port: int
    process: LocalDirectus = field(repr=False)

    @property
    def receiver_url(self) -> str:
        """Where the Flows call: nothing listens there until a test makes something listen."""
        return f"http://127.0.0.1:{self.receiver_port}"


def start_directus(
    folder: Path, own: DirectusSecrets | None = None, *, extra_env: dict[str, str] | None = None
) -> tuple[LocalDirectus, DirectusSecrets]:
    """Start the Directus of ``folder``, an empty one when there is none yet; the caller stops it."""
    own = own or DirectusSecrets.random()
    options = DirectusOptions(
        port=free_port(), data_dir=folder, secrets=own, cors_origin=PAGE_ORIGIN, extra_env=extra_env or {}
    )
    process = LocalDirectus(options)
    process.start()
    return process, own


async def provision_directus(
    url: str,
    admin_token: str,
    *,
    api_key: str,
    webhook_url: str,
    webhook_secret: str,
    secret_from_env: bool = False,
) -> Report:
    """Provision a running Directus as ``erleah bootstrap`` does."""
    async with Directus(url, admin_token) as admin:
        return await provision(
            admin,
            service=admin.with_token(api_key),
            api_key=api_key,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            secret_from_env=secret_from_env,
        )


@pytest.fixture(scope="session")
def directus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectusServer]:
    """One provisioned Directus for all end-to-end tests."""
    process, own = start_directus(tmp_path_factory.mktemp("directus"))
    server = DirectusServer(
        url=process.url,
        admin_token=own.admin_token,
        service_token=secrets.token_urlsafe(24),
        webhook_secret=own.webhook_secret,
        receiver_port=free_port(),
        process=process,
    )
    try:
        asyncio.run(
            provision_directus(
                server.url,
                server.admin_token,
                api_key=server.service_token,
                webhook_url=server.receiver_url,
                webhook_secret=server.webhook_secret,
                secret_from_env=True,
            )
        )
        yield server
    finally:
        process.stop()
