"""An answer's id is worked out from its question's, so an answer exists at most once."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

__all__ = ["ANSWER_NAMESPACE", "answer_id_of"]

ANSWER_NAMESPACE: Final = UUID("6f1c1f3e-6d1b-5d4e-9f0e-0d8f5f1f7a11")
"""Part of the contract with every client: it knows its answer's id before the answer exists."""


def answer_id_of(message_id: str) -> str:
    """The id of the one answer to a user message.

    The message id is brought to its lower-case form with hyphens first: two spellings of one UUID
    are one message. Raises ValueError when it is no UUID.
    """
    return str(uuid5(ANSWER_NAMESPACE, str(UUID(message_id))))
