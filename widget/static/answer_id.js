/** Part of Erleah's contract with its clients (docs: Directus collections). */
const NAMESPACE = "6f1c1f3e-6d1b-5d4e-9f0e-0d8f5f1f7a11";

/**
 * The id of the one answer to a message: its UUID of version 5 in Erleah's namespace (RFC 9562, 5.5).
 *
 * null where the browser has no SHA-1 for pages (they need https or localhost); the receiver tells
 * the id of each new question as well, so only what concerns older ones is lost.
 */
export async function answerIdOf(messageId) {
  if (!globalThis.crypto?.subtle) return null;
  const namespace = NAMESPACE.replaceAll("-", "").match(/../g).map((pair) => Number.parseInt(pair, 16));
  const named = new Uint8Array([...namespace, ...new TextEncoder().encode(messageId.toLowerCase())]);
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-1", named)).slice(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
