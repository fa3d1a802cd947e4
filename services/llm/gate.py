"""Who may be asked: the seam for a breaker that keeps a dead provider from being asked each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from services.errors import ProviderError

__all__ = ["Gate", "OpenGate"]


class Gate(Protocol):
    """Told of every attempt at a provider, by its name, and when it began (Unix s; None: just now).

    Must not raise: a gate that can't tell is open.
    """

    async def allows(self, provider: str) -> bool:
        """Whether to ask the provider now."""
        ...

    async def succeeded(self, provider: str, *, began_at: float | None = None) -> None:
        """It has answered, or finished its answer."""
        ...

    async def failed(self, provider: str, error: ProviderError, *, began_at: float | None = None) -> None:
        """It has not; the error's class says whether the provider or the request was at fault."""
        ...


class OpenGate:
    """Lets everything through and remembers nothing."""

    async def allows(self, provider: str) -> bool:
        """Always."""
        del provider
        return True

    async def succeeded(self, provider: str, *, began_at: float | None = None) -> None:
        """Nothing to remember."""

    async def failed(self, provider: str, error: ProviderError, *, began_at: float | None = None) -> None:
        """Nothing to remember."""
