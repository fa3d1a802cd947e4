import { requestJson } from "./request.js";

/** What a visitor asks Erleah's receiver for. Each call throws a Problem. */
export class Receiver {
  #url;

  constructor(url) {
    this.#url = url;
  }

  /** A new conversation: `{conversationId, shareId}`. */
  async begin(conferenceId) {
    const body = { source: "mini", ...(conferenceId === null ? {} : { conference_id: conferenceId }) };
    const begun = await requestJson(`${this.#url}/api/conversations`, { method: "POST", body });
    return { conversationId: begun.conversation_id, shareId: begun.share_id };
  }

  /** Asks a question: `{messageId, answerId}`. The answer's row need not exist yet. */
  async ask(conversationId, text, token) {
    const body = { conversation_id: conversationId, text };
    const asked = await requestJson(`${this.#url}/api/messages`, { method: "POST", body, token });
    return { messageId: asked.message_id, answerId: asked.answer_id };
  }

  /** Stops an answer. */
  async cancel(conversationId, answerId, token) {
    const query = new URLSearchParams({ conversation_id: conversationId });
    const path = `/api/messages/${encodeURIComponent(answerId)}/cancel?${query}`;
    await requestJson(this.#url + path, { method: "POST", token });
  }
}
