"""A log with a key or somebody's words in it is named, whichever way they came there; a clean one is not."""

from __future__ import annotations

import json

import pytest

from chaos.leaks import leaks

SECRETS = {"ANTHROPIC_API_KEY": "sk-ant-0123456789abcdefghijklmnop", "a token": "eyJhbGciOi.JIUzI1NiIs.InR5cCI6Ikp"}
CLEAN = '{"event": "turn.ended", "message_id": "c774c38d-f94b", "trace_id": "548d5293afe34b048e28c23b2ee3bc34"}\n'


def test_a_log_of_ids_and_counts_is_clean() -> None:
    assert leaks({"worker.log": CLEAN * 3, "empty.log": ""}, SECRETS) == []


@pytest.mark.parametrize(
    "said",
    [
        f"Authorization: Bearer {SECRETS['a token']}",
        json.dumps({"key": SECRETS["ANTHROPIC_API_KEY"]}),
        f"starting with {SECRETS['ANTHROPIC_API_KEY'][:20]}…",
        f"… {SECRETS['ANTHROPIC_API_KEY'][-18:]}",
    ],
)
def test_a_key_is_found_whole_or_cut(said: str) -> None:
    (found,) = leaks({"clean.log": CLEAN, "worker.log": f"{CLEAN}{said}\n"}, SECRETS)
    assert found.startswith("worker.log holds ")
    assert found.endswith("in line 2")
    assert not any(secret[:8] in found for secret in SECRETS.values()), "what was found is not told again"


@pytest.mark.parametrize(
    "said",
    [
        "Which talks are about testing? q17q",
        json.dumps({"error": "bad request:\nq17q hm, and what would you do?"}),
        "insert into `messages` (`messageText`) values ('Who speaks about databases? q17q')",
        "Point 3 about q17q stands as said.",
    ],
)
def test_words_of_a_question_or_an_answer_are_found_by_its_tag(said: str) -> None:
    (found,) = leaks({"directus.log": CLEAN + said}, SECRETS)
    assert found == "directus.log holds words of questions or answers, 1 times, first in line 2"
