import { answerIdOf } from "./answer_id.js";

/**
 * The rows of a conversation as it was talked: `[{question, answer, awaited}]`, each question (or
 * null) with its answer's row (or null). `awaited` is `{messageId, answerId}` where the answer is
 * still to come: it is being written, or belongs to the last question.
 *
 * An answer's place is below its question, whenever it was written. `asked` is the newest question
 * this tab remembers, for browsers that can't work answers' ids out.
 */
export async function pairsOf(rows, asked) {
  const answers = new Map(rows.filter(({ role }) => role === "assistant").map((row) => [row.id, row]));
  const questions = rows.filter(({ role }) => role === "user");
  const ids = new Map();
  for (const { id } of questions) {
    ids.set(id, (await answerIdOf(id)) ?? (asked?.messageId === id ? asked.answerId : null));
  }
  const paired = new Set(ids.values());
  const pairs = [];
  for (const row of rows) {
    if (row.role === "user") {
      const answer = answers.get(ids.get(row.id)) ?? null;
      pairs.push({ question: row, answer, awaited: awaitedOf(row, answer, ids.get(row.id), row === questions.at(-1)) });
    } else if (row.role === "assistant" && !paired.has(row.id)) {
      pairs.push({ question: null, answer: row, awaited: awaitedOf(null, row, row.id, false) });
    }
  }
  return pairs;
}

function awaitedOf(question, answer, answerId, isLast) {
  const awaited = { messageId: question?.id ?? null, answerId };
  if (answer !== null) return answer.status === "streaming" ? awaited : null;
  const isOpen = !["answered", "superseded"].includes(question.status);
  return isLast && isOpen && answerId !== null ? awaited : null;
}
