"""A breaker for each provider, shared by all workers through Redis: a dead one is not asked each time.

Three failures in a row open it for a minute; then one call at a time may try (half-open), and its
outcome closes or opens it again. Calls that were out when it opened say nothing of the time after it; the retry of one
does, and closes it at once: a provider that was busy for a moment is not shut for a minute. The states are
purgatory's; the one-at-a-time probe is ours, since purgatory lets every call through when a breaker is half
open. Its version is pinned exactly: it is used past its public face where it is handed our Redis, and where an
outcome is reported after the call, not around it. Without Redis every provider may be asked: the breaker saves
time, it guards nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Final

from purgatory import AsyncCircuitBreakerFactory, AsyncRedisUnitOfWork
from purgatory.domain.model import HALF_OPENED, OPENED, Context, HalfOpenedState, OpenedState
from purgatory.service._async.repository import AsyncRedisRepository

from services import redis_keys
from services.errors import (
    ProviderBrokenStreamError,
    ProviderBusyError,
    ProviderRejectedError,
    ServiceUnavailableError,
)
from services.logging import get_logger

if TYPE_CHECKING:
    from purgatory.typing import CircuitName

    from services.errors import ProviderError
    from services.redis import RedisClient

__all__ = ["BreakerGate"]

FAILURES: Final = 3
OPEN_S: Final = 60.0
PROBE_S: Final = 30.0
"""While a probe is out, the others go to the next provider; a probe that never reports is forgotten after this: as long
as a silent provider is waited for (LLM_TIMEOUT_S), and most answers take."""

_PATIENCE_S: Final = 0.3
"""A visitor does not wait longer for Redis to say whether a provider may be asked."""

_WHOLE: Final = frozenset({"name", "threshold", "ttl", "state", "opened_at"})
"""What purgatory writes of a breaker."""

log = get_logger(__name__)


class _Repository(AsyncRedisRepository):
    """purgatory's, which reads a breaker in one round trip where it takes two, twice for each call of a model."""

    def __init__(self, redis: RedisClient) -> None:
        super().__init__("redis://unused")  # it connects to nothing before its first command
        self.redis = redis
        self.prefix = redis_keys.BREAKER_PREFIX

    async def get(self, name: CircuitName) -> Context | None:
        """The breaker as all workers see it, None for one that nobody has made yet."""
        saved, failures = await self.redis.mget(f"{self.prefix}{name}", f"{self.prefix}{name}::failure_count")
        breaker = json.loads(saved) if saved else {}
        if not breaker.keys() >= _WHOLE:
            return None
        return Context(**breaker | ({"failure_count": int(failures)} if failures else {}))

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        """Note a new state; nothing of a breaker that Redis has forgotten meanwhile.

        purgatory would write half of one, which no worker can read, ever again.
        """
        if await self.redis.exists(f"{self.prefix}{name}"):
            await super().update_state(name, state, opened_at)


class BreakerGate:
    """A ``Gate`` (services/llm/gate.py) that remembers failures in Redis. Never raises."""

    def __init__(self, redis: RedisClient, *, failures: int = FAILURES, open_s: float = OPEN_S) -> None:
        self._redis = redis
        unit = AsyncRedisUnitOfWork("redis://unused")
        unit.contexts = _Repository(redis)
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=failures, default_ttl=open_s, uow=unit)

    async def allows(self, provider: str) -> bool:
        """Whether to ask the provider now."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._allows(provider)
        except (ServiceUnavailableError, TimeoutError):
            return True

    async def succeeded(self, provider: str, *, began_at: float | None = None) -> None:
        """Note that it answered: the count of failures begins anew, a half-open breaker closes.

        So does an open one, if the call began when it was open already.
        """
        await self._report(provider, None, began_at or time.time())

    async def failed(self, provider: str, error: ProviderError, *, began_at: float | None = None) -> None:
        """Note a failure that says something of the provider; a refused prompt or a bad request does not.

        A key or an account that it refuses does: it would refuse any call.
        """
        refuses_all = isinstance(error, ProviderRejectedError) and error.of_all
        if refuses_all or isinstance(error, ProviderBusyError | ProviderBrokenStreamError):
            await self._report(provider, error, began_at or time.time())

    async def _allows(self, provider: str) -> bool:
        breaker = await self._breakers.get_breaker(provider)
        was = breaker.context.state
        try:
            breaker.context.handle_new_request()
        except OpenedState:
            return False
        if breaker.context.state != HALF_OPENED:
            return True
        if not await self._redis.set(_probe(provider), time.time(), nx=True, px=int(PROBE_S * 1000)):
            return False
        if was == OPENED:
            log.info("breaker.probes", provider=provider)
            await breaker.uow.contexts.update_state(provider, HALF_OPENED, None)
        return True

    async def _report(self, provider: str, error: ProviderError | None, began_at: float) -> None:
        with contextlib.suppress(ServiceUnavailableError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                breaker = await self._breakers.get_breaker(provider)
                was = breaker.context.state
                if was == HALF_OPENED and began_at < float(await self._redis.get(_probe(provider)) or 0):
                    return  # no probe: it was out when the provider failed
                if was == OPENED and error is None and began_at > (breaker.context.opened_at or 0):
                    breaker.context.set_state(HalfOpenedState())
                await breaker.__aexit__(type(error) if error else None, error, None)
                if was == HALF_OPENED:
                    await self._redis.delete(_probe(provider))
                if breaker.context.state != was:
                    log.warning("breaker.is_now", provider=provider, state=breaker.context.state)


def _probe(provider: str) -> str:
    """The key that says when the probe began that is out."""
    return f"{redis_keys.BREAKER_PREFIX}{provider}:probe"
