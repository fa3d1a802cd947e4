import { WORDS } from "../words.js";

/** What the receiver takes, in Unicode characters; more is not cut off but said. */
export const LONGEST_QUESTION = 8000;
const TELL_FROM = 7000;
const TALLEST_PX = 200;

/** The field a question is typed into, with its one button: send, or stop while an answer grows. */
export class Composer {
  #form;
  #field;
  #send;
  #stop;
  #counter;
  #busy = false;
  #onSend;

  constructor({ form, field, send, stop, counter }, { onSend, onStop, onTyped }) {
    this.#form = form;
    this.#field = field;
    this.#send = send;
    this.#stop = stop;
    this.#counter = counter;
    this.#onSend = onSend;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    field.addEventListener("keydown", (event) => this.#noteKey(event));
    field.addEventListener("input", () => {
      this.#fit();
      onTyped(field.value);
    });
    stop.addEventListener("click", () => {
      this.focus();
      onStop();
    });
    this.#fit();
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#fit();
  }

  /** "idle": can send; "sending": not yet; "answering": can stop. Typing is always possible. */
  set state(state) {
    this.#busy = state !== "idle";
    const hadFocus = [this.#send, this.#stop].includes(document.activeElement);
    this.#send.hidden = state === "answering";
    this.#stop.hidden = state !== "answering";
    this.#stop.disabled = false;
    this.#form.dataset.state = state;
    this.#fit();
    if (hadFocus) this.focus(); // the button that had it may be gone
  }

  /** The stop is on its way. */
  stopping() {
    this.#stop.disabled = true;
  }

  /** On a touch screen this would open the keyboard over the answer. */
  focus() {
    if (!matchMedia("(pointer: coarse)").matches) this.#field.focus({ preventScroll: true });
  }

  /** Sends what is typed, if it can be sent. */
  submit() {
    const text = this.#field.value.trim();
    if (this.#busy || text === "" || this.#over > 0) return;
    this.#onSend(text);
  }

  #noteKey(event) {
    // While an input method composes, Enter chooses a word (229: what Safari says of it).
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    this.submit();
  }

  get #over() {
    return [...this.#field.value.trim()].length - LONGEST_QUESTION;
  }

  #fit() {
    const style = this.#field.style;
    style.height = "auto";
    style.height = `${Math.min(this.#field.scrollHeight, TALLEST_PX)}px`;
    const over = this.#over;
    this.#counter.hidden = over < TELL_FROM - LONGEST_QUESTION;
    this.#counter.textContent = over > 0 ? WORDS.tooLong(over) : WORDS.left(-over);
    this.#counter.classList.toggle("over", over > 0);
    this.#field.setAttribute("aria-invalid", String(over > 0));
    this.#send.disabled = this.#busy || over > 0 || this.#field.value.trim() === "";
  }
}
