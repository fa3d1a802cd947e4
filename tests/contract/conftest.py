"""One suite, two Directuses: the stand-in of the fast tests, and the real one it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.directus.client import Directus
from standins.directus import SERVICE_TOKEN, URL, DirectusStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.e2e.directus_server import DirectusServer


@dataclass(frozen=True)
class Place:
    """Where a Directus is and how Erleah's user gets in."""

    url: str
    token: str = field(repr=False)
    transport: httpx.AsyncBaseTransport | None = None


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.e2e)])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "stand-in":
        return Place(URL, SERVICE_TOKEN, DirectusStandIn().transport())
    server: DirectusServer = request.getfixturevalue("directus_server")
    return Place(server.url, server.service_token)


@pytest.fixture
async def directus(place: Place) -> AsyncIterator[Directus]:
    async with Directus(place.url, place.token, transport=place.transport) as client:
        yield client


@pytest.fixture
async def conversation(directus: Directus) -> str:
    """A conversation of the test's own, for the real Directus is shared."""
    created = await directus.create_item("conversations", {"id": str(uuid4())})
    return str(created["id"])
