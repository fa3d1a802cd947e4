import { isLink, safeFragment } from "./safe_html.js";
import { Marked } from "./vendor/marked.esm.js";

/**
 * HTML in an answer is text someone wrote, so it is shown as it was written; a line break alone works. A link has its
 * address beside it, so that whoever looks through answers sees where each leads: none is defined elsewhere.
 */
const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: { def: () => undefined },
  renderer: {
    link({ href, tokens }) {
      return isLink(href) ? false : this.parser.parseInline(tokens); // false: as marked does it
    },
    html: ({ text }) => (/^<br\s*\/?>\s*$/i.test(text) ? "<br>" : escapeHtml(text)),
    image({ text, tokens }) {
      return escapeHtml(tokens ? this.parser.parseInline(tokens, this.parser.textRenderer) : text);
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // below the page's own headings
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

/** A place in the page that shows markdown, and changes only the blocks that changed. */
export class MarkdownView {
  #root;
  #blocks = [];

  constructor(root) {
    this.#root = root;
  }

  /** Shows the whole text; a selection in blocks that stay as they were is kept. `anew` builds all of it. */
  show(text, { anew = false } = {}) {
    const tokens = tokensOf(text);
    let same = 0;
    while (!anew && same < this.#blocks.length && this.#blocks[same].raw === tokens[same]?.raw) same += 1;
    for (const { nodes } of this.#blocks.splice(same)) for (const node of nodes) node.remove();
    for (const token of tokens.slice(same)) {
      const fragment = safeFragment(htmlOf(token));
      for (const table of fragment.querySelectorAll("table")) frameTable(table);
      this.#blocks.push({ raw: token.raw, nodes: [...fragment.childNodes] });
      this.#root.append(fragment);
    }
  }
}

function tokensOf(text) {
  try {
    return marked.lexer(text);
  } catch {
    return [{ type: "plain", raw: text }]; // thousands of nested quotes overflow the parser's stack
  }
}

function htmlOf(token) {
  try {
    if (token.type !== "plain") return marked.parser([token]);
  } catch {
    // As above.
  }
  return `<p>${escapeHtml(token.raw)}</p>`;
}

/** A wide table scrolls in itself; a keyboard reaches it. */
function frameTable(table) {
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0;
  table.replaceWith(frame);
  frame.append(table);
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
