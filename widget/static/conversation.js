import { AnswerWatch } from "./answer_watch.js";
import { answerIdOf } from "./answer_id.js";
import { pairsOf } from "./history.js";
import { Problem } from "./problem.js";
import { Session } from "./session.js";
import { explain, WORDS } from "./words.js";

const MOST_SUGGESTIONS = 4;
const LONGEST_SUGGESTION = 200;

/** What the page does: asks, shows answers growing, stops them, comes back after a reload. */
export class Conversation {
  #settings;
  #receiver;
  #memory;
  #view;
  #session = null;
  #opening = null;
  #sending = false;
  #current = null;
  #watches = new Set();
  #shown = new Set();
  #mayHaveArrived = false;

  /** `view` holds the transcript, the composer and the notice. */
  constructor({ settings, receiver, memory, view }) {
    this.#settings = settings;
    this.#receiver = receiver;
    this.#memory = memory;
    this.#view = view;
  }

  /** Shows what was said before the page was reloaded, and goes on with what was being answered. */
  async restore() {
    const { composer, notice } = this.#view;
    composer.text = this.#memory.draft;
    if (this.#memory.session === null) return;
    this.#sending = true;
    composer.state = "sending";
    try {
      const session = await this.#open();
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

  /** Begins the conversation while its first question is being typed; a failure shows when it is sent. */
  prepare() {
    if (this.#session !== null || this.#opening !== null) return;
    this.#open()
      .then(({ token, live }) => {
        live.warm();
        return token.value();
      })
      .catch(() => {});
  }

  /** Asks. A text that could not be sent goes back into the composer. */
  async ask(text) {
    if (this.#sending || this.#current !== null) return;
    const { transcript, composer, notice } = this.#view;
    this.#sending = true;
    notice.clear();
    composer.state = "sending";
    const question = transcript.addQuestion(text);
    const answer = transcript.addAnswer();
    answer.show({ text: "", status: "waiting" });
    try {
      const asked = await this.#send(text, () => transcript.addDivider(WORDS.expired, question));
      this.#memory.draft = composer.text;
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
      await this.#cancel(current);
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
    if (this.#current !== null) this.#cancel(this.#current).catch(() => {}); // nobody is going to read it
    this.#forget();
    transcript.clear();
    notice.clear();
    composer.state = "idle";
    composer.focus();
  }

  /** The network is back, or the page is looked at again: what was missed is read now. */
  wake() {
    this.#session?.live.wake();
    for (const watch of this.#watches) watch.read();
  }

  #open() {
    if (this.#session !== null) return Promise.resolve(this.#session);
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #begin() {
    if (this.#memory.session === null) this.#memory.session = await this.#receiver.begin(this.#settings.conferenceId);
    this.#session = new Session(this.#settings.directusUrl, this.#memory.session);
    return this.#session;
  }

  #forget() {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#session?.close();
    this.#session = null;
    this.#current = null;
    this.#shown.clear();
    this.#mayHaveArrived = false;
    this.#memory.session = null;
    this.#memory.asked = null;
  }

  async #send(text, onExpired) {
    try {
      return await this.#sendOnce(text);
    } catch (error) {
      if (Problem.of(error).kind !== "gone") throw error;
    }
    const hadMessages = this.#shown.size > 0;
    this.#forget();
    const asked = await this.#sendOnce(text);
    if (hadMessages) onExpired();
    return asked;
  }

  async #sendOnce(text) {
    const session = await this.#open();
    session.live.warm();
    if (this.#mayHaveArrived) {
      const arrived = await this.#arrived(session, text);
      this.#mayHaveArrived = false;
      if (arrived !== null) return arrived;
    }
    try {
      return await session.withToken((token) => this.#receiver.ask(session.conversationId, text, token));
    } catch (error) {
      this.#mayHaveArrived = Problem.of(error).isUncertain;
      throw error;
    }
  }

  /** The question's own row, if an earlier try wrote it and only its reply was lost: it is not asked twice. */
  async #arrived(session, text) {
    const rows = await session.rows.history(session.conversationId);
    const isThis = ({ id, role, messageText }) =>
      role === "user" && !this.#shown.has(id) && messageText?.trim() === text.normalize("NFC").trim();
    const question = rows.findLast(isThis);
    const answerId = question === undefined ? null : await answerIdOf(question.id);
    return answerId === null ? null : { messageId: question.id, answerId };
  }

  #giveBack(text, problem) {
    const { composer, notice } = this.#view;
    composer.text = [text, composer.text.trim()].filter(Boolean).join("\n\n");
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
    current.watch = new AnswerWatch(asked, { rows: this.#session.rows, live: this.#session.live, tell });
    transcript.settleBefore(answer);
    if (asked.messageId !== null) this.#shown.add(asked.messageId);
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

  #cancel({ answerId }) {
    const session = this.#session;
    return session.withToken((token) => this.#receiver.cancel(session.conversationId, answerId, token));
  }

  #showHistory(pairs) {
    const { transcript, composer } = this.#view;
    transcript.clear();
    this.#shown.clear();
    for (const { question, answer: row, awaited } of pairs) {
      const text = question?.messageText ?? "";
      if (question !== null) {
        transcript.addQuestion(text);
        this.#shown.add(question.id);
      }
      if (awaited !== null) this.#follow(awaited, transcript.addAnswer(), text, row);
      else if (row !== null) this.#showEnded(row, text);
    }
    const last = pairs.at(-1)?.question?.messageText;
    if (last !== undefined && last === composer.text.trim()) {
      composer.text = ""; // it was sent in the moment of the reload
      this.#memory.draft = "";
    }
  }

  #showEnded(row, text) {
    const { transcript } = this.#view;
    const answer = transcript.addAnswer();
    transcript.settleBefore(answer);
    answer.show({ text: row.messageText ?? "", status: row.status });
    this.#offerMore(answer, row, text);
  }
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
