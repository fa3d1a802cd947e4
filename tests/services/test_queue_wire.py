"""How jobs and their ends lie in Redis."""

from __future__ import annotations

from typing import Any

import pytest

from services import errors
from services.errors import ErleahError
from services.queue.jobs import AnswerJob, IndexItemJob, ReindexJob, SearchJob
from services.queue.outcome import dump_error, dump_result, load_outcome
from services.queue.wire import MAX_JOB_BYTES, dump_job, load_job

ENVELOPE: dict[str, Any] = {
    "t": None,
    "f": "search",
    "a": [],
    "k": {"payload": {"query": "größe 🚀"}},
    "et": 1_700_000_000_000,
}


def test_an_envelope_comes_back_as_it_went() -> None:
    """Writing and reading a job changes nothing."""
    assert load_job(dump_job(ENVELOPE)) == ENVELOPE


@pytest.mark.parametrize("payload", [{"x": object()}, {"x": b"bytes"}, {"x": float("nan")}, {"x": {1, 2}}])
def test_only_json_is_written(payload: dict[str, Any]) -> None:
    """What is not JSON is refused where it is asked for, not in a worker."""
    with pytest.raises((TypeError, ValueError)):
        dump_job({**ENVELOPE, "k": {"payload": payload}})


def test_a_job_has_a_greatest_size() -> None:
    """A job over the limit is refused on both sides."""
    large = {**ENVELOPE, "k": {"payload": {"query": "x" * MAX_JOB_BYTES}}}
    with pytest.raises(ValueError, match="are the most"):
        dump_job(large)
    with pytest.raises(ValueError, match="too large"):
        load_job(b" " * (MAX_JOB_BYTES + 1))


def test_a_refusal_does_not_quote_what_it_refuses() -> None:
    """The error that arq logs of a refused payload holds none of it."""
    with pytest.raises(ValueError, match="not a job") as refused:
        load_job(b'{"t":"my secret","f":"my secret","a":["my secret"],"k":{},"et":"my secret"}')
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_every_error_of_the_tree_survives_the_way_back() -> None:
    """Each class of the error tree comes back as itself, with its words and its details."""
    made: list[ErleahError] = []
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.RateLimitedError):
            made.append(kind("slowly", retry_after_s=2.5))
        elif issubclass(kind, errors.ServiceRejectedError):
            made.append(kind("qdrant", "no", status=409))
        elif issubclass(kind, errors.ProviderBusyError):
            made.append(kind("anthropic", "busy", retry_after_s=1.5))
        elif issubclass(kind, errors.ServiceUnavailableError | errors.ProviderError):
            made.append(kind("openai", "away"))
        else:
            made.append(kind("words"))
    for error in made:
        with pytest.raises(ErleahError) as again:
            load_outcome(dump_error(error, "job"))
        assert type(again.value) is type(error)
        assert str(again.value) == str(error)
        assert vars(again.value) == vars(error)


def test_a_foreign_error_comes_back_without_its_words() -> None:
    """An exception that is not ours may quote anything, so only its type and the job travel."""
    with pytest.raises(ErleahError, match="RuntimeError in job search:1") as again:
        load_outcome(dump_error(RuntimeError("the question"), "search:1"))
    assert "question" not in str(again.value)


def test_any_json_is_a_result() -> None:
    """Nothing, numbers, lists and mappings come back as they went."""
    results: list[Any] = [None, 0, "", [], {"error": {"code": "error"}}, {"a": [1, "ü"]}]
    for result in results:
        assert load_outcome(dump_result(result)) == result


def test_only_jobs_someone_waits_for_keep_a_result() -> None:
    """A turn's and an item's end is in Directus and the index; a search's and a reindex's is asked for."""
    assert {job.name: job.keeps_result for job in (AnswerJob, IndexItemJob, ReindexJob, SearchJob)} == {
        "answer_message": False,
        "index_item": False,
        "reindex": True,
        "search": True,
    }
