/** What survives a reload in this tab: the conversation's keys, the question being typed, the answer awaited. */
export class TabMemory {
  #key;
  #kept;

  /** One memory for each conference, so that a link to another one begins there anew. */
  constructor(conferenceId) {
    this.#key = `erleah:${conferenceId ?? "default"}`;
    this.#kept = {};
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "{}");
      if (kept !== null && typeof kept === "object") this.#kept = kept;
    } catch {
      // Storage is switched off or holds something else: the page works, and forgets on reload.
    }
  }

  /** `{conversationId, shareId}` or null. */
  get session() {
    const { conversationId, shareId } = this.#kept.session ?? {};
    return typeof conversationId === "string" && typeof shareId === "string" ? { conversationId, shareId } : null;
  }

  set session(session) {
    this.#keep({ session });
  }

  /** Text not sent yet. */
  get draft() {
    return typeof this.#kept.draft === "string" ? this.#kept.draft : "";
  }

  set draft(draft) {
    this.#keep({ draft });
  }

  /** A text on its way, of which it is not known yet whether it arrived. */
  get sending() {
    return typeof this.#kept.sending === "string" ? this.#kept.sending : "";
  }

  set sending(sending) {
    this.#keep({ sending });
  }

  /** `{messageId, answerId}` of the newest question, or null. */
  get asked() {
    const { messageId, answerId } = this.#kept.asked ?? {};
    return typeof messageId === "string" && typeof answerId === "string" ? { messageId, answerId } : null;
  }

  set asked(asked) {
    this.#keep({ asked });
  }

  #keep(change) {
    Object.assign(this.#kept, change);
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(this.#kept));
    } catch {
      // Full or switched off: as above.
    }
  }
}
