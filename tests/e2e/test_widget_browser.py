"""The window in a real Chromium: what a visitor does and sees when all goes well, or nearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from services.answer_ids import answer_id_of
from tests.e2e.window_stand_in import CONFERENCE

if TYPE_CHECKING:
    from tests.e2e.window_page import WindowPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TALKS = "Two talks on **testing**:\n\n- *Pytest* in `Hall A`\n- see the [programme](https://ep.example/talks)"


async def test_an_answer_grows_as_markdown_and_ends_with_questions_to_go_on_with(window: WindowPage) -> None:
    answer_id = await window.ask("Which talks are about testing?")
    await expect(window.questions).to_have_text(["Which talks are about testing?"])
    await expect(window.answer.locator(".thinking")).to_be_visible()
    await expect(window.answer).to_have_attribute("aria-busy", "true")
    await window.server.write(answer_id, "", seq=0)
    await window.server.write(answer_id, TALKS[:20], seq=1)
    await expect(window.text.locator("strong")).to_have_text("testi")
    await expect(window.answer.locator(".thinking")).to_be_hidden()
    suggestions = ["Who speaks about pytest?", "What is in Hall A?"]
    metadata = {"suggestions": [*suggestions, 7, "", "x" * 300]}
    await window.server.write(answer_id, TALKS, seq=2, status="completed", metadata=metadata)
    await expect(window.text.locator("li")).to_have_count(2)
    await expect(window.text.locator("code")).to_have_text("Hall A")
    link = window.text.get_by_role("link", name="programme")
    await expect(link).to_have_attribute("href", "https://ep.example/talks")
    await expect(link).to_have_attribute("target", "_blank")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(window.answer).to_have_attribute("aria-busy", "false")
    await expect(window.answer.locator(".chip")).to_have_text(suggestions)
    await window.answer.get_by_role("button", name="Who speaks about pytest?").click()
    await expect(window.questions).to_have_text(["Which talks are about testing?", "Who speaks about pytest?"])
    await window.server.question(2)
    assert [body["text"] for body in window.server.asked_with] == await window.questions.all_inner_texts()
    await expect(window.answers.first.locator(".chip")).to_have_count(0)


async def test_states_that_come_twice_late_and_out_of_order_never_take_back_what_is_shown(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    window.server.events = False
    await window.server.write(answer_id, "one two three", seq=3)
    row = dict(window.server.rows[answer_id])
    for seq, text in [(3, "one two three"), (2, "one two"), (3, "one two three"), (1, "one")]:
        await window.server.emit(row | {"seq": seq, "messageText": text})
    await expect(window.text).to_have_text("one two three")
    await window.server.emit(row | {"seq": 4, "messageText": "four", "status": "completed"})
    await window.is_idle()
    await window.server.emit(row | {"seq": 9, "messageText": "late"})
    await window.server.ping()
    await window.server.until(lambda: window.server.pongs == 1)
    await expect(window.text).to_have_text("four")


async def test_an_answer_that_was_written_before_the_page_could_subscribe_is_read(window: WindowPage) -> None:
    window.server.events = False
    window.server.answers_at_once = "Here already."
    await window.type("Quick?")
    await expect(window.text).to_have_text("Here already.", timeout=3000)
    await window.is_idle()


async def test_a_page_watches_one_row_only_while_it_is_being_written(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    (line,) = window.server.lines
    assert {sub["item"] for sub in line.subscriptions.values()} == {answer_id}
    assert {sub["event"] for sub in line.subscriptions.values()} == {"create", "update"}
    await window.server.write(answer_id, "Hi.", seq=1, status="completed")
    await window.server.until(lambda: len(window.server.unsubscribed) == 2)
    assert line.subscriptions == {}


async def test_a_stop_shows_at_once_and_nothing_later_revives_the_answer(window: WindowPage) -> None:
    answer_id = await window.ask("Tell me everything")
    await window.server.write(answer_id, "First of all", seq=1)
    await expect(window.text).to_have_text("First of all")
    await window.stop.click()
    await window.server.until(lambda: window.server.cancelled == [answer_id])
    await expect(window.answer.locator(".note")).to_have_text("Stopped")
    await window.is_idle()
    await window.server.write(answer_id, "First of all, there", seq=2)
    await window.server.write(answer_id, "First of all, there", seq=2, status="cancelled")
    await expect(window.text).to_have_text("First of all, there")
    await expect(window.answer.locator(".note")).to_have_text("Stopped")
    await expect(window.answer).to_have_attribute("aria-busy", "false")
    await expect(window.field).to_be_focused()


async def test_a_stop_that_comes_too_late_shows_the_whole_answer(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "Hel", seq=1)
    await expect(window.text).to_have_text("Hel")
    await window.server.until(lambda: window.server.reads > 0)
    window.server.events = False
    await window.server.write(answer_id, "Hello!", seq=2, status="completed")
    window.server.fail("cancel", 409)
    await window.stop.click()
    await expect(window.text).to_have_text("Hello!")
    await expect(window.answer.locator(".note")).to_be_hidden()
    await window.is_idle()


@pytest.mark.parametrize(
    ("status", "text", "note"),
    [
        ("failed", "Half an", "Something went wrong while this was being answered."),
        ("failed", "", "Sorry, this question could not be answered."),
        ("cancelled", "", "Stopped before anything was written."),
    ],
)
async def test_an_answer_that_ended_otherwise_says_so(window: WindowPage, status: str, text: str, note: str) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, text, seq=1, status=status)
    await expect(window.answer.locator(".note")).to_have_text(note)
    await expect(window.text).to_have_text(text)
    if status == "failed":
        await window.answer.get_by_role("button", name="Ask again").click()
        await window.server.question(2)
        assert [body["text"] for body in window.server.asked_with] == ["Hello?", "Hello?"]


async def test_a_reload_in_the_middle_goes_on_and_keeps_order_and_draft(window: WindowPage) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "The first.", seq=1, status="completed", metadata={"suggestions": ["More?"]})
    await window.is_idle()
    second = await window.ask("Second?")
    await window.server.write(second, "The sec", seq=1)
    await window.field.fill("half a thought")
    await window.page.reload()
    await window.ready()
    await expect(window.page.locator(".message")).to_have_text(
        ["First?", "The first.", "Second?", "The sec"], use_inner_text=True
    )
    await expect(window.field).to_have_value("half a thought")
    await window.server.until(lambda: window.server.is_watched(second))
    await window.server.write(second, "The second.", seq=2, status="completed")
    await expect(window.text).to_have_text("The second.")
    assert len(window.server.begun_with) == 1


async def test_a_reload_before_the_answer_has_a_row_waits_for_it(window: WindowPage) -> None:
    answer_id = await window.ask("Slow?")
    await window.page.reload()
    await window.ready()
    await expect(window.answer.locator(".thinking")).to_be_visible()
    await window.server.until(lambda: window.server.is_watched(answer_id))
    await window.server.write(answer_id, "Here.", seq=1, status="completed")
    await expect(window.text).to_have_text("Here.")


async def test_a_question_covered_by_a_later_answer_says_so(window: WindowPage) -> None:
    await window.page.clock.install()
    answer_id = await window.ask("And?")
    question = window.server.rows[window.server.asked[0]]
    assert answer_id_of(question["id"]) == answer_id
    question["status"] = "superseded"
    await window.page.clock.fast_forward(11_000)
    await expect(window.answer.locator(".note")).to_have_text("Answered together with the next question.")
    await window.is_idle()


async def test_a_new_chat_is_a_new_conversation_and_stops_what_was_being_written(window: WindowPage) -> None:
    answer_id = await window.ask("Old?")
    await window.page.get_by_role("button", name="New chat").click()
    await expect(window.page.locator(".message")).to_have_count(0)
    await expect(window.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await window.server.until(lambda: window.server.cancelled == [answer_id])
    await window.ask("New?")
    assert window.server.asked_with[0]["conversation_id"] != window.server.asked_with[1]["conversation_id"]


async def test_the_page_talks_about_the_conference_it_was_asked_for(window: WindowPage) -> None:
    await window.ask("Default?")
    other = "c0ffee00-0000-4000-8000-000000000002"
    await window.open(f"?conference={other}")
    await expect(window.questions).to_have_count(0)
    await window.ask("Other?")
    assert [body["conference_id"] for body in window.server.begun_with] == [CONFERENCE, other]
    assert {body["source"] for body in window.server.begun_with} == {"mini"}


async def test_an_example_is_asked_by_a_click_and_costs_nothing_before(window: WindowPage) -> None:
    assert window.server.begun_with == []
    await window.page.get_by_role("button", name="Which talks are about testing?").click()
    await window.server.question()
    assert window.server.asked_with[0]["text"] == "Which talks are about testing?"
