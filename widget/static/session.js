import { LiveRows } from "./live_rows.js";
import { Problem } from "./problem.js";
import { Rows } from "./rows.js";
import { ShareToken } from "./share_token.js";

/** The way into one conversation: its token, its rows, its line. */
export class Session {
  constructor(directusUrl, { conversationId, shareId }) {
    this.conversationId = conversationId;
    this.token = new ShareToken(directusUrl, shareId);
    this.rows = new Rows(directusUrl, (act) => this.withToken(act));
    this.live = new LiveRows(directusUrl, this.token);
  }

  /** Does what takes a token; once more with a new one if that is refused, and "gone" if the new one is too. */
  async withToken(act) {
    const token = await this.token.value();
    try {
      return await act(token);
    } catch (error) {
      if (error.kind !== "refused") throw error;
    }
    try {
      return await act(await this.token.value({ refused: token }));
    } catch (error) {
      throw error.kind === "refused" ? new Problem("gone", { cause: error }) : error;
    }
  }

  close() {
    this.live.close();
  }
}
