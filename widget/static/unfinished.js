const FENCE = /^ {0,3}(?:```|~~~)/gm;
const LINK_BEGUN = /(?<!\\)!?\[([^\]]*)(?:\](?:\([^)]*)?)?$/;
const MARK_BEGUN = /(^|[\s(])(?:\*{1,3}|_{1,3}|~~?|`+)$/;

/**
 * A growing text as it will look when what is open in its last line has been closed: no stars, half
 * links or backticks flash up before their other end has come. A whole text is not changed by it but
 * where it ends in the middle of a mark.
 */
export function closed(text) {
  if ((text.match(FENCE)?.length ?? 0) % 2 === 1) return text; // code: everything is meant as it stands
  const start = text.lastIndexOf("\n") + 1;
  let line = text.slice(start).trimEnd();
  if (count(line, /(?<!\\)`/g) % 2 === 1) {
    return text.slice(0, start) + (/(^|[^`])`$/.test(line) ? line.slice(0, -1) : `${line}\``);
  }
  line = line.replace(LINK_BEGUN, "$1").replace(MARK_BEGUN, "$1").trimEnd();
  // Stars with room on both sides are a sign, not a mark.
  if (count(line, /(?<!\\)(?:\*\*(?=\S)|(?<=\S)\*\*)/g) % 2 === 1) line = `${line.replace(/(?<=[^*\\])\*$/, "")}**`;
  return text.slice(0, start) + line;
}

function count(text, pattern) {
  return text.match(pattern)?.length ?? 0;
}
