import { Problem } from "./problem.js";
import { requestJson } from "./request.js";

/** A token with less left than this is not used any more, for a call may take a while; at most a quarter of its life. */
const SPARE_MS = 60_000;

/** The visitor's token for his one conversation, kept good. It lives in this page's memory only. */
export class ShareToken {
  #url;
  #shareId;
  #pair = null;
  #pending = null;

  constructor(directusUrl, shareId) {
    this.#url = directusUrl;
    this.#shareId = shareId;
  }

  /** Milliseconds until the present token should be changed; 0 when there is none. */
  get goodForMs() {
    return this.#pair === null ? 0 : Math.max(this.#pair.renewAt - Date.now(), 0);
  }

  /** A token that is good now, and is not the `refused` one. Throws a Problem; "gone" when the share opens nothing any more. */
  async value({ refused = null } = {}) {
    if (this.goodForMs > 0 && this.#pair.access !== refused) return this.#pair.access;
    // Several who find the token too old at once share one exchange: a refresh token works once.
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = null;
    });
    return (await this.#pending).access;
  }

  async #renew() {
    if (this.#pair !== null) {
      const body = { refresh_token: this.#pair.refresh, mode: "json" };
      try {
        return this.#keep(await requestJson(`${this.#url}/auth/refresh`, { method: "POST", body }));
      } catch (error) {
        if (Problem.of(error).isUncertain && error.kind !== "broken") throw error;
        this.#pair = null; // used up or expired: the share itself is traded again
      }
    }
    const body = { share: this.#shareId, mode: "json" };
    try {
      return this.#keep(await requestJson(`${this.#url}/shares/auth`, { method: "POST", body }));
    } catch (error) {
      const refused = ["refused", "missing", "wrong"].includes(error.kind);
      throw refused ? new Problem("gone", { cause: error }) : error;
    }
  }

  #keep({ data }) {
    const renewAt = Date.now() + data.expires - Math.min(SPARE_MS, data.expires / 4);
    this.#pair = { access: data.access_token, refresh: data.refresh_token, renewAt };
    return this.#pair;
  }
}
