"""For comparison: ten answers at once, each token of each written and awaited, as one would at first.

Same Directus, same model stand-in at the same pace, same visitors; no worker.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from anthropic import AsyncAnthropic

from bench.figure import Figure
from bench.live_answers import MODEL_S, TOKENS, TOKENS_PER_SECOND, Watch, new_questions
from services.directus_names import MESSAGES

if TYPE_CHECKING:
    from bench.installation import Installation
    from bench.live_answers import Question

__all__ = ["measure"]

_ANSWERS = 10
_WITHIN_S = 150.0


async def measure(house: Installation) -> list[Figure]:
    """One round."""
    async with (
        house.model(tokens=TOKENS, tokens_per_second=TOKENS_PER_SECOND) as model,
        AsyncAnthropic(base_url=model.url, api_key="none") as client,
    ):
        questions = await new_questions(house, _ANSWERS)
        watch = Watch(house, questions, within_s=_WITHIN_S)
        try:
            await watch.begin()
            asked = time.monotonic()
            await asyncio.gather(*(_answer(house, client, question) for question in questions))
            seen = await watch.end()
        finally:
            await watch.stop()
    ended = [told["ended_at"] for told in seen.values() if told["status"] == "completed"]
    late = max(ended) - asked if len(ended) == _ANSWERS else None
    return [
        Figure(
            "one awaited write per token, 10 at once: end / model's own time",
            None if late is None else late / MODEL_S,
            "times",
        ),
        Figure("one awaited write per token, 10 at once: writes to Directus", _ANSWERS * (TOKENS + 2), "writes"),
    ]


async def _answer(house: Installation, client: AsyncAnthropic, question: Question) -> None:
    row = {"id": question.answer_id, "conversation_id": question.conversation_id, "role": "assistant"}
    await house.directus.create_item(MESSAGES, row | {"status": "streaming", "messageText": "", "seq": 0})
    text, seq = "", 0
    async with client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=1024, messages=[{"role": "user", "content": question.text}]
    ) as stream:
        async for piece in stream.text_stream:
            text, seq = text + piece, seq + 1
            await house.directus.update_item(MESSAGES, question.answer_id, {"messageText": text, "seq": seq})
    await house.directus.update_item(MESSAGES, question.answer_id, {"status": "completed", "seq": seq + 1})
