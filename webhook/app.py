"""The receiver's app: every route it has, and what each is handed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from services.errors import ErleahError
from services.rate_limits import RateLimits
from webhook.access import VisitorAccess
from webhook.cancellation import Cancellation
from webhook.chat import Chat
from webhook.health import Health
from webhook.hooks import Hooks
from webhook.metrics import MetricsPage
from webhook.middleware import CORRELATION_HEADER, Correlation, Cors, LastCatch, SafeHeaders
from webhook.regeneration import Regeneration
from webhook.responses import ErrorAnswers
from webhook.visitors import Visitors
from webhook.window import window_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.directus.client import Directus
    from services.queue.job_queue import JobQueue
    from services.redis import RedisClient
    from services.settings import Settings
    from services.vectors import Vectors

__all__ = ["create_app"]


def create_app(
    settings: Settings, *, directus: Directus, queue: JobQueue, redis: RedisClient, vectors: Vectors | None
) -> Starlette:
    """Put the door together. It connects to nothing by itself, and closes nothing it was handed.

    ``vectors`` is None where the index lives inside another process and can't be asked from here.
    """
    answers = ErrorAnswers(production=settings.is_production)
    # Embedded means one process: counting in it is the same, and faster.
    shared = None if settings.redis_url.startswith("embedded://") else redis
    limits = RateLimits(per_minute=settings.rate_limit_per_minute, redis=shared)

    hooks = Hooks(secret=settings.directus_webhook_secret, queue=queue, limits=limits)
    visitors = Visitors(
        directus=directus,
        queue=queue,
        access=VisitorAccess(directus),
        limits=limits,
        default_conference_id=settings.default_conference_id,
    )
    chat = Chat(directus=directus, queue=queue, limits=limits, answers=answers)
    cancellation = Cancellation(directus=directus, redis=redis, limits=limits)
    regeneration = Regeneration(directus=directus, redis=redis, queue=queue, limits=limits)
    metrics = MetricsPage(redis=redis, queue=queue)
    checks: dict[str, Callable[[], Awaitable[object]]] = {"redis": redis.ping, "directus": directus.ping}
    if vectors is not None:
        checks["qdrant"] = vectors.ping
    health = Health(production=settings.is_production, checks=checks)

    app = Starlette(
        routes=[
            Route("/hooks/message-created", hooks.message_created, methods=["POST"]),
            Route("/hooks/content-changed", hooks.content_changed, methods=["POST"]),
            Route("/api/conversations", visitors.begin_conversation, methods=["POST"]),
            Route("/api/messages", visitors.ask, methods=["POST"]),
            Route("/api/messages/{answer_id}/cancel", cancellation.cancel, methods=["POST"]),
            Route("/api/messages/{message_id}/regenerate", regeneration.regenerate, methods=["POST"]),
            Route("/api/chat", chat.answer, methods=["POST"]),
            Route("/health", health.up),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
            Route("/metrics", metrics.show),
            *window_routes(settings),
        ],
        middleware=[
            # From the outside in; a refused preflight and a 500 carry their correlation id too.
            Middleware(Correlation),
            Middleware(SafeHeaders),
            Middleware(
                Cors,
                allow_origins=[origin.rstrip("/") for origin in settings.cors_origins],
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", CORRELATION_HEADER],
                expose_headers=[CORRELATION_HEADER, "Retry-After"],
            ),
            Middleware(LastCatch, answers),
        ],
        exception_handlers={HTTPException: answers, ErleahError: answers},
    )
    # A redirected POST loses its body with some clients; a wrong path is a wrong path.
    app.router.redirect_slashes = False
    return app
