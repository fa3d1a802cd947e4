import { requestJson } from "./request.js";

/** Where Directus and the receiver are, and which conference is talked about: `{directusUrl, apiUrl, conferenceId}`. */
export async function readSettings(address = location) {
  const config = await requestJson(new URL("config.json", import.meta.url));
  const asked = new URLSearchParams(address.search).get("conference");
  return {
    directusUrl: webAddress(config?.directus_url),
    apiUrl: config?.api_url ? webAddress(config.api_url) : new URL("..", import.meta.url).href.replace(/\/$/, ""),
    conferenceId: asked || (config?.default_conference_id ?? null),
  };
}

function webAddress(text) {
  const url = new URL(text, location.href);
  if (!["http:", "https:"].includes(url.protocol)) throw new TypeError("a server's address begins with http");
  return url.href.replace(/\/+$/, "");
}
