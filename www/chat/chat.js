// The page of a peer: what it knows comes as events from the peer, and what its reader does goes
// there as commands.

import * as dialogs from "./dialogs.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import * as notify from "./notify.js";
import { make, moment, nodes } from "./text.js";

const find = (id) => document.getElementById(id);
const link = new Link(), log = new Log(find);
const channels = new Map(), offered = new Map(), people = new Map(), drafts = new Map();
let me = null, current = null, opened = null, opening = Promise.resolve(), tracker = "", isShut = false;

// --- what the peer says ---

const events = {
  hello({ me: mine, channels: all, peers, tracker: state }) {
    me = mine;
    find("my-name").textContent = me.name;
    find("my-fingerprint").textContent = me.fingerprint.slice(0, 9);
    find("my-fingerprint").hidden = false;
    channels.clear();
    people.clear();
    for (const channel of all) channels.set(channel.id, channel);
    for (const peer of peers) people.set(peer.fingerprint, peer);
    tracker = state;
    opened = null;
    route(true);
  },
  channel(channel) {
    // Others have channels that the reader has not joined.
    if (channel.joined === false) { channels.delete(channel.id); offer(channel); }
    else { channels.set(channel.id, channel); offered.delete(channel.id); }
    // The address of the page may name it before the peer does.
    if (channel.id === current ? !channels.has(current) : channel.id === named()) route();
  },
  refresh({ channel }) { if (channel === current && opened === current) opening = log.refresh().catch(() => {}); },
  left({ channel }) {
    channels.delete(channel);
    drafts.delete(channel);
    if (current === channel) location.hash = "";
  },
  message({ channel: id, message }) {
    const channel = channels.get(id);
    if (channel) channel.last = message;
    if (id === current && opened === current) log.add(message);
    if (message.mine) return;
    const place = channel ? shownName(channel) : "";
    if (id === current && notify.isWatched()) find("announce").textContent = `${message.author}: ${message.text.slice(0, 300)}`;
    if (id !== current || !notify.isWatched()) {
      const heading = channel?.policy === "direct" ? message.author : `${message.author} in ${place}`;
      notify.announce(heading, message.text, id, () => { location.hash = `#${encodeURIComponent(id)}`; });
    }
  },
  state({ channel, message, state }) {
    if (channel === current) log.update(message, state);
    const last = channels.get(channel)?.last;
    if (last?.id === message) last.state = state;
  },
  peer(peer) {
    if (peer.gone) people.delete(peer.fingerprint); else people.set(peer.fingerprint, peer);
  },
  tracker({ state }) { tracker = state; },
};

link.addEventListener("event", ({ detail }) => {
  events[detail.event]?.(detail);
  showSoon();
});

link.addEventListener("open", () => {
  find("lost").hidden = true;
  isShut = false;
  showSoon();
  link.ask("channels").then(({ channels: all }) => {
    offered.clear();
    for (const channel of all) if (!channels.has(channel.id)) offered.set(channel.id, channel);
    showSoon();
  }).catch(() => {});
});

link.addEventListener("closed", ({ detail: { wait, isFinal, reason } }) => {
  opened = null;
  isShut = isFinal;
  showSoon();
  const lost = find("lost");
  lost.hidden = false;
  if (isFinal) lost.replaceChildren(reason || "Open the address that start_peer has printed.");
  else lost.replaceChildren(`No connection to your peer. Trying again ${wait < 1500 ? "now" : `in ${Math.round(wait / 1000)} s`} … `, make("button", { type: "button", click: () => link.hurry() }, "Try now"));
});

addEventListener("online", () => link.hurry());
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") link.hurry(); });

// --- what is shown ---

let isDue = false;
/** Shows what has changed, once for many events. A page in the background has no frames. */
function showSoon() {
  if (isDue) return;
  isDue = true;
  const draw = () => { isDue = false; show(); };
  if (document.visibilityState === "visible") requestAnimationFrame(draw); else setTimeout(draw, 300);
}

function show() {
  const state = find("link");
  const isOpen = link.isOpen && me;
  state.className = isOpen ? "open" : "lost";
  state.textContent = isOpen ? (tracker === "away" ? "Connected, tracker away" : "Connected") : isShut ? "Not connected" : me ? "Reconnecting …" : "Connecting …";
  state.title = isOpen && tracker === "away" ? "New people cannot be found; conversations go on." : "";
  const all = [...channels.values()];
  const byName = (a, b) => shownName(a).localeCompare(shownName(b));
  const byTime = (a, b) => (b.last?.time ?? 0) - (a.last?.time ?? 0);
  fill(find("channels"), all.filter(({ policy }) => policy !== "direct").sort(byName), channelItem);
  const directs = all.filter(({ policy }) => policy === "direct").sort(byTime);
  fill(find("directs"), directs, channelItem);
  find("direct-title").hidden = !directs.length;
  const rank = { direct: 0, reconnecting: 1, away: 2, unknown: 3 };
  const present = [...people.values()].map(seen).sort((a, b) => rank[a.state] - rank[b.state] || a.name.localeCompare(b.name));
  fill(find("people"), present, personItem);
  // Before the first connection nothing is known.
  find("nobody").hidden = present.length > 0 || !me;
  find("no-channels").hidden = all.some(({ policy }) => policy !== "direct") || !me;
  for (const id of ["create", "find", "invite", "leave", "send"]) find(id).disabled = !isOpen;
  const invitations = [...offered.values()].filter(({ policy }) => policy === "invite").length;
  find("find").replaceChildren("Join", ...(invitations ? [" ", make("span", { class: "badge", title: "Invitations" }, `${invitations}`)] : []));
  showHead();
  const unread = all.reduce((sum, channel) => sum + (channel.unread || 0), 0);
  notify.title(unread, channels.has(current) ? shownName(channels.get(current)) : "");
}

/** Fills a list, and keeps the nodes that it has, so that the focus stays. */
function fill(list, items, draw) {
  const known = new Map([...list.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, i) => {
    const key = item.id ?? item.fingerprint, node = known.get(key) ?? make("li", { "data-key": key });
    known.delete(key);
    draw(node, item);
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
  for (const node of known.values()) node.remove();
}

function shownName(channel) { return channel.name || "(without a name)"; }

function channelItem(node, channel) {
  const button = node.firstChild ?? node.appendChild(make("button", { type: "button", click: () => { location.hash = `#${encodeURIComponent(node.dataset.key)}`; if (node.dataset.key === current) find("text").focus(); } }));
  const kind = { direct: "@", invite: "▣", "read-only": "◉" }[channel.policy] ?? "#";
  node.classList.toggle("unread", channel.unread > 0);
  button.setAttribute("aria-current", channel.id === current);
  const badge = channel.unread > 0 ? make("span", { class: "badge" }, channel.unread > 999 ? "999+" : `${channel.unread}`, make("span", { class: "hidden" }, " unread")) : null;
  button.replaceChildren(make("span", { class: "kind", "aria-hidden": "true" }, kind), make("span", { class: "name", dir: "auto" }, shownName(channel)), ...(badge ? [badge] : []));
}

const STATES = { direct: "connected directly", reconnecting: "reconnecting", away: "away", unknown: "not known without your peer" };
const SHORT = { reconnecting: "reconnects", away: "away" };

/** A person, as far as it is known: nobody says who is there while the peer is gone. */
function seen(person) { return link.isOpen ? person : { ...person, state: "unknown", queue: 0 }; }

function personItem(node, person) {
  node.className = "row";
  const { fingerprint } = person;
  if (!node.firstChild) {
    node.append(make("button", { type: "button", click: () => writeTo(people.get(fingerprint)) }),
      make("button", { type: "button", class: "plain", title: "Show the fingerprint", click: () => dialogs.fingerprint(people.get(fingerprint).name, fingerprint, false) }, "key"));
  }
  const [button, key] = node.children;
  const facts = [person.state === "direct" ? (person.rtt_ms === null || person.rtt_ms === undefined ? "" : `${person.rtt_ms < 10 ? Math.max(0.1, person.rtt_ms).toFixed(1) : Math.round(person.rtt_ms)} ms`) : SHORT[person.state], person.queue > 9 || (person.queue && person.state !== "direct") ? `${person.queue} queued` : ""];
  button.title = `${person.name}: ${STATES[person.state]}. Write to ${person.name}`;
  key.setAttribute("aria-label", `Fingerprint of ${person.name}`);
  button.replaceChildren(make("span", { class: `state ${person.state}`, "aria-hidden": "true" }), make("span", { class: "name", dir: "auto" }, person.name),
    make("span", { class: "fact" }, facts.filter(Boolean).join(", ")), make("span", { class: "hidden" }, STATES[person.state]));
}

/** What names a peer in a command: its name, if no other peer has the same. */
function handle({ name, fingerprint }) {
  return [...people.values()].filter((other) => other.name === name).length > 1 ? fingerprint : name;
}

async function writeTo(person) {
  try {
    const { channel } = await link.ask("direct", { peer: handle(person) });
    location.hash = `#${encodeURIComponent(channel)}`;
  } catch (error) { refuse(error.message); }
}

function showHead() {
  const channel = channels.get(current);
  find("welcome").hidden = Boolean(channel) || !me;
  find("conversation").hidden = !channel;
  if (!channel) return;
  const isDirect = channel.policy === "direct";
  find("room-name").textContent = `${isDirect ? "" : "# "}${shownName(channel)}`;
  const members = Array.isArray(channel.members) ? channel.members.length : channel.members;
  const other = isDirect ? [...people.values()].map(seen).find(({ name }) => name === channel.name) : null;
  const facts = isDirect ? [other ? STATES[other.state] : "", other ? other.fingerprint : ""]
    : [dialogs.policyName(channel.policy), channel.owner ? `owner ${channel.owner}` : "", members ? `${members} ${members === 1 ? "member" : "members"}` : ""];
  find("room-facts").textContent = facts.filter(Boolean).join(" · ");
  find("room-facts").title = Array.isArray(channel.members) ? channel.members.map((member) => member.name ?? member).join(", ") : "";
  find("invite").hidden = channel.policy !== "invite" || channel.owner !== me?.name;
  find("leave").hidden = isDirect;
  const mayWrite = channel.may_write !== false, text = find("text");
  text.disabled = !mayWrite;
  text.placeholder = mayWrite ? `Message ${isDirect ? shownName(channel) : `to ${shownName(channel)}`}` : "Only the owner writes here";
  find("send").hidden = !mayWrite;
}

// --- which conversation is open ---

/** The conversation that the address of the page names. */
function named() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; /* None has such a name. */ }
}

/** Opens what the address of the page names. */
function route(isStart = false) {
  let id = named();
  if (!channels.has(id) && isStart && me && matchMedia("(min-width: 44.01rem)").matches) id = firstChannel();
  if (!channels.has(id)) id = "";
  document.body.classList.toggle("show-channels", id === "");
  if (id !== current) {
    if (current) drafts.set(current, find("text").value);
    current = id || null;
    find("text").value = drafts.get(current) ?? "";
    fit();
    refuse("");
    opened = null;
    log.close();
  }
  if (me) show();
  // It has its height once it is shown.
  fit();
  if (current && opened !== current && link.isOpen) opening = openCurrent();
}

function firstChannel() {
  const all = [...channels.values()].sort((a, b) => (b.last?.time ?? 0) - (a.last?.time ?? 0));
  return (all.find(({ unread }) => unread > 0) ?? all[0])?.id ?? "";
}

async function openCurrent() {
  const id = opened = current;
  try {
    await log.open((before, limit) => link.ask("history", { channel: id, before, limit }), channels.get(id));
    // On a phone, the keyboard would hide what the reader wants to see.
    if (id === current && matchMedia("(hover: hover)").matches && !find("dialog").open) find("text").focus();
  } catch (error) { if (id === current) { opened = null; refuse(error.message); } }
}

log.addEventListener("seen", ({ detail }) => {
  // If it fails, the peer tells the position when the page connects again.
  link.ask("read", { channel: current, message: detail }).catch(() => {});
});

addEventListener("hashchange", () => route());
find("back").addEventListener("click", () => { location.hash = ""; });

/** A channel that the reader can join: an invitation is told. */
function offer(channel) {
  if (channel.policy === "invite" && !offered.has(channel.id)) notify.announce("An invitation", `${channel.owner} invites you to ${shownName(channel)}`, channel.id, () => find("find").click());
  offered.set(channel.id, channel);
}

/** Goes to the next or the previous conversation. */
function step(by) {
  const ids = [...document.querySelectorAll("#channels > li, #directs > li")].map((node) => node.dataset.key);
  if (ids.length) location.hash = `#${encodeURIComponent(ids[(ids.indexOf(current) + by + ids.length) % ids.length])}`;
}

// --- writing ---

const text = find("text");

function fit() {
  text.style.height = "auto";
  const height = text.scrollHeight + 2;
  text.style.height = `${Math.min(180, height)}px`;
  // Otherwise a scroll bar stands beside a single line.
  text.style.overflowY = height > 180 ? "auto" : "hidden";
}

function refuse(words) {
  find("refused").textContent = words;
  find("refused").hidden = !words;
}

async function send() {
  const channel = current, words = text.value;
  if (!words.trim() || !channel) return;
  if (!link.isOpen) return refuse("There is no connection to your peer. Your text stays here; send it when the connection is back.");
  text.value = "";
  fit();
  try { await link.ask("send", { channel, text: words }); refuse(""); } catch (error) {
    // What could not be sent is not lost.
    if (channel === current && !text.value) { text.value = words; fit(); } else if (!drafts.get(channel)) drafts.set(channel, words);
    refuse(`Not sent: ${error.message}`);
  }
}

text.addEventListener("input", fit);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});
find("write").addEventListener("submit", (event) => { event.preventDefault(); send(); text.focus(); });

// --- search ---

let searches = 0;
async function search() {
  const words = find("search").value.trim(), turn = ++searches;
  if (!words) return void (find("found").hidden = true);
  try {
    const { messages } = await link.ask("search", { text: words, channel: null });
    if (turn !== searches) return;
    find("found").hidden = false;
    find("found-count").textContent = messages.length ? `${messages.length} ${messages.length === 1 ? "message" : "messages"} with “${words}”` : `No message has “${words}”.`;
    find("found-list").replaceChildren(...messages.map((message) => make("li", {}, make("button", { type: "button", click: () => reveal(message) },
      make("span", { class: "where" }, `${message.author} · ${channels.has(message.channel) ? shownName(channels.get(message.channel)) : ""} · ${moment(message.time)}`),
      make("span", { class: "what", dir: "auto" }, ...plain(message.text, words))))));
  } catch (error) {
    if (turn !== searches) return;
    find("found").hidden = false;
    find("found-list").replaceChildren();
    find("found-count").textContent = error.message;
  }
}

/** A text without links, because it stands in a button. */
function plain(words, mark) {
  return nodes(words, mark).map((node) => (node.localName === "a" ? document.createTextNode(node.textContent) : node));
}

async function reveal(message) {
  if (!channels.has(message.channel)) return;
  if (matchMedia("(max-width: 60rem)").matches) find("found").hidden = true;
  if (current !== message.channel) {
    location.hash = `#${encodeURIComponent(message.channel)}`;
    await new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
  }
  await opening;
  if (!(await log.reveal(message.id)) && current === message.channel) refuse("This message is not in the history any more.");
}

let typing = 0;
find("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 250); });
find("search-form").addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); search(); });
function closeSearch() { find("search").value = ""; find("found").hidden = true; searches++; }
find("found-close").addEventListener("click", () => { closeSearch(); text.focus(); });

// --- dialogs ---

find("create").addEventListener("click", () => dialogs.create(async (name, policy) => {
  const { channel } = await link.ask("create", { channel: name, policy });
  if (channel) location.hash = `#${encodeURIComponent(channel.id ?? channel)}`;
}));

find("find").addEventListener("click", async () => {
  try {
    const { channels: all } = await link.ask("channels");
    const items = all.filter(({ id }) => !channels.has(id)).map((channel) => ({ ...channel, name: shownName(channel), fact: `${dialogs.policyName(channel.policy)}${channel.owner ? `, owner ${channel.owner}` : ""}` }));
    dialogs.choose("Join a channel", items, "The people that you are connected to have no other channels. Create one.", async ({ id }) => {
      await link.ask("join", { channel: id });
      location.hash = `#${encodeURIComponent(id)}`;
    });
  } catch (error) { refuse(error.message); }
});

find("invite").addEventListener("click", () => {
  const channel = channels.get(current);
  const items = [...people.values()].map((person) => ({ ...person, fact: STATES[person.state] }));
  dialogs.choose(`Invite to ${shownName(channel)}`, items, "Nobody else is here yet.", (person) => link.ask("invite", { channel: channel.id, peer: handle(person) }));
});

find("leave").addEventListener("click", () => {
  const channel = channels.get(current);
  dialogs.confirm(`Leave ${shownName(channel)}?`, "You get no more messages of this channel. You can join it again, if its policy allows it.", "Leave", () => link.ask("leave", { channel: channel.id }));
});

document.querySelector(".skip").addEventListener("click", (event) => {
  // The address names the conversation.
  event.preventDefault();
  find("text").focus();
});
find("my-fingerprint").addEventListener("click", () => dialogs.fingerprint(me.name, me.fingerprint, true));
find("dialog").addEventListener("click", ({ target, currentTarget }) => { if (target === currentTarget) currentTarget.close(); });

// --- keys ---

addEventListener("keydown", (event) => {
  if (find("dialog").open) return;
  const isTyping = ["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName);
  if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isTyping)) { event.preventDefault(); find("search").focus(); }
  else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) { event.preventDefault(); step(event.key === "ArrowDown" ? 1 : -1); }
  else if (event.key === "Escape" && !find("found").hidden) { closeSearch(); text.focus(); }
  else if (event.key === "Escape" && !find("newest").hidden) log.toNewest();
});

notify.start();
route();
link.start();
