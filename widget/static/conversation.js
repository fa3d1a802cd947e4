import { AnswerWatch } from "./answer_watch.js";
import { pairsOf } from "./history.js";
import { Problem } from "./problem.js";
import { explain, WORDS } from "./words.js";

const MOST_SUGGESTIONS = 4;
const LONGEST_SUGGESTION = 200;

/** What the page does: asks, shows answers growing, stops them, comes back after a reload. */
export class Conversation {
  #outbox;
  #memory;
  #view;
  #sending = false;
  #current = null;
  #watches = new Set();

  /** `view` holds the transcript, the composer and the notice. */
  constructor({ outbox, memory, view }) {
    this.#outbox = outbox;
    this.#memory = memory;
    this.#view = view;
  }

  /** Shows what was said before the page was reloaded, and goes on with what was being answered. */
  async restore() {
    const { composer, notice } = this.#view;
    const { sending, draft } = this.#memory;
    composer.text = draft.startsWith(sending) ? draft : joined(sending, draft);
    if (this.#memory.session === null) return;
    this.#sending = true;
    composer.state = "sending";
    try {
      const session = await this.#outbox.open();
      this.#showHistory(await pairsOf(await session.rows.history(session.conversationId), this.#memory.asked));
    } catch (error) {
      const problem = Problem.of(error);
      if (problem.kind === "gone") this.#forget();
      else notice.show(WORDS.notRestored, { onRetry: () => this.restore(), afterS: problem.retryAfterS });
    } finally {
      this.#sending = false;
      composer.state = this.#current === null ? "idle" : "answering";
    }
  }

  /** A question is being typed. */
  typed(text) {
    this.#memory.draft = text;
    if (!this.#sending) this.#memory.sending = ""; // these are other words now
    if (text.trim() !== "") this.#outbox.warm();
  }

  /** Asks. A text that could not be sent goes back into the composer. */
  async ask(text) {
    if (this.#sending || this.#current !== null) return;
    const { transcript, composer, notice } = this.#view;
    this.#sending = true;
    notice.clear();
    composer.state = "sending";
    this.#memory.sending = text;
    this.#memory.draft = composer.text;
    const question = transcript.addQuestion(text);
    const answer = transcript.addAnswer();
    answer.show({ text: "", status: "waiting" });
    try {
      const asked = await this.#send(text, () => transcript.addDivider(WORDS.expired, question));
      this.#memory.sending = "";
      this.#memory.asked = asked;
      this.#follow(asked, answer, text);
      transcript.announce(WORDS.answering);
    } catch (error) {
      transcript.remove(question, answer.element);
      this.#giveBack(text, Problem.of(error));
    } finally {
      this.#sending = false;
      composer.state = this.#current === null ? "idle" : "answering";
    }
  }

  /** Stops the answer that is being written. */
  async stop() {
    const current = this.#current;
    if (current === null) return;
    const { composer, notice } = this.#view;
    composer.stopping();
    try {
      await this.#outbox.cancel(current.answerId);
    } catch (error) {
      const problem = Problem.of(error);
      if (this.#current !== current) return;
      composer.state = "answering";
      // It has ended meanwhile, or there is nothing to stop: its row tells.
      if (["ended", "missing"].includes(problem.kind)) current.watch.read();
      else notice.show(WORDS.notStopped, { onRetry: () => this.stop(), afterS: problem.retryAfterS });
      return;
    }
    // The row says so within a second; the visitor need not wait for it.
    current.stopped = true;
    current.show(current.state);
    this.#release(current);
  }

  /** A new conversation; the old one is left where it is. */
  restart() {
    if (this.#sending) return;
    const { transcript, composer, notice } = this.#view;
    if (this.#current !== null) this.#outbox.cancel(this.#current.answerId).catch(() => {}); // nobody is going to read it
    this.#forget();
    transcript.clear();
    notice.clear();
    composer.state = "idle";
    composer.focus();
  }

  /** The network is back, or the page is looked at again: what was missed is read now. */
  wake() {
    this.#outbox.session?.live.wake();
    for (const watch of this.#watches) watch.read();
  }

  #forget() {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#current = null;
    this.#outbox.forget();
  }

  /** Sends; in a new conversation if the old one has expired. */
  async #send(text, onExpired) {
    try {
      return await this.#outbox.send(text);
    } catch (error) {
      if (Problem.of(error).kind !== "gone") throw error;
    }
    this.#forget();
    const asked = await this.#outbox.send(text);
    onExpired();
    return asked;
  }

  #giveBack(text, problem) {
    const { composer, notice } = this.#view;
    composer.text = joined(text, composer.text);
    // A reload breaks off what is on its way, so this may be one: it finds out whether the text arrived.
    this.#memory.sending = problem.isUncertain ? text : "";
    this.#memory.draft = composer.text;
    const canRetry = !["wrong", "missing"].includes(problem.kind);
    notice.show(explain(problem), { onRetry: canRetry ? () => composer.submit() : null, afterS: problem.retryAfterS });
    composer.focus();
  }

  #follow(asked, answer, text, row = null) {
    const { transcript } = this.#view;
    const current = { ...asked, answer, text, stopped: false, state: { text: "", status: "waiting" }, late: false, trouble: null };
    current.show = (state) => {
      current.state = state;
      const isStopped = current.stopped && ["waiting", "streaming", "lost"].includes(state.status);
      answer.show(isStopped ? { ...state, status: "cancelled" } : state);
    };
    const remark = () => {
      if (!current.stopped) answer.remark(troubleWords(current.trouble) ?? (current.late ? WORDS.late : null));
    };
    const tell = {
      onChange: current.show,
      onLate: (late) => {
        current.late = late;
        remark();
      },
      onTrouble: (trouble) => {
        current.trouble = trouble;
        remark();
      },
      onEnd: (state) => this.#end(current, state),
    };
    const { rows, live } = this.#outbox.session;
    current.watch = new AnswerWatch(asked, { rows, live, tell });
    transcript.settleBefore(answer);
    this.#current = current;
    this.#watches.add(current.watch);
    if (row !== null) current.watch.take(row);
    current.watch.start();
  }

  #end(current, state) {
    this.#watches.delete(current.watch);
    current.show(state);
    this.#view.transcript.announceEnd(current.answer, state.status);
    this.#release(current);
    this.#offerMore(current.answer, state, current.text);
  }

  #release(current) {
    if (this.#current !== current) return;
    this.#current = null;
    if (!this.#sending) this.#view.composer.state = "idle";
  }

  #offerMore(answer, { status, metadata }, text) {
    if (!this.#view.transcript.isNewest(answer)) return;
    if (status === "completed") {
      const questions = suggestionsOf(metadata);
      if (questions.length > 0) answer.suggest(questions, (question) => this.ask(question));
    } else if (["failed", "lost"].includes(status) && text !== "") {
      answer.offerAgain(() => this.ask(text));
    }
  }

  #showHistory(pairs) {
    const { transcript, composer } = this.#view;
    transcript.clear();
    for (const { question, answer: row, awaited } of pairs) {
      const text = question?.messageText ?? "";
      if (question !== null) {
        transcript.addQuestion(text);
        this.#outbox.noteSent(question.id);
      }
      if (awaited !== null) this.#follow(awaited, transcript.addAnswer(), text, row);
      else if (row !== null) this.#showEnded(row, text);
    }
    const last = pairs.findLast(({ question }) => question !== null);
    const { sending } = this.#memory;
    const hasArrived = sending !== "" && last?.question.messageText === sending;
    if (hasArrived && composer.text.startsWith(sending)) composer.text = composer.text.slice(sending.length).trimStart();
    this.#memory.sending = "";
    this.#memory.draft = composer.text;
  }

  #showEnded(row, text) {
    const { transcript } = this.#view;
    const answer = transcript.addAnswer();
    transcript.settleBefore(answer);
    answer.show({ text: row.messageText ?? "", status: row.status });
    this.#offerMore(answer, row, text);
  }
}

function joined(...texts) {
  return texts.map((text) => text.trim()).filter(Boolean).join("\n\n");
}

function troubleWords(trouble) {
  if (trouble === null) return null;
  return trouble.kind === "offline" ? WORDS.offline : WORDS.reconnecting;
}

function suggestionsOf(metadata) {
  const suggestions = Array.isArray(metadata?.suggestions) ? metadata.suggestions : [];
  return suggestions
    .filter((text) => typeof text === "string" && text.trim() !== "" && text.length <= LONGEST_SUGGESTION)
    .slice(0, MOST_SUGGESTIONS);
}
