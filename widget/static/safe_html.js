import DOMPurify from "./vendor/purify.es.mjs";

const LINKS = ["http:", "https:", "mailto:"];

/** What an answer may look like. No image: loading one tells its host who reads what. */
const RULES = {
  ALLOWED_TAGS: [
    ...["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "hr", "a"],
    ...["ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"],
    ...["table", "thead", "tbody", "tr", "th", "td"],
  ],
  ALLOWED_ATTR: ["href", "start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  if (!LINKS.includes(protocolOf(node.getAttribute("href")))) {
    node.removeAttribute("href");
    return;
  }
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** The harmless part of some HTML, as a fragment: no script, handler, style, frame, form, image; links to the web and mail only. */
export function safeFragment(html) {
  return purifier.sanitize(html, RULES);
}

function protocolOf(address) {
  try {
    return new URL(address ?? "").protocol; // without a base: an address of this page's own site is no link of an answer
  } catch {
    return "";
  }
}
