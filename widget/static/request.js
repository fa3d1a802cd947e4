import { Problem } from "./problem.js";

const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_S = 600;

const KIND_OF = new Map([
  [401, "refused"],
  [403, "refused"],
  [404, "missing"],
  [409, "ended"],
  [413, "wrong"],
  [422, "wrong"],
  [429, "busy"],
  [502, "away"],
  [503, "away"],
  [504, "away"],
]);

/** One HTTP call with JSON both ways; gives the parsed answer (null for none) or throws a Problem. */
export async function requestJson(url, { method = "GET", token = null, body = undefined } = {}) {
  const headers = { Accept: "application/json" };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  let answer;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      credentials: "omit", // the share's token is all a visitor has
      cache: "no-store",
    });
    answer = parsed(await response.text());
  } catch (error) {
    throw new Problem(networkKind(error), { cause: error });
  }
  if (!response.ok) {
    throw new Problem(KIND_OF.get(response.status) ?? "broken", {
      retryAfterS: secondsOf(response.headers.get("Retry-After")),
      detail: typeof answer?.message === "string" ? answer.message : "",
    });
  }
  return answer;
}

function networkKind(error) {
  if (error?.name === "TimeoutError") return "slow";
  return navigator.onLine === false ? "offline" : "unreachable";
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page, or no body: the status tells enough
  }
}

/** Retry-After holds seconds or a date (RFC 9110). */
function secondsOf(header) {
  if (header === null) return 0;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 0), LONGEST_WAIT_S) : 0;
}
