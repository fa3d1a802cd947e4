import { Problem } from "./problem.js";

const OPEN_MS = 10_000; // from the first byte to "authenticated"; Directus itself gives up after 10 s
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const IDLE_MS = 120_000; // an open widget that asks nothing costs Directus no connection
const DEAF_MS = 70_000; // Directus pings every 30 s: a line that was silent for two of them is dead
const EVENTS = ["create", "update"];

/**
 * Directus's WebSocket: tells of changes to single rows, and comes back by itself.
 *
 * Each row is subscribed to by its id, which costs Directus one read an update, where a
 * subscription to the collection costs one read an update and client. Events may be doubled, late or
 * lost: who subscribes is told when the line stands (`onReady`) and reads the row then.
 */
export class LiveRows {
  #address;
  #token;
  #collection = "messages";
  #socket = null;
  #authenticated = false;
  #failures = 0;
  #lastUid = 0;
  #subscriptions = new Map();
  #timers = { open: 0, again: 0, idle: 0, token: 0 };
  #tokenInUse = null;
  #wanted = false;
  #heardAt = 0;

  constructor(directusUrl, token) {
    this.#address = `${directusUrl.replace(/^http/, "ws")}/websocket`;
    this.#token = token;
  }

  /** Opens the line before there is something to watch. */
  warm() {
    this.#wanted = true;
    if (this.#socket === null) this.#open();
    this.#closeWhenIdle();
  }

  /** Calls `onRow(row)` for events on one row, `onReady()` each time the line stands, `onDown()` when it broke; gives the way to end it. */
  subscribe({ item, fields }, { onRow, onReady, onDown }) {
    this.#lastUid += 1;
    const uid = String(this.#lastUid);
    this.#subscriptions.set(uid, { item, fields, onRow, onReady, onDown, missing: new Set(EVENTS) });
    this.warm();
    if (this.#authenticated) this.#send(uid);
    return () => this.#unsubscribe(uid);
  }

  /** Tries now what would be tried later: the network is back, or the page is looked at again. */
  wake() {
    if (!this.#wanted) return;
    if (this.#socket !== null && Date.now() - this.#heardAt > DEAF_MS) this.#lost(this.#socket);
    if (this.#socket !== null) return;
    this.#failures = 0;
    this.#open();
  }

  close() {
    this.#wanted = false;
    this.#drop();
    clearTimeout(this.#timers.again);
    clearTimeout(this.#timers.idle);
  }

  #open() {
    clearTimeout(this.#timers.again);
    let socket;
    try {
      socket = new WebSocket(this.#address);
    } catch {
      this.#tryAgain(); // the address may be forbidden to this page: reads go on without it
      return;
    }
    this.#socket = socket;
    this.#heardAt = Date.now();
    this.#timers.open = setTimeout(() => this.#lost(socket), OPEN_MS);
    socket.onopen = () => this.#authenticate(socket);
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(socket, data);
    };
    socket.onclose = () => this.#lost(socket);
    socket.onerror = () => this.#lost(socket);
  }

  async #authenticate(socket, { refused = null } = {}) {
    try {
      const token = await this.#token.value({ refused });
      if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
      this.#tokenInUse = token;
      socket.send(JSON.stringify({ type: "auth", access_token: token }));
    } catch (error) {
      if (Problem.of(error).kind === "gone") this.close();
      else this.#lost(socket);
    }
  }

  #take(socket, data) {
    this.#heardAt = Date.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message?.type === "ping") socket.send('{"type":"pong"}');
    else if (message?.type === "auth") this.#takeAuth(socket, message);
    else if (message?.type === "subscription") this.#takeEvent(message);
  }

  #takeAuth(socket, message) {
    if (message.status !== "ok") {
      // An expired token is replaced on the open line; after any other refusal Directus closes it.
      // Events of the time between are lost, so the subscriptions are made, and their rows read, again.
      this.#authenticated = false;
      this.#authenticate(socket, { refused: this.#tokenInUse });
      return;
    }
    clearTimeout(this.#timers.open);
    clearTimeout(this.#timers.token);
    this.#timers.token = setTimeout(() => this.#authenticate(socket), this.#token.goodForMs);
    this.#failures = 0;
    if (this.#authenticated) return; // a fresh token on the same line: its subscriptions stand
    this.#authenticated = true;
    for (const uid of this.#subscriptions.keys()) this.#send(uid);
  }

  #takeEvent({ uid, event, data }) {
    const [, number, kind] = /^(\d+)\.(\w+)$/.exec(uid ?? "") ?? [];
    const subscription = this.#subscriptions.get(number);
    if (subscription === undefined) return;
    if (event === "init") {
      if (subscription.missing.delete(kind) && subscription.missing.size === 0) subscription.onReady();
      return;
    }
    if (!EVENTS.includes(event)) return;
    for (const row of Array.isArray(data) ? data : [data]) {
      if (row?.id === subscription.item) subscription.onRow(row);
    }
  }

  #send(uid) {
    const subscription = this.#subscriptions.get(uid);
    const { item, fields } = subscription;
    subscription.missing = new Set(EVENTS);
    for (const event of EVENTS) {
      const message = { type: "subscribe", collection: this.#collection, item, event, uid: `${uid}.${event}`, query: { fields } };
      this.#socket.send(JSON.stringify(message));
    }
  }

  #unsubscribe(uid) {
    if (!this.#subscriptions.delete(uid)) return;
    if (this.#authenticated && this.#socket.readyState === WebSocket.OPEN) {
      for (const event of EVENTS) this.#socket.send(JSON.stringify({ type: "unsubscribe", uid: `${uid}.${event}` }));
    }
    this.#closeWhenIdle();
  }

  #closeWhenIdle() {
    clearTimeout(this.#timers.idle);
    if (this.#subscriptions.size > 0) return;
    this.#timers.idle = setTimeout(() => {
      if (this.#subscriptions.size === 0) this.close();
    }, IDLE_MS);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#drop();
    this.#tryAgain();
    for (const subscription of [...this.#subscriptions.values()]) subscription.onDown();
  }

  #drop() {
    clearTimeout(this.#timers.open);
    clearTimeout(this.#timers.token);
    const socket = this.#socket;
    this.#socket = null;
    this.#authenticated = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  #tryAgain() {
    if (!this.#wanted) return;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    // Jitter: after a restart of Directus not all widgets come back in the same moment.
    this.#timers.again = setTimeout(() => this.#open(), pause * (0.5 + Math.random() / 2));
  }
}
