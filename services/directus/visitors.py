"""What a visitor gets instead of a log-in: the token of a share of one conversation.

The share's id is a bearer secret: whoever has it can trade it for tokens until it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ShareAccess"]


@dataclass(frozen=True, slots=True)
class ShareAccess:
    """A traded share: reads its one conversation and its messages, and writes nothing.

    ``access_token`` lasts ``expires_in_s`` seconds (Directus's default: 15 minutes);
    ``refresh_token`` buys the next one. Neither shows in a repr.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: float
