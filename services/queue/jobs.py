"""The jobs that processes hand to each other: names, queues, ids and payloads.

Payloads travel as JSON (never pickle: who can write to Redis must not be able to run code) and
are checked again by the worker. A job's id is derived from what it is about, so asking twice
while it waits or runs is asking once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AnswerJob", "IndexItemJob", "Job", "Queue", "ReindexJob", "SearchJob"]

Id = Annotated[str, Field(min_length=1, max_length=128)]


class Queue(StrEnum):
    """Each queue has its own runner, so that a long reindex never delays an answer, nor a changed row.

    Nor do changed rows delay a reindex: loading a conference reports each of its rows (590 jobs for the
    sample conference), and who then asks for a reindex waits for it.
    """

    TURNS = "erleah:queue:turns"
    INDEX = "erleah:queue:index"
    REINDEX = "erleah:queue:reindex"


class Job(BaseModel):
    """What every job carries: the trace it belongs to and when it was asked for.

    ``queued_at`` is Unix time in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassVar[str]
    queue: ClassVar[Queue]
    keeps_result: ClassVar[bool] = False
    """Whether someone may wait for how it ends; the result is then kept in Redis for a minute."""

    trace_id: Annotated[str, Field(max_length=128)] = ""
    queued_at: float = 0.0

    @property
    def job_id(self) -> str:
        """The id under which this job exists at most once at a time."""
        raise NotImplementedError


class AnswerJob(Job):
    """Answer one user message. ``conference_id`` counts only if the conversation names none."""

    name: ClassVar[str] = "answer_message"
    queue: ClassVar[Queue] = Queue.TURNS

    message_id: Id
    conference_id: Id | None = None

    @property
    def job_id(self) -> str:
        """One turn for a message, however often it is reported."""
        return f"turn:{self.message_id}"


class SearchJob(Job):
    """Run one search for an operator and return what a turn would find.

    With a ``mode`` the index alone is asked, with the words as they are.
    """

    name: ClassVar[str] = "search"
    queue: ClassVar[Queue] = Queue.TURNS
    keeps_result: ClassVar[bool] = True

    request_id: Id
    query: Annotated[str, Field(min_length=1, max_length=4000)]
    conference_id: Id
    entity_type: Id
    mode: Literal["auto", "faceted", "master"] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 10

    @property
    def job_id(self) -> str:
        """Each search is asked once, by its own request."""
        return f"search:{self.request_id}"


class ReindexJob(Job):
    """Index one conference (or all) again; ``full`` builds beside the old index and switches."""

    name: ClassVar[str] = "reindex"
    queue: ClassVar[Queue] = Queue.REINDEX
    keeps_result: ClassVar[bool] = True

    conference_id: Id | None = None
    entity_type: Id | None = None
    full: bool = False

    @property
    def job_id(self) -> str:
        """The same request is not queued twice."""
        scope = f"{self.conference_id or 'all'}:{self.entity_type or 'all'}"
        return f"reindex:{scope}:{'full' if self.full else 'changed'}"


class IndexItemJob(Job):
    """Index one changed row, or forget a deleted one.

    ``change_id`` makes each change a job of its own: a change that comes while an earlier one of
    the same row is being indexed must not be lost.
    """

    name: ClassVar[str] = "index_item"
    queue: ClassVar[Queue] = Queue.INDEX

    collection: Id
    item_id: Id
    change_id: Id

    @property
    def job_id(self) -> str:
        """One job for each change."""
        return f"item:{self.collection}:{self.item_id}:{self.change_id}"
