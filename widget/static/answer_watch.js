import { Problem } from "./problem.js";
import { ANSWER_FIELDS } from "./rows.js";

const SILENCE_MS = 10_000; // an event may be lost: after this long without one the row is read
const WITHOUT_LINE_MS = 2_500; // where no WebSocket gets through, the answer grows by reading
const LATE_MS = 30_000;
const GIVE_UP_MS = 300_000; // a turn takes 120 s at most, and a sweep finds a forgotten one in 60 s
const OVER = ["completed", "failed", "cancelled"];

/** One answer on its way: keeps the newest state of its row until it has ended. */
export class AnswerWatch {
  #ids;
  #rows;
  #live;
  #tell;
  #unsubscribe = () => {};
  #timer = 0;
  #lastNews = Date.now();
  #lineStands = false;
  #readFailures = 0;
  #reading = false;
  #ended = false;
  #answer = { text: "", status: "waiting", seq: -1, metadata: null };

  /**
   * `tell` gets onChange({text, status, metadata}), onLate(isLate), onTrouble(problem or null) and,
   * once, onEnd(answer). Its status is completed, failed or cancelled as the row says, "superseded"
   * when a later answer covers this one, or "lost" when nothing came for five minutes.
   */
  constructor({ answerId, messageId }, { rows, live, tell }) {
    this.#ids = { answerId, messageId };
    this.#rows = rows;
    this.#live = live;
    this.#tell = tell;
  }

  get isOver() {
    return this.#ended;
  }

  start() {
    this.#unsubscribe = this.#live.subscribe(
      { item: this.#ids.answerId, fields: ANSWER_FIELDS },
      {
        onRow: (row) => this.take(row),
        // What was written before the line stood came as no event.
        onReady: () => {
          this.#lineStands = true;
          this.read();
        },
        onDown: () => {
          if (!this.#lineStands) return; // each try that fails tells so: the next read must not wait for the tries
          this.#lineStands = false;
          this.#schedule();
        },
      },
    );
    this.#schedule();
  }

  /** Ends the watch; tells nothing more. */
  stop() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
  }

  /**
   * Takes one state of the row, from wherever. States come twice and out of order: the text of the
   * highest seq counts, and a row that has ended stays ended (a stop does not touch seq).
   */
  take({ messageText, status, seq, metadata }) {
    if (this.#ended) return;
    const known = this.#answer;
    const number = Number.isFinite(seq) ? seq : 0;
    const isOver = OVER.includes(status);
    if (number <= known.seq && !isOver) return;
    const isNewer = number >= known.seq;
    this.#answer = {
      text: isNewer ? (messageText ?? "") : known.text,
      status,
      seq: Math.max(number, known.seq),
      metadata: metadata ?? known.metadata,
    };
    this.#lastNews = Date.now();
    this.#tell.onLate(false);
    this.#tell.onTrouble(null);
    if (isOver) this.#end();
    else {
      this.#tell.onChange(this.#answer);
      this.#schedule();
    }
  }

  /** Reads the row now, and once more after each silence. */
  async read() {
    if (this.#ended || this.#reading) return;
    this.#reading = true;
    const { answerId, messageId } = this.#ids;
    try {
      const rows = await this.#rows.byId(messageId === null ? [answerId] : [answerId, messageId]);
      this.#readFailures = 0;
      if (!this.#ended) this.#tell.onTrouble(null);
      const answer = rows.find((row) => row.id === answerId);
      const question = rows.find((row) => row.id === messageId);
      if (answer !== undefined) this.take(answer);
      else if (question?.status === "superseded") this.#end("superseded");
    } catch (error) {
      this.#readFailures += 1;
      const problem = Problem.of(error);
      if (this.#ended) return;
      // One failed read is noise; a conversation that is gone stays gone.
      if (problem.kind === "gone" || this.#readFailures > 1) this.#tell.onTrouble(problem);
      if (problem.kind === "gone") this.#end("lost");
    } finally {
      this.#reading = false;
      if (!this.#ended) this.#schedule();
    }
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    const pause = this.#lineStands ? SILENCE_MS : WITHOUT_LINE_MS * Math.min(1 + this.#readFailures, 4);
    this.#timer = setTimeout(() => {
      const silentMs = Date.now() - this.#lastNews;
      if (silentMs >= GIVE_UP_MS) this.#end("lost");
      else {
        if (silentMs >= LATE_MS) this.#tell.onLate(true);
        this.read();
      }
    }, pause);
  }

  #end(status = this.#answer.status) {
    if (this.#ended) return;
    this.stop();
    this.#tell.onEnd({ ...this.#answer, status });
  }
}
