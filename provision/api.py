"""What provisioning needs of Directus: one call. ``services.directus.Directus`` has it."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["DirectusApi"]


class DirectusApi(Protocol):
    """Calls of Directus's REST interface with one token."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # noqa: ANN401 - any JSON
        params: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        """Return the ``data`` member of the answer, None when there is no body.

        Raises ErleahError of the kind that fits the answer's status.
        """
        ...
