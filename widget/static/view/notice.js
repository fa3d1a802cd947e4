import { WORDS } from "../words.js";
import { make, makeButton } from "./elements.js";

/** One message above the composer, with something to do about it. */
export class Notice {
  #root;
  #timer = 0;

  constructor(root) {
    this.#root = root;
  }

  /** `onRetry` may be null; for `afterS` seconds its button counts down. */
  show(text, { onRetry = null, afterS = 0 } = {}) {
    this.clear();
    const row = make("div", "notice");
    const words = make("p", "", text);
    words.setAttribute("role", "alert"); // the words alone: a button that counts down would be read each second
    row.append(words);
    if (onRetry !== null) row.append(this.#retryButton(onRetry, afterS));
    const dismiss = makeButton("icon dismiss", "×", () => this.clear());
    dismiss.setAttribute("aria-label", WORDS.dismiss);
    row.append(dismiss);
    this.#root.replaceChildren(row);
  }

  clear() {
    clearInterval(this.#timer);
    this.#root.replaceChildren();
  }

  #retryButton(onRetry, afterS) {
    const button = makeButton("button", WORDS.tryAgain, () => {
      this.clear();
      onRetry();
    });
    const until = Date.now() + afterS * 1000;
    const count = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? WORDS.tryAgainIn(left) : WORDS.tryAgain;
      if (left <= 0) clearInterval(this.#timer);
    };
    count();
    if (afterS > 0) this.#timer = setInterval(count, 500);
    return button;
  }
}
