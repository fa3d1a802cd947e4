"""Every Redis key of Erleah: its name, what it holds, its type and how long it lives.

Nothing here is the truth about a turn: that is Directus. Losing all of Redis loses no message, only
the work in flight, which the sweep asks for again.

Keys of the queue, most of them named by arq:

- ``erleah:queue:turns``, ``…:index`` and ``…:reindex`` (sorted sets): job ids, scored by the millisecond they
  are due; a job that runs is due again when its lease lapses. A member lives until its job ends.
- ``arq:job:<job id>`` (string, JSON): the job's payload. Until it ends, a day at most.
- ``arq:in-progress:<job id>`` (string): which run holds the job. A few seconds, renewed while it runs.
- ``arq:retry:<job id>`` (string): how often the job was begun. Until it ends, a day at most.

The others have a function or a constant below, each saying the same of its key.
"""

from __future__ import annotations

__all__ = [
    "ANNOUNCEMENTS_TTL_S",
    "BREAKER_PREFIX",
    "CONFERENCE_TTL_S",
    "CONVERSATION_LOCK_TTL_S",
    "CONVERSATION_TTL_S",
    "METRICS",
    "PROGRESS_TTL_S",
    "RATE_LIMIT_PREFIX",
    "RECORDINGS",
    "RECORDINGS_AT_MOST",
    "REGENERATION_LEASE_TTL_S",
    "REINDEXED_AT",
    "RESULT_TTL_S",
    "SWEEP_LOCK",
    "TURN_FREE_MARK",
    "TURN_FREE_TTL_S",
    "TURN_LEASE_TTL_S",
    "TURN_TTL_S",
    "WATCHED_ROWS",
    "WATCHED_ROWS_TENDED_S",
    "WORKERS_PATTERN",
    "WORKER_TTL_S",
    "announcements",
    "cancel_flag",
    "conference",
    "conference_changed",
    "conversation_lock",
    "conversation_newest",
    "conversation_waiting",
    "job_progress",
    "job_result",
    "recording",
    "turn",
    "turn_attempts",
    "turn_lease",
    "turn_rows",
    "worker",
]

TURN_TTL_S = 24 * 3600
"""A turn is saved until it ends; a day covers any outage after which an answer is still wanted."""

TURN_LEASE_TTL_S = 5
"""A worker that has not renewed a turn's lease for this long has lost it; recovery is promised in 10 s."""

TURN_FREE_MARK = ":free"
"""What ends the lease of a turn that nobody has, behind the number of its last attempt, and the claim that ended it."""

TURN_FREE_TTL_S = 3600
"""For this long after its end a turn refuses a worker that slept through it (a paused machine, say)."""

CONVERSATION_LOCK_TTL_S = 10
"""Longer than a turn's lease: who takes a dead worker's turn up finds its place in the conversation kept."""

REGENERATION_LEASE_TTL_S = 15
"""A receiver that opens an answer anew has its turn this long, from before the write: that takes 10 s at most."""

CONVERSATION_TTL_S = 600
"""Waiting lists of conversations outlive no turn by more than this."""

CONFERENCE_TTL_S = 300
"""A conference's row is kept for minutes and dropped when it changes."""

WORKER_TTL_S = 10
"""A worker that has been silent for this long is counted as gone; it speaks every 3 s."""

RESULT_TTL_S = 60
"""Who waits for a job's result asks at least ten times a second; a minute is for a bad network."""

PROGRESS_TTL_S = 3600
"""The last progress of a job that died is forgotten after an hour."""

ANNOUNCEMENTS_TTL_S = 60
"""Nobody listens when no worker runs; runners read the queue at their start anyway."""

RATE_LIMIT_PREFIX = "erleah:limit"
"""Prefix of the keys of the ``limits`` library: questions, turns, hooks, by conversation and client; a minute each."""

BREAKER_PREFIX = "erleah:breaker:"
"""Prefix of the breakers' keys, three strings a provider: its state (JSON), its failures, when a probe began."""

METRICS = "erleah:metrics"
"""Hash: the sums of what all processes count; a field is a name with its labels. It stays."""

WATCHED_ROWS = "erleah:watched-rows"
"""Sorted set: messages whose answers' rows a late write may hit, by until when a process tends each (Unix s).
TURN_FREE_TTL_S from the last one added."""

WATCHED_ROWS_TENDED_S = 5
"""A row whose process has not said for this long that it is at it is another's to look after."""

SWEEP_LOCK = "erleah:sweep"
"""String: which process sweeps or swept last. 30 s, renewed; at its end a little less than the time between two."""

REINDEXED_AT = "erleah:reindexed-at"
"""String: when the sweep last asked for a reindex, or began to count (Unix s). It stays."""

RECORDINGS = "erleah:recordings"
"""Sorted set: message ids of the recorded turns, by when they ended (Unix s). As long as the newest recording."""

RECORDINGS_AT_MOST = 1000
"""Recordings kept, whatever their age: 1 to 25 kB each are some 15 MB of Redis."""

WORKERS_PATTERN = "erleah:worker:*"
"""Matches the heartbeats of all workers."""


def turn(message_id: str) -> str:
    """String, JSON: the saved state of the turn that answers this user message. TURN_TTL_S."""
    return f"erleah:turn:{message_id}"


def turn_lease(message_id: str) -> str:
    """String: which attempt of which worker may write this turn's answer. TURN_LEASE_TTL_S, renewed."""
    return f"erleah:turn-lease:{message_id}"


def turn_attempts(message_id: str) -> str:
    """String: how often this turn was taken up. TURN_FREE_TTL_S, until it is given back: then the free mark has it."""
    return f"erleah:turn-attempts:{message_id}"


def turn_rows(message_id: str) -> str:
    """String, JSON list: how a turn's rows have to stand where a late write may hit them. TURN_FREE_TTL_S."""
    return f"erleah:turn-rows:{message_id}"


def recording(message_id: str) -> str:
    """String, zlib over JSON: how the turn of this user message went, for ``erleah replay``. RECORD_TURNS_DAYS."""
    return f"erleah:recording:{message_id}"


def cancel_flag(answer_id: str) -> str:
    """String "1": the visitor has stopped this answer. TURN_TTL_S."""
    return f"erleah:cancel:{answer_id}"


def conversation_lock(conversation_id: str) -> str:
    """String: the message whose answer is live in this conversation. CONVERSATION_LOCK_TTL_S, renewed."""
    return f"erleah:conversation:{conversation_id}:lock"


def conversation_waiting(conversation_id: str) -> str:
    """Sorted set: user messages that wait for that answer to end, by when they were asked. CONVERSATION_TTL_S."""
    return f"erleah:conversation:{conversation_id}:waiting"


def conversation_newest(conversation_id: str) -> str:
    """String "<asked at, Unix s> <message id>": the newest waiting message, for the live turn. CONVERSATION_TTL_S."""
    return f"erleah:conversation:{conversation_id}:newest"


def conference(conference_id: str) -> str:
    """String, JSON: the conference's row and its faq, as Directus had it. CONFERENCE_TTL_S."""
    return f"erleah:conference:{conference_id}"


def conference_changed(conference_id: str) -> str:
    """String: a mark of the last change, lest what was read before it be kept after it. CONFERENCE_TTL_S."""
    return f"erleah:conference:{conference_id}:changed"


def announcements(queue: str) -> str:
    """List: one "1" for each job just put into the queue, at most 16: wakes runners at once. ANNOUNCEMENTS_TTL_S."""
    return f"erleah:announced:{queue.rpartition(':')[2]}"


def worker(worker_id: str, queue: str) -> str:
    """String, JSON: the heartbeat of the runner of one queue in one worker process. WORKER_TTL_S, renewed."""
    return f"erleah:worker:{worker_id}:{queue.rpartition(':')[2]}"


def job_result(job_id: str) -> str:
    """String, JSON: how a job that someone waits for has ended. RESULT_TTL_S."""
    return f"erleah:job-result:{job_id}"


def job_progress(job_id: str) -> str:
    """String, JSON: how far a long job has come. PROGRESS_TTL_S."""
    return f"erleah:job-progress:{job_id}"
