import { WORDS } from "../words.js";
import { AnswerView } from "./answer.js";
import { make } from "./elements.js";

/** How near its end the transcript counts as being at its end, in pixels: about two lines. */
const NEAR_END = 48;

/** All that has been said, following the newest words while the reader stays at the end. */
export class Transcript {
  #scroller;
  #list;
  #welcome;
  #toEnd;
  #status;
  #follows = true;
  #last = { scrollHeight: 0, scrollTop: 0, clientHeight: 0 };
  #newest = null;

  constructor({ scroller, list, welcome, toEnd, status }) {
    this.#scroller = scroller;
    this.#list = list;
    this.#welcome = welcome;
    this.#toEnd = toEnd;
    this.#status = status;
    scroller.addEventListener("scroll", () => this.#noteScroll(), { passive: true });
    toEnd.addEventListener("click", () => this.#goToEnd());
    // A growing composer or a keyboard on the screen takes room from below.
    new ResizeObserver(() => this.#follow()).observe(scroller);
  }

  /** A visitor's question, at the end. */
  addQuestion(text) {
    const question = make("article", "message question", text);
    question.dir = "auto";
    question.setAttribute("aria-label", WORDS.you);
    this.#add(question);
    this.#goToEnd();
    return question;
  }

  /** Room for an answer. */
  addAnswer() {
    const answer = new AnswerView(() => this.#follow());
    this.#add(answer.element);
    this.#follow();
    return answer;
  }

  /** From now on this answer is the newest: only it offers questions to go on with. */
  settleBefore(answer) {
    if (this.#newest !== answer) this.#newest?.settle();
    this.#newest = answer;
  }

  isNewest(answer) {
    return this.#newest === answer;
  }

  /** A line of words before a message. */
  addDivider(text, before) {
    before.before(make("p", "divider", text));
  }

  remove(...elements) {
    for (const element of elements) element.remove();
    this.#showWelcome();
  }

  /** Empty, with the welcome. */
  clear() {
    this.#list.replaceChildren();
    this.#newest = null;
    this.#showWelcome();
  }

  /** Tells a screen reader; the growing text itself would be read over and over. */
  announce(text) {
    this.#status.textContent = text;
  }

  /** Reads an answer that has ended. */
  announceEnd(answer, status) {
    this.announce(status === "completed" ? WORDS.answerReady(answer.plainText) : WORDS.answerEnded(answer.plainText));
  }

  #add(element) {
    this.#list.append(element);
    this.#showWelcome();
  }

  #showWelcome() {
    this.#welcome.hidden = this.#list.childElementCount > 0;
  }

  #noteScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    // The reader scrolled up, unless there is less to show or less room for it: then the browser did.
    const hasShrunk = scrollHeight < this.#last.scrollHeight || clientHeight !== this.#last.clientHeight;
    if (isAtEnd) this.#follows = true;
    else if (scrollTop < this.#last.scrollTop && !hasShrunk) this.#follows = false;
    this.#last = { scrollHeight, scrollTop, clientHeight };
    this.#toEnd.hidden = isAtEnd || this.#follows;
  }

  #follow() {
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#noteScroll();
  }

  #goToEnd() {
    this.#follows = true;
    this.#follow();
    this.#toEnd.hidden = true;
  }
}
