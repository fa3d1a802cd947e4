/**
 * What went wrong, by what the visitor can do about it.
 *
 * kind: "offline" no network · "slow" no answer in time · "unreachable" no connection ·
 * "busy" over the limit, wait `retryAfterS` · "away" a service is down · "refused" the token is not
 * (or no longer) good · "missing" there is no such thing · "ended" too late · "wrong" what was sent
 * can't be taken, `detail` says why · "gone" the conversation can't be opened any more · "broken"
 * anything else.
 */
export class Problem extends Error {
  constructor(kind, { retryAfterS = 0, detail = "", cause = undefined } = {}) {
    super(kind, { cause });
    this.name = "Problem";
    this.kind = kind;
    this.retryAfterS = retryAfterS;
    this.detail = detail;
  }

  /** Whether what was sent may have arrived all the same. */
  get isUncertain() {
    return ["slow", "unreachable", "offline", "away", "broken"].includes(this.kind);
  }

  /** Anything thrown, as a Problem. */
  static of(error) {
    return error instanceof Problem ? error : new Problem("broken", { cause: error });
  }
}
