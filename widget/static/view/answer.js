import { MarkdownView } from "../markdown.js";
import { closed } from "../unfinished.js";
import { WORDS } from "../words.js";
import { make, makeButton } from "./elements.js";

/** One answer in the transcript: thinking, growing, ended. Draws at most once a frame. */
export class AnswerView {
  element = make("article", "message answer");
  #thinking = make("p", "thinking");
  #body = make("div", "markdown");
  #note = make("p", "note");
  #more = make("div", "more");
  #markdown = new MarkdownView(this.#body);
  #state = { text: "", status: "waiting" };
  #frame = 0;
  #onDrawn;

  /** `onDrawn` is called after each drawing, for the transcript to follow. */
  constructor(onDrawn) {
    this.#onDrawn = onDrawn;
    this.#thinking.append(make("span", "dots"), make("span", "", WORDS.thinking));
    this.#thinking.firstChild.append(make("i"), make("i"), make("i"));
    this.element.setAttribute("aria-busy", "true");
    this.element.setAttribute("aria-label", WORDS.assistant);
    this.#note.hidden = true;
    this.#body.dir = "auto";
    this.element.append(this.#thinking, this.#body, this.#note, this.#more);
  }

  /** Shows a state: `text`, and `status` as the row has it, or waiting, superseded, lost. */
  show({ text, status }) {
    this.#state = { text, status };
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** A word below the text on how it is going; null takes it away. */
  remark(text) {
    if ((text ?? "") === this.#note.textContent) return;
    this.#note.hidden = text === null;
    this.#note.textContent = text ?? "";
    this.#onDrawn();
  }

  /** Questions to go on with; `onChoose(text)` when one is taken. */
  suggest(questions, onChoose) {
    const list = make("ul", "suggestions");
    list.setAttribute("aria-label", WORDS.suggestions);
    for (const question of questions) {
      const item = make("li");
      item.append(makeButton("chip", question, () => onChoose(question)));
      list.append(item);
    }
    this.#more.replaceChildren(list);
    this.#onDrawn();
  }

  /** A button to ask the same again. */
  offerAgain(onAgain) {
    this.#more.replaceChildren(makeButton("button", WORDS.askAgain, onAgain));
    this.#onDrawn();
  }

  /** Takes suggestions and buttons away: the conversation has gone on. */
  settle() {
    this.#more.replaceChildren();
  }

  /** What a screen reader is told at the end. */
  get plainText() {
    this.#draw();
    return this.#body.textContent.replace(/\s+/g, " ").trim();
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { text, status } = this.#state;
    const isLive = ["waiting", "streaming"].includes(status);
    this.#thinking.hidden = !isLive || text !== "";
    this.element.classList.toggle("growing", isLive && text !== "");
    this.element.setAttribute("aria-busy", String(isLive));
    // A reference at the end of a text changes links before it, so the last drawing is from the start.
    this.#markdown.show(isLive ? closed(text) : text, { anew: !isLive });
    if (!isLive) this.remark(noteOf(status, text));
    this.#onDrawn();
  }
}

function noteOf(status, text) {
  switch (status) {
    case "cancelled":
      return text === "" ? WORDS.stoppedEmpty : WORDS.stopped;
    case "failed":
      return text === "" ? WORDS.failedEmpty : WORDS.failed;
    case "superseded":
      return WORDS.superseded;
    case "lost":
      return WORDS.lost;
    default:
      return null;
  }
}
