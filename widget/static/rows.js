import { requestJson } from "./request.js";

/** What the page reads of an answer; the WebSocket is asked for the same. */
export const ANSWER_FIELDS = ["id", "messageText", "status", "seq", "metadata"];

const HISTORY = 100;

/** Reads of the visitor's own rows in Directus, by whatever gives them a token. Each call throws a Problem. */
export class Rows {
  #url;
  #withToken;

  constructor(directusUrl, withToken) {
    this.#url = directusUrl;
    this.#withToken = withToken;
  }

  /** The conversation's newest messages, oldest first. */
  async history(conversationId) {
    const fields = [...ANSWER_FIELDS, "role", "date_created"];
    const filter = { conversation_id: { _eq: conversationId } };
    const rows = await this.#read({ filter, fields, sort: "-date_created", limit: HISTORY });
    return rows.reverse();
  }

  /** Those of the rows that exist. A filter, because Directus answers 403 for an id that has no row. */
  async byId(ids) {
    return this.#read({ filter: { id: { _in: ids } }, fields: ANSWER_FIELDS, limit: ids.length });
  }

  async #read({ filter, fields, sort = "", limit }) {
    const query = new URLSearchParams({ filter: JSON.stringify(filter), fields: fields.join(","), limit });
    if (sort) query.set("sort", sort);
    const url = `${this.#url}/items/messages?${query}`;
    return this.#withToken(async (token) => (await requestJson(url, { token })).data);
  }
}
