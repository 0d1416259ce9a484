// The messages of one channel: a window of nodes over what is loaded, so that 10,000 messages scroll
// as smoothly as fifty. What is read stays where it is while older messages are put above it.

import { asDate, day, dayOf, make, moment, nodes, time } from "./text.js";
import { isWatched } from "./notify.js";

const PAGE = 50;          // messages of a request, and of a step of the window
const MOST_NODES = 250;   // messages that are nodes
const MOST_KEPT = 20_000; // messages that are in memory
const NEAR = 800;         // pixels from an edge at which more is wanted
const TOGETHER = 300_000; // milliseconds between messages that share a heading
const LONG = 1500;        // characters of a message that is folded

const STATES = { queued: ["…", "waits for a connection"], sent: ["✓", "sent"], delivered: ["✓✓", "delivered"], read: ["✓✓", "read"] };

export class Log extends EventTarget {
  #host; #list; #older; #beginning; #button;
  #load;                    // (before, limit) => Promise of {messages, more}
  #messages = []; #ids = new Map(); #nodes = new Map();
  #from = 0; #to = 0;       // the window
  #more = false; #isBusy = false; #isCut = false;
  #new = 0; #unreadId = null; #readAt = -1;
  #turn = 0;                // grows when another channel is opened: late replies are for none
  #sticks = true; #height = 0; #frame = 0;

  /** Events: `seen` with the id of the newest message that the reader has before the eyes. */
  constructor(find) {
    super();
    [this.#host, this.#list, this.#older, this.#beginning, this.#button] = ["log", "messages", "older", "beginning", "newest"].map(find);
    this.#host.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#button.addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => { if (this.#sticks) this.#toEnd(); this.#look(); }).observe(this.#host);
    for (const event of ["focus", "visibilitychange"]) (event === "focus" ? window : document).addEventListener(event, () => this.#look());
  }

  /** Shows a channel: its newest messages, or the first that are unread. */
  async open(load, { read, unread }) {
    const turn = this.#reset(load);
    const wanted = unread > 0 ? Math.min(500, unread + 20) : PAGE;
    const { messages, more } = await load(null, Math.max(PAGE, wanted));
    if (turn !== this.#turn) return;
    // What has come in the meantime is in the reply too.
    const late = this.#messages;
    this.#forget();
    this.#more = more;
    this.#take([...messages, ...late], true);
    this.#placeUnread(read, unread);
    const at = this.#unreadId === null ? -1 : this.#indexOf(this.#unreadId);
    if (at < 0) return this.#showEnd();
    this.#show(Math.max(0, at - PAGE), at + MOST_NODES - PAGE);
    this.#sticks = false;
    this.#toNode(this.#unreadId, 0.15);
    this.#new = 0;
    this.#look();
    this.#scrolled();
  }

  close() { this.#reset(null); }

  /** Adds a message at its place: a peer that was away can bring messages into the middle. */
  add(message) {
    if (this.#ids.has(message.id)) return this.update(message.id, message.state);
    const at = 1 + this.#messages.findLastIndex(({ order }) => !(order > message.order));
    // It stands before what is loaded, and comes when the reader goes there.
    if (at === 0 && this.#messages.length && this.#more) return;
    if (this.#isCut) return this.#count(message);
    const sticks = this.#sticks || message.mine;
    this.#messages.splice(at, 0, message);
    this.#ids.set(message.id, message);
    if (at <= this.#readAt) this.#readAt++;
    if (message.mine) this.#unreadId = null;
    const isLast = at === this.#messages.length - 1;
    if (isLast && sticks) { this.#trim(); return this.#showEnd(); }
    if (at < this.#from) { this.#from++; this.#to++; }
    else if (at < this.#to || (at === this.#to && this.#to - this.#from < MOST_NODES)) this.#show(this.#from, this.#to + 1, true, this.#messages[at + 1]?.id);
    this.#count(message);
    this.#look();
  }

  /** Takes what is new, when it is too much for one event each. */
  async refresh() {
    if (this.#sticks || !this.#messages.length) return this.open(this.#load, { read: null, unread: 0 });
    const turn = this.#turn, newest = this.#messages.at(-1).id;
    const { messages } = await this.#load(null, 200);
    if (turn !== this.#turn) return;
    // Between these and what is loaded there may be others: the button leads to them.
    if (messages.some(({ id }) => id === newest)) messages.forEach((message) => this.add(message));
    else this.#isCut = true;
    this.#showButton();
  }

  /** Shows how far a message has come. */
  update(id, state) {
    const message = this.#ids.get(id);
    if (!message || !state) return;
    message.state = state;
    const shown = this.#nodes.get(id)?.querySelector(".sent");
    if (shown) showState(shown, state);
  }

  /** Shows a message, however old it is. Resolves to whether it was found. */
  async reveal(id) {
    const turn = this.#turn;
    while (this.#indexOf(id) < 0) {
      if (!this.#more || !(await this.#loadOlder(500)) || turn !== this.#turn) return false;
    }
    const at = this.#indexOf(id);
    this.#sticks = false;
    this.#show(Math.max(0, at - 100), at + 100);
    this.#toNode(id, 0.4);
    const shown = this.#nodes.get(id).querySelector(".message");
    shown.classList.add("target");
    setTimeout(() => shown.classList.remove("target"), 4000);
    return true;
  }

  /** Shows the newest messages. */
  async toNewest() {
    if (this.#isCut) await this.open(this.#load, { read: null, unread: 0 });
    this.#showEnd();
    this.#host.focus({ preventScroll: true });
  }

  get isAtEnd() { return this.#sticks; }

  #reset(load) {
    this.#load = load;
    this.#forget();
    this.#list.replaceChildren();
    this.#older.hidden = this.#beginning.hidden = true;
    this.#count(null);
    return ++this.#turn;
  }

  #forget() {
    this.#messages = [];
    this.#ids.clear();
    for (const node of this.#nodes.values()) node.remove();
    this.#nodes.clear();
    this.#from = this.#to = this.#new = 0;
    this.#more = this.#isBusy = this.#isCut = false;
    this.#unreadId = null;
    this.#readAt = -1;
    this.#sticks = true;
  }

  #indexOf(id) { return this.#ids.has(id) ? this.#messages.findLastIndex((message) => message.id === id) : -1; }

  /** Takes messages into memory, at the end or at the beginning. Returns how many are new. */
  #take(messages, atEnd) {
    const fresh = messages.filter((message) => !this.#ids.has(message.id) && this.#ids.set(message.id, message));
    this.#messages = atEnd ? [...this.#messages, ...fresh] : [...fresh, ...this.#messages];
    return fresh.length;
  }

  #placeUnread(read, unread) {
    if (!unread) return void (this.#readAt = this.#messages.length - 1);
    const at = read === null ? -1 : this.#indexOf(read);
    this.#readAt = at;
    // If the last one that was read is older than what is loaded, the line stands at its beginning.
    this.#unreadId = this.#messages.slice(at + 1).find((message) => !message.mine)?.id ?? null;
  }

  // --- the window ---

  #showEnd() {
    this.#show(Math.max(0, this.#messages.length - MOST_NODES / 2), this.#messages.length, false);
    this.#toEnd();
    this.#count(null);
    this.#look();
    this.#scrolled();
  }

  /** Makes the window these messages, and keeps what is seen where it is. The heading of the message `changed` differs. */
  #show(from, to, keeps = true, changed = null) {
    this.#from = Math.max(0, from);
    this.#to = Math.min(this.#messages.length, to);
    const anchor = keeps ? this.#anchor(changed) : null;
    this.#nodes.get(changed)?.remove();
    this.#nodes.delete(changed);
    const wanted = this.#messages.slice(this.#from, this.#to), ids = new Set(wanted.map(({ id }) => id));
    for (const [id, node] of this.#nodes) if (!ids.has(id)) { node.remove(); this.#nodes.delete(id); }
    let next = this.#list.firstChild;
    wanted.forEach((message, i) => {
      let node = this.#nodes.get(message.id);
      if (node === next && node) { next = next.nextSibling; return; }
      if (!node) this.#nodes.set(message.id, node = this.#item(this.#from + i));
      this.#list.insertBefore(node, next);
    });
    this.#older.hidden = !(this.#from === 0 && this.#more);
    this.#beginning.hidden = !(this.#from === 0 && !this.#more);
    if (anchor?.node.isConnected) this.#host.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
  }

  /** The first node that is seen and stays, and where. */
  #anchor(changed) {
    const edge = this.#host.getBoundingClientRect().top;
    for (const node of this.#list.children) {
      const { top, bottom } = node.getBoundingClientRect();
      if (bottom > edge && node.dataset.id !== changed) return { node, top };
    }
    return null;
  }

  #trim() {
    const over = this.#messages.length - MOST_KEPT;
    if (over <= 0) return;
    for (const { id } of this.#messages.splice(0, over)) this.#ids.delete(id);
    this.#more = true;
    this.#readAt -= over;
  }

  #toEnd() { this.#sticks = true; this.#host.scrollTop = this.#host.scrollHeight; }

  /** Scrolls to a message, so that `part` of the window is above it. */
  #toNode(id, part) {
    const node = this.#nodes.get(id), host = this.#host;
    if (node) host.scrollTop += node.getBoundingClientRect().top - host.getBoundingClientRect().top - host.clientHeight * part;
  }

  /** Looks, once a frame, whether an edge of the window is near. */
  #scrolled() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      const { scrollTop, scrollHeight, clientHeight } = this.#host, below = scrollHeight - scrollTop - clientHeight;
      this.#sticks = this.#to === this.#messages.length && below < 40 && !this.#isCut;
      if (scrollTop < NEAR && this.#from > 0) this.#show(this.#from - PAGE, Math.min(this.#to, this.#from - PAGE + MOST_NODES));
      else if (scrollTop < NEAR && this.#more) this.#loadOlder(PAGE);
      else if (below < NEAR && this.#to < this.#messages.length) this.#show(Math.max(this.#from, this.#to + PAGE - MOST_NODES), this.#to + PAGE);
      else if (below < 40 && this.#isCut) this.toNewest();
      if (this.#sticks) this.#count(null); else this.#showButton();
      this.#look();
    });
  }

  async #loadOlder(limit) {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    const turn = this.#turn;
    try {
      const { messages, more } = await this.#load(this.#messages[0]?.id ?? null, limit);
      if (turn !== this.#turn) return false;
      const first = this.#messages[0]?.id;
      const count = this.#take(messages, false);
      this.#more = more && messages.length > 0;
      this.#from += count;
      this.#to += count;
      if (this.#readAt >= 0) this.#readAt += count;
      if (this.#messages.length > MOST_KEPT) {
        this.#isCut = true;
        for (const { id } of this.#messages.splice(MOST_KEPT)) this.#ids.delete(id);
      }
      this.#show(this.#from - Math.min(count, PAGE), Math.min(this.#to, this.#from - PAGE + MOST_NODES), true, first);
      // There may be space for more.
      this.#scrolled();
      return true;
    } catch {
      return false; // The page says that the connection is lost; scrolling tries again.
    } finally {
      if (turn === this.#turn) this.#isBusy = false;
    }
  }

  // --- what is new, and what is seen ---

  /** Counts a message that has come while the reader is elsewhere; null: all are seen. */
  #count(message) {
    if (message === null) this.#new = 0;
    else if (!message.mine) this.#new++;
    this.#showButton();
  }

  #showButton() {
    this.#button.hidden = this.#sticks || !this.#list.firstChild;
    this.#button.textContent = this.#new ? `${this.#new} new ↓` : "To the newest ↓";
  }

  #look() {
    if (!isWatched() || !this.#host.clientHeight) return;
    const edge = this.#host.getBoundingClientRect().bottom;
    const rows = [...this.#list.children];
    const seen = this.#sticks ? rows.at(-1) : rows.findLast((row) => row.getBoundingClientRect().bottom <= edge + 4);
    const at = seen ? this.#indexOf(seen.dataset.id) : -1;
    if (at <= this.#readAt) return;
    this.#readAt = at;
    this.dispatchEvent(new CustomEvent("seen", { detail: seen.dataset.id }));
  }

  // --- one message ---

  #item(at) {
    const message = this.#messages[at], before = this.#messages[at - 1];
    const isNewDay = !before || dayOf(before.time) !== dayOf(message.time), isUnread = message.id === this.#unreadId;
    const isHead = isNewDay || isUnread || before.fingerprint !== message.fingerprint || message.time - before.time > TOGETHER || message.time < before.time;
    const node = make("li", { "data-id": message.id });
    if (isNewDay) node.append(make("p", { class: "day" }, day(message.time)));
    if (isUnread) node.append(make("p", { class: "first-unread" }, "New"));
    node.append(messageNode(message, isHead));
    return node;
  }
}

function messageNode(message, isHead) {
  const article = make("div", { class: `message${isHead ? " head" : ""}${message.mine ? " mine" : ""}` });
  const stamp = make("time", { datetime: asDate(message.time).toISOString(), title: moment(message.time) }, time(message.time));
  if (isHead) {
    const key = make("span", { class: "key mono", title: `Fingerprint: ${message.fingerprint}` }, message.fingerprint.slice(0, 9));
    article.append(make("p", { class: "by" }, make("span", { class: "author", dir: "auto" }, message.author), key, stamp));
  } else {
    article.append(make("span", { class: "hidden" }, `${message.author}, ${time(message.time)}: `));
  }
  const text = make("span", { class: "text", dir: "auto" }, ...nodes(message.text));
  const body = make("div", { class: "body", title: moment(message.time) });
  if (message.mine) body.append(showState(make("span", {}), message.state));
  body.append(text);
  if (message.text.length > LONG || message.text.split("\n", 26).length > 25) {
    text.classList.add("long");
    text.style.display = "block";
    body.append(make("button", { class: "more", type: "button", click: ({ currentTarget }) => { text.classList.remove("long"); currentTarget.remove(); } }, "Show all"));
  }
  article.append(body);
  return article;
}

function showState(node, state) {
  const [sign, words] = STATES[state] ?? STATES.sent;
  node.className = `sent ${state}`;
  node.title = words;
  node.replaceChildren(make("span", { "aria-hidden": "true" }, sign), make("span", { class: "hidden" }, ` (${words})`));
  return node;
}
