"""The window in a real Chromium: keyboard, screen reader, small screens, long texts, and how often it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from services.answer_ids import answer_id_of
from tests.e2e.browser import open_page
from tests.e2e.window_page import WindowPage

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.e2e.window_stand_in import WindowStandIn

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DRAWINGS_PER_FRAME = """() => {
  let frame = 0;
  let inFrame = 0;
  window.drawn = { most: 0, all: 0 };
  const next = () => { frame += 1; inFrame = 0; requestAnimationFrame(next); };
  requestAnimationFrame(next);
  new MutationObserver((changes) => {
    if (!changes.some(({ target }) => target.closest?.(".markdown"))) return;
    inFrame += 1;
    window.drawn.all += 1;
    window.drawn.most = Math.max(window.drawn.most, inFrame);
  }).observe(document.querySelector("#transcript"), { childList: true, subtree: true });
}"""


async def test_a_flood_of_events_is_drawn_at_most_once_a_frame(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    await window.page.evaluate(DRAWINGS_PER_FRAME)
    for seq in range(1, 300):
        await window.server.write(answer_id, f"Number {seq}", seq=seq)
    await expect(window.text).to_have_text("Number 299")
    drawn = await window.page.evaluate("window.drawn")
    assert drawn["most"] == 1
    assert drawn["all"] < 299


async def test_blocks_that_stay_the_same_stay_in_the_page_while_the_answer_grows(window: WindowPage) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "First.\n\nSec", seq=1)
    await expect(window.text.locator("p")).to_have_count(2)
    await window.text.locator("p").first.evaluate(
        "(p) => { p.dataset.marked = 'yes'; getSelection().selectAllChildren(p); }"
    )
    await window.server.write(answer_id, "First.\n\nSecond.\n\n- third", seq=2)
    await expect(window.text.locator("li")).to_have_text("third")
    await expect(window.text.locator("p").first).to_have_attribute("data-marked", "yes")
    assert await window.page.evaluate("getSelection().toString()") == "First."


GROWING = [  # a growing text, and what of it is shown
    ("see **Testing LLM appl", "see **Testing LLM appl**"),
    ("see **Testing*", "see **Testing**"),
    ("see **", "see"),
    ("- **", "- "),
    ("see *", "see"),
    ("at [the pro", "at the pro"),
    ("at [the programme](https://ep.exa", "at the programme"),
    ("at [the programme](https://ep.example)", "at [the programme](https://ep.example)"),
    ("run `pyt", "run `pyt`"),
    ("run `", "run"),
    ("run `a` **", "run `a`"),
    ("```\ncode **", "```\ncode **"),
    ("```\ncode\n```\n**bold", "```\ncode\n```\n**bold**"),
    ("2 * 3 ** 4 **", "2 * 3 ** 4"),
    (r"an \[escaped", r"an \[escaped"),
    ("**done** and plain", "**done** and plain"),
    ("line one **a**\nline two", "line one **a**\nline two"),
    ("", ""),
]


async def test_what_is_open_at_the_end_of_a_growing_text_is_closed(window: WindowPage) -> None:
    close = "async (texts) => { const { closed } = await import('/widget/unfinished.js'); return texts.map(closed); }"
    shown = await window.page.evaluate(close, [growing for growing, _ in GROWING])
    assert [text.rstrip() for text in shown] == [text.rstrip() for _, text in GROWING]


async def test_the_page_knows_an_answers_id_as_the_contract_says(window: WindowPage) -> None:
    message_id = "0F0E0D0C-0B0A-4908-8706-050403020100"
    found = await window.page.evaluate(
        "async (id) => (await import('/widget/answer_id.js')).answerIdOf(id)", message_id
    )
    assert found == answer_id_of(message_id)


async def test_a_screen_reader_hears_that_an_answer_is_coming_and_then_the_whole_of_it_once(window: WindowPage) -> None:
    status = window.page.get_by_role("status")
    answer_id = await window.ask("Hello?")
    await expect(status).to_have_text("Answering…")
    await window.server.write(answer_id, "Good", seq=1)
    await expect(window.text).to_have_text("Good")
    await expect(status).to_have_text("Answering…")
    await window.server.write(answer_id, "Good *morning*.", seq=2, status="completed")
    await expect(status).to_have_text("Answer: Good morning.")
    await expect(window.page.get_by_role("log", name="Conversation")).to_have_attribute("aria-live", "off")


async def test_everything_can_be_done_from_the_keyboard(window: WindowPage) -> None:
    keyboard = window.page.keyboard
    await expect(window.field).to_be_focused()
    await keyboard.type("Two")
    await keyboard.press("Shift+Enter")
    await keyboard.type("lines?")
    assert window.server.asked == []
    await keyboard.press("Enter")
    answer_id = await window.server.question()
    assert window.server.asked_with[0]["text"] == "Two\nlines?"
    await expect(window.field).to_be_focused()
    await keyboard.press("Tab")
    await expect(window.stop).to_be_focused()
    await keyboard.press("Enter")
    await window.server.until(lambda: window.server.cancelled == [answer_id])
    await expect(window.field).to_be_focused()
    second = await window.ask("More?")
    await window.server.write(second, "Yes.", seq=1, status="completed", metadata={"suggestions": ["Which?"]})
    await expect(window.answer.locator(".chip")).to_be_visible()
    await keyboard.press("Shift+Tab")
    await expect(window.answer.locator(".chip")).to_be_focused()
    await keyboard.press("Enter")
    await window.server.question(3)
    assert window.server.asked_with[2]["text"] == "Which?"


async def test_enter_while_an_input_method_composes_sends_nothing(window: WindowPage) -> None:
    await window.field.fill("にほん")
    await window.field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "keyCode": 229})
    assert window.server.asked == []
    await expect(window.field).to_have_value("にほん")


async def test_a_text_that_is_too_long_is_said_to_be_and_not_cut_off(window: WindowPage) -> None:
    await window.field.fill("é" * 8003)
    await expect(window.page.locator("#counter")).to_have_text("3 characters too long")
    await expect(window.page.get_by_role("button", name="Send")).to_be_disabled()
    await window.field.press("Enter")
    await expect(window.field).to_have_value("é" * 8003)
    # An emoji is one character to the receiver, and two to the browser.
    await window.field.fill("🤖" * 8000)
    await expect(window.page.locator("#counter")).to_have_text("0 characters left")
    await expect(window.page.get_by_role("button", name="Send")).to_be_enabled()
    assert window.server.asked == []


async def test_what_is_typed_while_an_answer_grows_is_kept_and_not_sent(window: WindowPage) -> None:
    answer_id = await window.ask("First?")
    await window.type("Second?")
    await window.server.write(answer_id, "One.", seq=1, status="completed")
    await window.is_idle()
    await expect(window.field).to_have_value("Second?")
    assert len(window.server.asked) == 1
    await window.field.press("Enter")
    await window.server.question(2)


async def test_the_newest_words_are_followed_unless_the_reader_scrolls_up(window: WindowPage) -> None:
    scroller = window.page.locator("#scroller")
    left = "(s) => s.scrollHeight - s.scrollTop - s.clientHeight"
    lines = [f"- line {number}" for number in range(120)]
    answer_id = await window.ask("Everything?")
    await window.server.write(answer_id, "\n".join(lines[:60]), seq=1)
    await expect(window.text.locator("li")).to_have_count(60)
    assert await scroller.evaluate(left) < 2
    await scroller.hover()
    await window.page.mouse.wheel(0, -600)
    to_end = window.page.get_by_role("button", name="Go to the newest message")
    await expect(to_end).to_be_visible()
    before = await scroller.evaluate("(s) => s.scrollTop")
    await window.server.write(answer_id, "\n".join(lines[:90]), seq=2)
    await expect(window.text.locator("li")).to_have_count(90)
    assert await scroller.evaluate("(s) => s.scrollTop") == before
    await to_end.click()
    await expect(to_end).to_be_hidden()
    await window.server.write(answer_id, "\n".join(lines), seq=3, status="completed")
    await expect(window.text.locator("li")).to_have_count(120)
    assert await scroller.evaluate(left) < 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_small_screen_has_no_sideways_scroll_and_no_motion_where_none_is_wanted(
    chromium_browser: Browser, window_server: WindowStandIn, scheme: str
) -> None:
    wide = (
        "word " * 30
        + "| a | b | c | d | e | f | g | h |\n\n|"
        + " column name |" * 9
        + "\n|"
        + "---|" * 9
        + "\n|"
        + " cell |" * 9
    )
    async with open_page(
        chromium_browser,
        viewport={"width": 320, "height": 640},
        reduced_motion="reduce",
        color_scheme=scheme,
        has_touch=True,
        is_mobile=True,
    ) as (page, watch):
        window = WindowPage(page, watch, window_server)
        await window.open()
        await window.field.fill("x" * 200)
        await page.get_by_role("button", name="Send").tap()
        answer_id = await window_server.question()
        dots = page.locator(".dots i").first
        assert await dots.evaluate("(dot) => getComputedStyle(dot).animationName") == "none"
        text = f"{wide}\n\n```\n{'x' * 300}\n```\n\n{'y' * 300}"
        await window_server.write(answer_id, text, seq=1, status="completed", metadata={"suggestions": ["z" * 150]})
        await window.is_idle()
        await expect(window.text.locator("table")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        assert await page.locator("#scroller").evaluate("(s) => s.scrollWidth - s.clientWidth") == 0
        for button in await page.locator("button:visible").all():
            box = await button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 32
        assert watch.errors == []


CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("h1, h2, p, button, a, code, li, .question, textarea")) {
    if (!element.checkVisibility() || element.disabled || !element.textContent.trim()) continue;
    const [a, b] = [luminance(parts(getComputedStyle(element).color)), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_words_stand_out_from_their_ground(
    chromium_browser: Browser, window_server: WindowStandIn, scheme: str
) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    async with open_page(chromium_browser, color_scheme=scheme) as (page, watch):
        window = WindowPage(page, watch, window_server)
        await window.open()
        assert await page.evaluate(CONTRAST) == []
        answer_id = await window.ask("Hello?")
        text = "Some `code`, a [link](https://ep.example).\n\n> quoted\n\n- item"
        await window_server.write(answer_id, text, seq=1, status="completed", metadata={"suggestions": ["More?"]})
        await window.is_idle()
        window_server.fail("ask", 503)
        await window.type("Again?")
        await expect(window.notice).to_be_visible()
        assert await page.evaluate(CONTRAST) == []
