import { answerIdOf } from "./answer_id.js";
import { Problem } from "./problem.js";
import { Session } from "./session.js";

/**
 * What a visitor sends: questions and stops, in a conversation that begins with the first question.
 *
 * A question is asked once, however often it is sent: where an earlier try may have arrived and only
 * its reply was lost, the conversation is looked at first.
 */
export class Outbox {
  #settings;
  #receiver;
  #memory;
  #session = null;
  #opening = null;
  #sent = new Set();
  #mayHaveArrived = false;

  constructor({ settings, receiver, memory }) {
    this.#settings = settings;
    this.#receiver = receiver;
    this.#memory = memory;
  }

  /** The present session, or null. */
  get session() {
    return this.#session;
  }

  /** The session this tab remembers, or a new one. */
  open() {
    if (this.#session !== null) return Promise.resolve(this.#session);
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Opens everything while the first question is being typed; a failure shows when it is sent. */
  warm() {
    if (this.#session !== null || this.#opening !== null) return;
    this.open()
      .then(({ token, live }) => {
        live.warm();
        return token.value();
      })
      .catch(() => {});
  }

  /** Leaves the session; the next question begins a new one. */
  forget() {
    this.#session?.close();
    this.#session = null;
    this.#sent.clear();
    this.#mayHaveArrived = false;
    this.#memory.session = null;
    this.#memory.asked = null;
  }

  /** Remembers a question that is in the conversation already. */
  noteSent(messageId) {
    this.#sent.add(messageId);
  }

  /** Sends a question: `{messageId, answerId}`. Throws a Problem; "gone" when the conversation has expired. */
  async send(text) {
    const session = await this.open();
    session.live.warm();
    const asked = (await this.#arrived(session, text)) ?? (await this.#ask(session, text));
    this.#sent.add(asked.messageId);
    return asked;
  }

  /** Stops an answer. Throws a Problem. */
  cancel(answerId) {
    const session = this.#session;
    return session.withToken((token) => this.#receiver.cancel(session.conversationId, answerId, token));
  }

  async #begin() {
    if (this.#memory.session === null) this.#memory.session = await this.#receiver.begin(this.#settings.conferenceId);
    this.#session = new Session(this.#settings.directusUrl, this.#memory.session);
    return this.#session;
  }

  async #ask(session, text) {
    try {
      return await session.withToken((token) => this.#receiver.ask(session.conversationId, text, token));
    } catch (error) {
      this.#mayHaveArrived = Problem.of(error).isUncertain;
      throw error;
    }
  }

  async #arrived(session, text) {
    if (!this.#mayHaveArrived) return null;
    const rows = await session.rows.history(session.conversationId);
    this.#mayHaveArrived = false;
    const isThis = ({ id, role, messageText }) =>
      role === "user" && !this.#sent.has(id) && messageText?.trim() === text.normalize("NFC").trim();
    const question = rows.findLast(isThis);
    const answerId = question === undefined ? null : await answerIdOf(question.id);
    return answerId === null ? null : { messageId: question.id, answerId };
  }
}
