"""The window in a real Chromium: lost events, broken lines, refusals, old tokens. No text is lost and nothing hangs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Route

    from tests.e2e.window_page import WindowPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_an_answer_whose_events_are_lost_is_read_after_ten_seconds_of_silence(window: WindowPage) -> None:
    await window.page.clock.install()
    async with window.page.expect_response("**/items/messages?**"):
        answer_id = await window.ask("Hello?")
    await asyncio.sleep(0.3)  # the page has taken it in, and its silence begins
    window.server.events = False
    await window.server.write(answer_id, "Nobody told you.", seq=4, status="completed")
    await window.page.clock.fast_forward(9_000)
    await expect(window.answer).to_have_attribute("aria-busy", "true")
    await window.page.clock.fast_forward(1_500)
    await expect(window.text).to_have_text("Nobody told you.")
    await window.is_idle()


async def test_an_answer_grows_where_no_websocket_gets_through(window: WindowPage) -> None:
    window.server.takes_lines = False
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "By reading", seq=1)
    # The tries to connect, which take longer and longer, don't put the reading off.
    await expect(window.text).to_have_text("By reading", timeout=4_000)
    await window.server.write(answer_id, "By reading alone.", seq=2, status="completed")
    await expect(window.text).to_have_text("By reading alone.")
    await window.is_idle()


async def test_a_broken_line_comes_back_and_what_was_missed_is_read(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "Before,", seq=1)
    await expect(window.text).to_have_text("Before,")
    await window.server.drop_lines()
    await window.server.write(answer_id, "Before, meanwhile,", seq=2)
    await window.server.until(lambda: window.server.is_watched(answer_id))
    await expect(window.text).to_have_text("Before, meanwhile,", timeout=1_500)
    await window.server.write(answer_id, "Before, meanwhile, after.", seq=3, status="completed")
    await expect(window.text).to_have_text("Before, meanwhile, after.")


async def test_pings_are_answered(window: WindowPage) -> None:
    await window.ask("Hello?")
    await window.server.ping()
    await window.server.ping()
    await window.server.until(lambda: window.server.pongs == 2)


async def test_over_the_limit_the_text_stays_and_is_sent_after_the_wait(window: WindowPage) -> None:
    await window.page.clock.install()
    window.server.fail("ask", 429, retry_after=7)
    await window.type("One too many?")
    await expect(window.notice).to_contain_text("a lot of questions in a short time")
    await expect(window.notice.get_by_role("button", name="Try again in 7 s")).to_be_disabled()
    await expect(window.field).to_have_value("One too many?")
    await expect(window.page.locator(".message")).to_have_count(0)
    await window.page.clock.fast_forward(7_500)
    await window.retry.click()
    await expect(window.questions).to_have_text("One too many?")
    await expect(window.field).to_have_value("")
    await expect(window.notice).to_have_count(0)
    await window.server.question()


@pytest.mark.parametrize(
    ("call", "status", "says"),
    [
        ("ask", 503, "briefly unavailable"),
        ("ask", 500, "wrong on our side"),
        ("begin", 503, "briefly unavailable"),
        ("begin", 429, "a lot of questions"),
        ("share", 503, "briefly unavailable"),
        ("begin", 404, "points to a conference that is not here"),
        ("begin", 422, "could not be taken"),
    ],
)
async def test_a_question_that_could_not_be_sent_is_still_there(
    window: WindowPage, call: str, status: int, says: str
) -> None:
    # Some of these calls are made while the question is still being typed, and for the WebSocket.
    window.server.fail(call, status, times=20)
    await window.type("Precious words?")
    await expect(window.notice).to_contain_text(says)
    await expect(window.field).to_have_value("Precious words?")
    await expect(window.page.locator(".message")).to_have_count(0)
    await window.is_idle()
    window.server.heal()
    if status not in {404, 422}:
        await window.retry.click()
        await expect(window.questions).to_have_text("Precious words?")
        await window.server.question()


async def test_what_was_not_sent_survives_a_reload(window: WindowPage) -> None:
    window.server.fail("ask", 503)
    await window.type("Precious words?")
    await expect(window.notice).to_be_visible()
    await window.page.reload()
    await window.ready()
    await expect(window.field).to_have_value("Precious words?")


@pytest.mark.parametrize("arrived", ["arrived", ""])
async def test_a_reload_while_a_question_is_on_its_way_neither_loses_nor_doubles_it(
    window: WindowPage, arrived: str
) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "1", seq=1, status="completed")
    await window.is_idle()
    go_on = asyncio.Event()

    async def hold(route: Route) -> None:
        if arrived:
            await route.fetch()
        await go_on.wait()

    await window.page.route("**/api/messages", hold)
    await window.type("On its way?")
    await expect(window.questions).to_have_count(2)
    await window.field.fill("next thought")
    if arrived:
        await window.server.until(lambda: len(window.server.asked) == 2)
    await window.page.reload()
    await window.ready()
    go_on.set()
    await expect(window.questions).to_have_count(2 if arrived else 1)
    await expect(window.field).to_have_value("next thought" if arrived else "On its way?\n\nnext thought")


@pytest.mark.parametrize("status", [500, 503])
async def test_a_question_whose_reply_was_lost_is_not_asked_twice(window: WindowPage, status: int) -> None:
    window.server.fail("ask", status, late=True)
    await window.type("Once only?")
    await window.retry.click()
    answer_id = await window.server.question()
    await window.server.write(answer_id, "Once.", seq=1, status="completed")
    await expect(window.text).to_have_text("Once.")
    assert len(window.server.asked) == 1
    # The same words again, later and meant, are a new question.
    await window.ask("Once only?")
    assert len(window.server.asked) == 2


async def test_the_same_words_as_before_are_asked_again_though_their_first_try_failed(window: WindowPage) -> None:
    first = await window.ask("And now?")
    await window.server.write(first, "Noon.", seq=1, status="completed")
    await window.is_idle()
    window.server.fail("ask", 503)
    await window.type("And now?")
    await window.retry.click()
    second = await window.server.question(2)
    await window.server.write(second, "Evening.", seq=1, status="completed")
    await expect(window.text).to_have_text("Evening.")


async def test_offline_the_text_stays_and_back_online_it_goes_out(window: WindowPage) -> None:
    await window.page.context.set_offline(offline=True)
    await window.type("Anyone?")
    await expect(window.notice).to_contain_text("offline")
    await expect(window.field).to_have_value("Anyone?")
    await window.page.context.set_offline(offline=False)
    await window.retry.click()
    await expect(window.questions).to_have_text("Anyone?")
    await window.server.question()


async def test_a_network_lost_in_mid_answer_is_said_and_made_good(window: WindowPage) -> None:
    await window.page.clock.install()
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "Half", seq=1)
    await expect(window.text).to_have_text("Half")
    await window.page.route("**/directus/items/**", lambda route: route.abort())
    window.server.takes_lines = False
    await window.server.drop_lines()
    for _ in range(3):
        await window.page.clock.fast_forward(8_000)
        await asyncio.sleep(0.3)
    await expect(window.answer.locator(".note")).to_have_text("Connection lost. Reconnecting…")
    await expect(window.text).to_have_text("Half")
    await window.server.write(answer_id, "Half and half.", seq=2, status="completed")
    await window.page.unroute("**/directus/items/**")
    await window.page.clock.fast_forward(11_000)
    await expect(window.text).to_have_text("Half and half.")
    await expect(window.answer.locator(".note")).to_be_hidden()


async def test_a_token_is_changed_before_it_is_too_old(window: WindowPage) -> None:
    window.server.expires_ms = 2_000
    answer_id = await window.ask("Hello?")
    await window.server.until(lambda: window.server.refreshes >= 2)
    await window.server.until(lambda: window.server.reauthentications >= 2)
    assert window.server.trades == 1
    await window.server.write(answer_id, "Still here.", seq=1, status="completed")
    await expect(window.text).to_have_text("Still here.")


async def test_a_line_whose_token_has_expired_is_opened_again_with_a_new_one(window: WindowPage) -> None:
    async with window.page.expect_response("**/items/messages?**"):
        answer_id = await window.ask("Hello?")
    window.server.events = False
    await window.server.write(answer_id, "Unseen.", seq=1)
    window.server.events = True
    await window.server.expire_lines()
    await window.server.until(lambda: window.server.reauthentications == 1)
    await expect(window.text).to_have_text("Unseen.")
    await window.server.write(answer_id, "Seen.", seq=2, status="completed")
    await expect(window.text).to_have_text("Seen.")


async def test_a_token_refused_by_rest_is_changed_and_the_question_sent(window: WindowPage) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "1", seq=1, status="completed")
    await window.is_idle()
    window.server.expire_tokens()
    await window.ask("Second?")
    await expect(window.notice).to_have_count(0)
    assert (window.server.refreshes, window.server.trades) == (1, 1)


async def test_a_refresh_token_that_is_used_up_costs_nothing_but_a_new_trade(window: WindowPage) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "1", seq=1, status="completed")
    await window.is_idle()
    window.server.expire_tokens()
    window.server.fail("refresh", 401)
    await window.ask("Second?")
    assert window.server.trades == 2


async def test_an_expired_conversation_gives_way_to_a_new_one_and_says_so(window: WindowPage) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "1", seq=1, status="completed")
    await window.is_idle()
    window.server.forget_shares()
    await window.ask("Second?")
    await expect(window.page.locator(".divider")).to_have_text(
        "The earlier conversation has expired. From here on it is a new one."
    )
    assert len(window.server.begun_with) == 2
    assert await window.page.locator("#transcript > *").all_inner_texts() != []
    await window.server.drop_lines()
    window.server.forget_shares()
    await window.page.reload()
    await window.ready()
    await expect(window.page.locator(".message")).to_have_count(0)
    await expect(window.notice).to_have_count(0)


async def test_history_that_cant_be_read_now_can_be_read_later(window: WindowPage) -> None:
    first = await window.ask("First?")
    await window.server.write(first, "1", seq=1, status="completed")
    await window.is_idle()
    window.server.fail("share", 503)
    await window.page.reload()
    await expect(window.notice).to_contain_text("earlier messages can't be loaded")
    await window.retry.click()
    await expect(window.questions).to_have_text("First?")
    await expect(window.text).to_have_text("1")


async def test_a_stop_that_did_not_get_through_is_said_and_can_be_repeated(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    window.server.fail("cancel", 503)
    await window.stop.click()
    await expect(window.notice).to_contain_text("could not be stopped")
    await window.retry.click()
    await window.server.until(lambda: window.server.cancelled == [answer_id])
    await window.is_idle()


async def test_an_answer_that_never_comes_is_late_then_given_up_and_can_be_asked_again(window: WindowPage) -> None:
    await window.page.clock.install()
    await window.ask("Anybody?")
    await window.server.until(lambda: window.server.reads == 1)
    for _ in range(4):
        await window.page.clock.fast_forward(10_500)
        await asyncio.sleep(0.3)
    await expect(window.answer.locator(".note")).to_contain_text("longer than usual")
    await window.page.clock.fast_forward(300_000)
    await expect(window.answer.locator(".note")).to_have_text("No answer has come. You can ask again.")
    await window.is_idle()
    await window.answer.get_by_role("button", name="Ask again").click()
    await window.server.question(2)


async def test_a_page_that_can_t_read_its_settings_says_so(window: WindowPage) -> None:
    await window.page.route("**/widget/config.json", lambda route: route.fulfill(status=503))
    await window.page.reload()
    await expect(window.notice).to_contain_text("can't be started at the moment")
    await window.page.unroute("**/widget/config.json")
    await window.retry.click()
    await window.ready()
