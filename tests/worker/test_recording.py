"""A turn is recorded at its seams, without secrets and bounded, and comes out the same when it is run again."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from assistants.conference import assistant as conference_assistant
from assistants.conference.model_understanding import ModelUnderstanding
from assistants.interface import ToolCall
from cli import replay as replay_command
from cli.main import main
from services import redis_keys
from services.errors import NotFoundError, ProviderBrokenStreamError
from services.llm.calls import Parsed, TextDelta
from services.llm.chain import LanguageModel
from tests.worker.conference_workshop import conference_workshop
from tests.worker.conftest import ScriptedProvider
from worker import recording as recording_module
from worker.comparing import compare
from worker.recording import Ending, Recording, Recordings
from worker.replaying import replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pydantic import BaseModel

    from services.llm.calls import AnswerEnd, Prompt
    from services.settings import Settings
    from tests.worker.conftest import Workshop

CONFERENCE = "11111111-1111-4111-8111-111111111111"
ROWS: dict[str, list[dict[str, Any]]] = {
    "conferences": [{"id": CONFERENCE, "name": "Harbour Days", "timezone": "Europe/Berlin", "start_date": "2026-06-01",
                     "end_date": "2026-06-02"}],
    "sessions": [
        {"id": str(uuid4()), "conference_id": CONFERENCE, "title": title, "description": text, "room": "Pier 1",
         "start_time": "2026-06-01T09:00:00Z", "end_time": "2026-06-01T10:00:00Z"}
        for title, text in (
            ("Testing in anger", "How property tests find the bugs that examples miss."),
            ("Databases at scale", "Sharding, replicas and what breaks first."),
        )
    ],
}  # fmt: skip


class Claude(ScriptedProvider):
    """Understands and writes, both by script; ``asked`` says which, in order."""

    def __init__(self, pieces: list[str]) -> None:
        super().__init__(pieces)
        self.asked: list[str] = []

    async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
        self.asked.append("stream")
        async for event in super().stream(prompt):
            yield event

    async def parse(self, prompt: Prompt, schema: type[BaseModel]) -> Parsed[Any]:
        assert schema is ModelUnderstanding
        self.prompts.append(prompt)
        self.asked.append("parse")
        said = {"intent": "session_search", "search_type": "vague", "standalone_query": "property tests and databases"}
        return Parsed(
            ModelUnderstanding.model_validate(
                said | {"language": "en", "topics": ["replicas"], "names": [], "time": None, "location": None}
            ),
            self.name,
            "fast-1",
        )


@pytest.fixture
async def recorded(make_workshop: Callable[..., Workshop]) -> Workshop:
    workshop = make_workshop()
    workshop.services = replace(workshop.services, recordings=Recordings(workshop.redis, days=7))
    return workshop


async def load(workshop: Workshop, message_id: str) -> Recording:
    found = await Recordings(workshop.redis, days=7).load(message_id)
    assert found is not None
    return found


async def test_a_replayed_turn_is_the_same(recorded: Workshop) -> None:
    """Question, plan, tools' results and the model's words lead to the same answer, and nothing is written."""
    message_id = recorded.ask("Where is the bar?")
    await recorded.answer(message_id)
    recording = await load(recorded, message_id)
    writes, asked = len(recorded.directus.writes), len(recorded.provider.prompts)
    replayed = await replay(recording, recorded.assistant, recorded.services.settings, embedder=None)
    assert [step.name for step in compare(recording, replayed) if not step.is_same] == []
    assert replayed.text == "Hello there."
    assert (len(recorded.directus.writes), len(recorded.provider.prompts)) == (writes, asked)


async def test_what_was_relaxed_and_what_broke_is_replayed_too(make_workshop: Callable[..., Workshop]) -> None:
    """Each round of tools and a stream that broke in its middle come out as they were."""
    broken = ScriptedProvider(
        ["One. ", "Two, ", "three"], error=ProviderBrokenStreamError("scripted", "cut"), error_at=2
    )
    workshop = make_workshop(provider=broken)
    workshop.services = replace(workshop.services, recordings=Recordings(workshop.redis, days=7))
    again = ToolCall(tool="look_up", arguments={"query": "near it"}, relaxed=("time",))
    workshop.assistant.relaxed = [[again]]
    message_id = workshop.ask()
    await workshop.answer(message_id)
    recording = await load(workshop, message_id)
    workshop.assistant.relaxed = [[again]]
    replayed = await replay(recording, workshop.assistant, workshop.services.settings, embedder=None)
    assert [step.name for step in compare(recording, replayed) if not step.is_same] == []
    assert replayed.text.startswith("One.")
    assert len(replayed.turn.outcomes) == 2


async def test_a_changed_assistant_parts_from_the_recording_where_it_differs(recorded: Workshop) -> None:
    """Another plan is shown as another call, and a call that was never made finds nothing."""
    message_id = recorded.ask("Where is the bar?")
    await recorded.answer(message_id)
    recording = await load(recorded, message_id)
    recorded.assistant.plan = lambda _: [ToolCall(tool="look_up", arguments={"query": "elsewhere"})]  # type: ignore[method-assign, assignment]  # another version of it
    replayed = await replay(recording, recorded.assistant, recorded.services.settings, embedder=None)
    parted = [step for step in compare(recording, replayed) if not step.is_same]
    assert parted[0].name == "tool call 1"
    assert any("elsewhere" in line for line in parted[0].diff)


async def test_a_model_that_would_be_asked_something_else_is_not_made_up(recorded: Workshop) -> None:
    """Where the prompt differs, the replay says so; with a live model it asks that one."""
    message_id = recorded.ask("Where is the bar?")
    await recorded.answer(message_id)
    recording = await load(recorded, message_id)
    plain = recorded.assistant.prompt
    recorded.assistant.prompt = lambda view: replace(plain(view), system="Be brief.")  # type: ignore[method-assign]  # new prompts
    replayed = await replay(recording, recorded.assistant, recorded.services.settings, embedder=None)
    assert replayed.unanswered == ["answer: a model would be asked to write something else"]
    live = LanguageModel([ScriptedProvider(["Brief."])])
    replayed = await replay(recording, recorded.assistant, recorded.services.settings, embedder=None, live=live)
    assert (replayed.text, list(replayed.unanswered)) == ("Brief.", [])
    parted = [step.name for step in compare(recording, replayed) if not step.is_same]
    assert parted == ["prompt 1", "answer"]


async def test_another_model_is_asked_though_the_prompts_are_the_same(recorded: Workshop) -> None:
    """The recorded text is the other model's; the tools still find what they found."""
    message_id = recorded.ask("Where is the bar?")
    await recorded.answer(message_id)
    recording = await load(recorded, message_id)
    other = ScriptedProvider(["By the pier."])
    settings = recorded.services.settings
    live = LanguageModel([other])
    replayed = await replay(recording, recorded.assistant, settings, embedder=None, live=live)
    assert (replayed.text, other.prompts) == ("Hello there.", []), "live alone asks what was not asked then"
    replayed = await replay(recording, recorded.assistant, settings, embedder=None, live=live, is_other_model=True)
    assert (replayed.text, len(other.prompts)) == ("By the pier.", 1)
    parted = {step.name: step.diff for step in compare(recording, replayed) if not step.is_same}
    assert list(parted) == ["answer"]
    assert {"-Hello there.", "+By the pier."} <= set(parted["answer"])
    assert [each.results for each in replayed.turn.outcomes] == [each.results for each in recording.ended.outcomes]


@pytest.mark.parametrize(("fast_model", "asked"), [("fast-1", ["stream"]), ("another", ["parse", "stream"])])
async def test_what_the_fast_model_understood_stays_with_another_model(fast_model: str, asked: list[str]) -> None:
    """It is not the one that is replaced; where the same model understands and writes, the other one does both."""
    question = "something with replicas, and what breaks, for a beginner of it all"
    written = Claude(["Go to Testing in anger."])
    changes = {"anthropic_fast_model": fast_model}
    async with conference_workshop(ROWS, written, **changes) as workshop:
        message_id = workshop.ask(question, workshop.conversation(conference_id=CONFERENCE))
        await workshop.answer(message_id)
        recording = await load(workshop, message_id)
        other = Claude(["Try Databases at scale."])
        replayed = await replay(
            recording,
            workshop.services.assistants["mini"],
            workshop.services.settings,
            embedder=workshop.services.toolbox.embedder,
            live=LanguageModel([other]),
            is_other_model=True,
        )
    assert [call.kind for call in recording.model_calls] == ["parse", "stream"]
    assert other.asked == asked
    assert replayed.text == "Try Databases at scale."
    assert replayed.turn.outcomes[0].results == recording.ended.outcomes[0].results


async def test_the_conference_assistant_understands_again_from_what_it_read_then() -> None:
    """Router, facts and the fast model's reply: the whole understanding is run again, without Directus."""
    question = "something with replicas, and what breaks, for a beginner of it all"
    async with conference_workshop(ROWS, Claude(["Go to Testing in anger."])) as workshop:
        message_id = workshop.ask(question, workshop.conversation(conference_id=CONFERENCE))
        await workshop.answer(message_id)
        recording = await load(workshop, message_id)
        workshop.directus.away = True
        toolbox = workshop.services.toolbox
        assistant = workshop.services.assistants["mini"]
        replayed = await replay(recording, assistant, workshop.services.settings, embedder=toolbox.embedder)
    assert replayed.understood_again
    assert [(step.name, step.diff) for step in compare(recording, replayed) if not step.is_same] == []
    assert [call.kind for call in recording.model_calls] == ["parse", "stream"]
    assert recording.ended.outcomes[0].results
    assert recording.reads


async def test_no_secret_is_recorded(recorded: Workshop) -> None:
    """Neither Erleah's keys nor its addresses are in what lies in Redis."""
    message_id = recorded.ask()
    await recorded.answer(message_id)
    packed = await recorded.redis.get(redis_keys.recording(message_id))
    assert packed is not None
    text = zlib.decompress(packed).decode()
    settings = recorded.services.settings
    for secret in (settings.directus_api_key, settings.directus_webhook_secret):
        assert secret.get_secret_value() not in text
    assert settings.directus_url not in text
    assert {"redis_url", "directus_url", "openai_base_url"}.isdisjoint(json.loads(text)["settings"])


async def test_a_recording_lapses(recorded: Workshop) -> None:
    """It lives as long as the setting says and no longer."""
    message_id = recorded.ask()
    await recorded.answer(message_id)
    lives_s = await recorded.redis.ttl(redis_keys.recording(message_id))
    assert 6.9 * 24 * 3600 < lives_s <= 7 * 24 * 3600


async def test_only_the_newest_recordings_are_kept(recorded: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis does not fill up, however many turns there are in a week."""
    monkeypatch.setattr(redis_keys, "RECORDINGS_AT_MOST", 3)
    message_ids = [recorded.ask() for _ in range(5)]
    for message_id in message_ids:
        await recorded.answer(message_id)
    kept = [await recorded.redis.exists(redis_keys.recording(message_id)) for message_id in message_ids]
    assert kept == [0, 0, 1, 1, 1]
    assert await recorded.redis.zcard(redis_keys.RECORDINGS) == 3


async def test_of_a_turn_that_is_too_large_its_size_is_kept(
    recorded: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A huge turn is answered like any other; who wants to replay it is told why that can't be."""
    monkeypatch.setattr(recording_module, "MAX_BYTES", 100)
    message_id = recorded.ask()
    await recorded.answer(message_id)
    assert recorded.status_of(message_id) == "answered"
    assert len(await recorded.redis.get(redis_keys.recording(message_id)) or b"") < 100
    with pytest.raises(NotFoundError, match=r"had [1-9]\d* kB and was too large to be kept"):
        await load(recorded, message_id)


async def test_a_turn_with_too_much_read_is_recorded_without_it(
    recorded: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of reads that are too many together the sizes stay; the rest of the turn can still be replayed."""
    message_id = recorded.ask("Where is the bar?")
    await recorded.answer(message_id)
    whole = await load(recorded, message_id)
    halls = ["".join(uuid4().hex for _ in range(50)) for _ in range(20)]
    whole.reads = [recording_module.Read(asked=f"directus halls {n}", found=hall) for n, hall in enumerate(halls)]
    monkeypatch.setattr(recording_module, "MAX_BYTES", 5000)
    await Recordings(recorded.redis, days=1).keep(lambda: whole)
    recording = await load(recorded, message_id)
    assert [(read.asked, read.found, read.left_out_bytes) for read in recording.left_out] == [
        (f"directus halls {n}", None, 1602) for n in range(20)
    ]
    replayed = await replay(recording, recorded.assistant, recorded.services.settings, embedder=None)
    assert replayed.is_comparable
    assert [step.name for step in compare(recording, replayed) if not step.is_same] == []


async def test_without_a_read_that_was_too_large_the_understanding_is_the_recorded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing makes no difference between then and now: all that can be run again is, and is the same."""
    monkeypatch.setattr(recording_module, "MAX_READ_BYTES", 100)
    question = "something with replicas, and what breaks, for a beginner of it all"
    async with conference_workshop(ROWS, Claude(["Go to Testing in anger."])) as workshop:
        message_id = workshop.ask(question, workshop.conversation(conference_id=CONFERENCE))
        await workshop.answer(message_id)
        recording = await load(workshop, message_id)
        replayed = await replay(
            recording,
            workshop.services.assistants["mini"],
            workshop.services.settings,
            embedder=workshop.services.toolbox.embedder,
        )
    assert [call.kind for call in recording.model_calls] == ["parse", "stream"]
    left_out = {read.asked.split(" ")[1]: read.left_out_bytes or 0 for read in recording.left_out}
    assert left_out["conferences"] > 100
    assert not replayed.understood_again
    assert replayed.is_comparable
    assert [(step.name, step.diff) for step in compare(recording, replayed) if not step.is_same] == []


async def test_a_turn_that_had_not_understood_yet_is_not_compared_without_what_it_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its understanding would have to be made anew, of what is not there: a difference would say nothing."""
    monkeypatch.setattr(recording_module, "MAX_READ_BYTES", 100)
    async with conference_workshop(ROWS, Claude(["Go to Testing in anger."])) as workshop:
        message_id = workshop.ask("Which talks are about tests?", workshop.conversation(conference_id=CONFERENCE))
        await workshop.answer(message_id)
        recording = await load(workshop, message_id)
        recording.ended.understanding = None
        services = workshop.services
        replayed = await replay(recording, services.assistants["mini"], services.settings, embedder=None)
    assert recording.left_out
    assert not replayed.is_comparable


async def test_failing_to_record_harms_no_turn(recorded: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with it, the turn is answered and settled."""

    async def fail(*_: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("disk on fire")

    monkeypatch.setattr(Recordings, "_write", fail)
    message_id = recorded.ask()
    await recorded.answer(message_id)
    assert recorded.status_of(message_id) == "answered"
    assert recorded.provider.closed_early == 0


async def test_a_stopped_turn_is_recorded_as_one(recorded: Workshop) -> None:
    """It says what called it off, and the model's words as far as they came."""
    recorded.provider.pieces = ["word "] * 500
    recorded.provider.pace_s = 0.01
    message_id = recorded.ask()
    turn = asyncio.create_task(recorded.answer(message_id))
    while not (recorded.answer_to(message_id) or {}).get("messageText"):  # noqa: ASYNC110 - the stand-in has no event
        await asyncio.sleep(0.01)
    row = recorded.answer_to(message_id)
    assert row is not None
    await recorded.services.directus.update_item("messages", row["id"], {"status": "cancelled"})
    await asyncio.wait_for(turn, 2)
    recording = await load(recorded, message_id)
    assert recording.ending.called_off == "Stopped"
    assert recording.model_calls[0].events[0]["text"].startswith("word word")


async def test_a_turn_that_came_to_its_end_is_not_recorded_as_called_off(recorded: Workshop) -> None:
    """The watch looks between its end and its recording: the mark that stands there is not another's lease."""
    turns: Any = recorded.services.turns
    finish = turns.finish

    async def then_renewed(*arguments: Any) -> bool:  # noqa: ANN401 - its own
        ended: bool = await finish(*arguments)
        await recorded.services.watch._renew()
        await recorded.services.watch._look()
        return ended

    turns.finish = then_renewed
    message_id = recorded.ask()
    await recorded.answer(message_id)
    assert recorded.services.recordings is not None
    recording = await recorded.services.recordings.load(message_id)
    assert recording is not None
    assert recording.ending.called_off is None


async def test_a_damaged_recording_is_none(recorded: Workshop) -> None:
    """What can't be read is passed over, a bomb of zeros included."""
    key = redis_keys.recording("m")
    for damaged in (b"\x00", zlib.compress(b"{}"), zlib.compress(b" " * 64 * 1024 * 1024)):
        await recorded.redis.set(key, damaged)
        assert await Recordings(recorded.redis, days=7).load("m") is None


class TestCommand:
    """``erleah replay``, over a Redis of this process."""

    @pytest.fixture
    def message_id(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        url = f"embedded://replay-{uuid4().hex}"
        for name, value in {
            "REDIS_URL": url,
            "DIRECTUS_API_KEY": "k" * 20,
            "DIRECTUS_WEBHOOK_SECRET": "s" * 20,
            "DIRECTUS_URL": "http://127.0.0.1:9",
            "EMBEDDING_PROVIDER": "local",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)

        async def take_a_turn() -> str:
            async with conference_workshop(ROWS, Claude(["Go to Testing in anger."]), redis_url=url) as workshop:
                message_id = workshop.ask(
                    "Which talks are about testing?", workshop.conversation(conference_id=CONFERENCE)
                )
                await workshop.answer(message_id)
                return message_id

        return asyncio.run(take_a_turn())

    @pytest.fixture
    def second_prompts(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        """The one line that the system prompt of v2 has more than that of v1."""
        line = "- Answer in one sentence."
        prompts = tmp_path / "prompts"
        for version in ("v1", "v2"):
            shutil.copytree(conference_assistant._PROMPTS / "v1", prompts / version)
        system = prompts / "v2" / "system.j2"
        system.write_text(f"{system.read_text(encoding='utf-8').rstrip()}\n{line}\n", encoding="utf-8")
        monkeypatch.setattr(conference_assistant, "_PROMPTS", prompts)
        return line

    def test_says_that_it_is_the_same(self, message_id: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 0, both answers one."""
        assert main(["replay", message_id]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("The same, ")
        assert "Go to Testing in anger." in shown

    @pytest.fixture
    def calls_outside(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """The network is cut: each try to look up a name or to connect fails, and is in here."""
        tried: list[object] = []

        def refuse(*called: object, **_: object) -> None:
            tried.append(called)
            raise OSError("the network is cut")

        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        return tried

    def test_asks_no_network_though_its_embedder_would_be_downloaded(
        self,
        message_id: str,
        calls_outside: list[object],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With fastembed and no model on this machine: the understanding is the recorded one, all else is run again."""
        load_as_it_was = Recordings.load

        async def by_fastembed(self: Recordings, message_id: str) -> Recording | None:
            recording = await load_as_it_was(self, message_id)
            assert recording is not None
            recording.settings["embedding_provider"] = "fastembed"
            return recording

        monkeypatch.setattr(Recordings, "load", by_fastembed)
        monkeypatch.setenv("EMBEDDING_PROVIDER", "fastembed")
        monkeypatch.setenv("FASTEMBED_CACHE_PATH", str(tmp_path / "empty"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        begun = time.monotonic()
        assert main(["replay", message_id, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["same"], found["understood_again"]) == (True, False)
        assert calls_outside == []
        assert time.monotonic() - begun < 20, "and waits for nothing: fastembed alone would try for 40 s"

    def test_asks_no_network_with_an_embedder_that_is_here(
        self, message_id: str, calls_outside: list[object], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The understanding is run again, too."""
        assert main(["replay", message_id, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["same"], found["understood_again"]) == (True, True)
        assert calls_outside == []

    def test_gives_json(self, message_id: str, capsys: pytest.CaptureFixture[str]) -> None:
        """One object, for a machine."""
        assert main(["replay", message_id, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["same"], found["parts"], found["understood_again"]) == (True, [], True)
        assert found["then"] == found["now"] == "Go to Testing in anger."

    @pytest.fixture
    def bounded_id(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
        """A message of whose turn nothing that was read is recorded, for it was too large."""
        monkeypatch.setattr(recording_module, "MAX_READ_BYTES", 100)
        message_id: str = request.getfixturevalue("message_id")
        return message_id

    def test_says_what_was_too_large_to_be_recorded(self, bounded_id: str, capsys: pytest.CaptureFixture[str]) -> None:
        """What and how much; and that the rest is the same."""
        assert main(["replay", bounded_id]) == 0
        told = capsys.readouterr()
        assert told.out.startswith("The same, ")
        assert re.search(r"Left out of the recording, being too large \(0\.\d kB\): directus conferences ", told.err)
        assert "what it read is not all there" in told.err
        assert main(["replay", bounded_id, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["same"], found["understood_again"]) == (True, False)
        assert {read["read"].split()[0] for read in found["left_out"]} >= {"directus"}
        assert all(read["bytes"] > 100 for read in found["left_out"])

    def test_claims_nothing_where_what_is_missing_is_wanted(
        self, bounded_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither the same nor another result, and exit code 1, for nothing was compared."""
        load_whole = Recordings.load

        async def called_off_early(self: Recordings, message_id: str) -> Recording | None:
            recording = await load_whole(self, message_id)
            assert recording is not None
            recording.ended.understanding = None
            return recording

        monkeypatch.setattr(Recordings, "load", called_off_early)
        assert main(["replay", bounded_id]) == 1
        assert capsys.readouterr().out.startswith("It can't be told whether they are the same")
        assert main(["replay", bounded_id, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["same"] is None

    @pytest.mark.usefixtures("message_id")
    def test_an_unknown_message_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Exit code 1 and what to do."""
        assert main(["replay", str(uuid4())]) == 1
        assert "RECORD_TURNS_DAYS" in capsys.readouterr().err

    def test_a_stopped_turn_is_compared_as_far_as_it_came(
        self, message_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stop is no time-out of the replay's: the same version gives the same, exit code 0."""
        load_whole = Recordings.load

        async def stopped(self: Recordings, message_id: str) -> Recording | None:
            recording = await load_whole(self, message_id)
            assert recording is not None
            (call,) = recording.model_calls
            call.events = [{"text": "Go to Testing. Go "}]
            recording.ending = Ending(text="Go to Testing. Go ", called_off="Stopped")
            return recording

        monkeypatch.setattr(Recordings, "load", stopped)
        assert main(["replay", message_id, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["same"], found["now"]) == (True, "Go to Testing. Go ")

    def test_a_missing_prompt_version_is_said(self, message_id: str, capsys: pytest.CaptureFixture[str]) -> None:
        """It names the version and those there are."""
        assert main(["replay", message_id, "--prompts", "v99"]) == 1
        assert "v99" in capsys.readouterr().err

    def test_other_prompts_are_shown_beside_the_turns_own(
        self, message_id: str, second_prompts: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Their difference and no made-up answer; exit code 0, for that is what was asked for."""
        assert main(["replay", message_id, "--prompts", "v2"]) == 0
        told = capsys.readouterr()
        assert told.out.startswith("They part at: prompt 1, ")
        assert f"+{second_prompts}" in told.out
        assert "ask it with: --live" in told.err
        assert main(["replay", message_id]) == 0, "without them the turn's own are taken"

    def test_a_live_model_is_asked_with_the_other_prompts(
        self,
        message_id: str,
        second_prompts: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It writes by them, of what was found then."""
        model = Claude(["Testing in anger, at nine."])
        monkeypatch.setattr(replay_command, "make_language_model", lambda _: LanguageModel([model]))
        assert main(["replay", message_id, "--prompts", "v2", "--live"]) == 0
        told = capsys.readouterr()
        assert "+Testing in anger, at nine." in told.out
        assert "--live" not in told.err
        (prompt,) = model.prompts
        assert prompt.system.endswith(second_prompts)
        assert "Testing in anger" in prompt.context

    def test_another_model_is_asked_and_its_text_shown(
        self, message_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the model's name in the settings; exit code 0, for no same result was to be expected."""
        made: list[Settings] = []

        def make(settings: Settings) -> LanguageModel:
            made.append(settings)
            return LanguageModel([Claude(["Try Databases at scale."])])

        monkeypatch.setattr(replay_command, "make_language_model", make)
        assert main(["replay", message_id, "--live", "--model", "other-2"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("They part at: ")
        assert "-Go to Testing in anger." in shown
        assert "+Try Databases at scale." in shown
        assert [(each.anthropic_model, each.openai_model) for each in made] == [("other-2", "other-2")]

    def test_another_model_needs_a_key(
        self, message_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Templates are not shown as what that model wrote."""
        for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        assert main(["replay", message_id, "--live", "--model", "other-2"]) == 1
        assert "ANTHROPIC_API_KEY" in capsys.readouterr().err

    def test_another_model_needs_live(self, message_id: str) -> None:
        """Exit code 2: nobody can say what another model would have written."""
        assert main(["replay", message_id, "--model", "other"]) == 2


async def test_pieces_are_passed_on_as_they_come(recorded: Workshop) -> None:
    """Recording neither holds text back nor changes where it is cut."""
    seen: list[str] = []

    class Watched(ScriptedProvider):
        async def stream(self, prompt: Prompt) -> AsyncIterator[TextDelta | AnswerEnd]:
            async for event in super().stream(prompt):
                if isinstance(event, TextDelta):
                    seen.append(event.text)
                yield event

    model = LanguageModel([Watched(["a ", "b ", "c"])])
    recorded.services = replace(recorded.services, model=model)
    message_id = recorded.ask()
    await recorded.answer(message_id)
    assert seen == ["a ", "b ", "c"]
    assert (await load(recorded, message_id)).model_calls[0].events[0] == {"text": "a b c"}
