// The connection to the peer: commands with one reply each, events, and reconnection with back-off.

const LONGEST_WAIT = 30_000, PATIENCE = 15_000, TOKEN = "kamea-chat-token";

let token = null;
// A browser without storage keeps it until the page is loaded again.
try { token = sessionStorage.getItem(TOKEN); } catch { /* As above. */ }

/** Takes the token out of the address, for this tab alone. Returns whether it was there. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return false;
  token = given;
  try { sessionStorage.setItem(TOKEN, token); } catch { /* As above. */ }
  history.replaceState(null, "", location.pathname);
  return true;
}

export class Link extends EventTarget {
  #socket = null;
  #next = 1;
  #waiting = new Map();
  #failures = 0;
  #timer = 0;

  constructor() {
    super();
    takeToken();
    // Before the page looks for a conversation of this name.
    addEventListener("hashchange", (event) => {
      if (!takeToken()) return;
      event.stopImmediatePropagation();
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#socket?.close();
      this.start();
    });
  }

  /** Connects. Events: `open`, `closed` with {wait (ms), isFinal, reason}, `event` with what the peer sends. */
  start() {
    const url = new URL("live", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.search = url.hash = "";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ do: "log-in", token })));
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("close", ({ code, reason }) => this.#closed(socket, code, reason));
  }

  get isOpen() { return this.#socket?.readyState === WebSocket.OPEN; }

  /** Tries at once, instead of when the wait is over. */
  hurry() {
    if (this.#timer) { clearTimeout(this.#timer); this.#timer = 0; this.start(); }
  }

  /** Sends a command. Resolves with what the peer replies, or rejects with its reason. */
  ask(command, fields = {}) {
    if (!this.isOpen) return Promise.reject(new Error("There is no connection to your peer."));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { this.#waiting.delete(id); reject(new Error("Your peer does not answer.")); }, PATIENCE);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ do: command, id, ...fields }));
    });
  }

  #receive(data) {
    let message;
    try { message = JSON.parse(data); } catch { return; }
    if (message.reply !== undefined) {
      const waiting = this.#waiting.get(message.reply);
      if (!waiting) return;
      this.#waiting.delete(message.reply);
      clearTimeout(waiting.timer);
      if (message.error !== undefined) waiting.reject(new Error(message.error));
      else waiting.resolve(message.ok ?? {});
      return;
    }
    if (message.event === "hello") {
      this.#failures = 0;
      this.dispatchEvent(new Event("open"));
    }
    this.dispatchEvent(new CustomEvent("event", { detail: message }));
  }

  #closed(socket, code, reason) {
    if (socket !== this.#socket) return;
    for (const { reject, timer } of this.#waiting.values()) { clearTimeout(timer); reject(new Error("The connection to your peer is lost.")); }
    this.#waiting.clear();
    const isFinal = code === 1008 || code === 4401;
    // Doubled each time, with jitter, so that many pages do not come back at the same moment.
    const wait = Math.min(LONGEST_WAIT, 500 * 2 ** this.#failures++) * (0.75 + Math.random() / 2);
    if (!isFinal) this.#timer = setTimeout(() => { this.#timer = 0; this.start(); }, wait);
    this.dispatchEvent(new CustomEvent("closed", { detail: { wait, isFinal, reason } }));
  }
}
