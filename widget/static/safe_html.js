import DOMPurify from "./vendor/purify.es.mjs";

/** The scheme and the host as themselves: what only a decoder reads (entities, users, backslashes) is no link. */
const LINK = /^https?:\/\/[a-z0-9._-]+(?::\d{1,5})?(?:[/?#]|$)/i;

/** What an answer may look like. No image: loading one tells its host who reads what. */
const RULES = {
  ALLOWED_TAGS: [
    ...["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "hr", "a"],
    ...["ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"],
    ...["table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "start", "align"],
  ALLOWED_URI_REGEXP: LINK,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  if (!isLink(node.getAttribute("href"))) {
    node.removeAttribute("href");
    return;
  }
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** The harmless part of some HTML, as a fragment: no script, handler, style, frame, form, image; links to the web only. */
export function safeFragment(html) {
  return purifier.sanitize(html, RULES);
}

/** Whether an answer may link there: on the web, and written so that everybody reads the same host. */
export function isLink(address) {
  return LINK.test(address ?? "");
}
