// Text from other people: it becomes text nodes and links, and never markup.

/** Makes an element with attributes, listeners and children. Text is always text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const LINK = /\b(?:https?:\/\/|www\.)[^\s<>"\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069]+/giu;

/** Splits a text into pieces: texts, and links as {href, text}. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = trimmed(match[0]);
    const url = address(shown);
    if (!url) continue;
    if (match.index > from) found.push(text.slice(from, match.index));
    found.push({ href: url, text: shown });
    from = match.index + shown.length;
  }
  if (from < text.length) found.push(text.slice(from));
  return found;
}

/** What ends a sentence does not belong to the link, nor a bracket that the link has not opened. */
function trimmed(link) {
  for (;;) {
    const last = link.at(-1);
    const opened = { ")": "(", "]": "[", "}": "{" }[last];
    const isOpen = opened && link.split(opened).length >= link.split(last).length;
    if (!/[.,;:!?'"*_~)\]}…]/u.test(last) || isOpen) return link;
    link = link.slice(0, -1);
  }
}

function address(text) {
  const url = URL.parse?.(/^www\./i.test(text) ? `https://${text}` : text) ?? null;
  const isLink = url && ["http:", "https:"].includes(url.protocol) && url.hostname.includes(".") | url.hostname === "localhost" | url.hostname.startsWith("[");
  // A user name in a link only hides where it leads.
  return isLink && !url.username && !url.password ? url.href : null;
}

/** The nodes of a text. `mark` is a word to highlight outside of links. */
export function nodes(text, mark = "") {
  return pieces(text).flatMap((piece) => {
    if (typeof piece === "string") return mark ? highlighted(piece, mark) : [document.createTextNode(piece)];
    return [make("a", { href: piece.href, target: "_blank", rel: "noopener noreferrer nofollow" }, piece.text)];
  });
}

function highlighted(text, word) {
  const found = [], plain = text.toLowerCase(), wanted = word.toLowerCase();
  // Some letters change their length with their case: then nothing is highlighted.
  if (plain.length !== text.length || !wanted) return [document.createTextNode(text)];
  let from = 0;
  for (let at; (at = plain.indexOf(wanted, from)) >= 0; from = at + wanted.length) {
    found.push(document.createTextNode(text.slice(from, at)), make("mark", {}, text.slice(at, at + wanted.length)));
  }
  found.push(document.createTextNode(text.slice(from)));
  return found;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const year = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

// Dates end there: a message could say anything.
export const asDate = (ms) => new Date(Math.min(ms, 8.64e15));
export const time = (ms) => clock.format(asDate(ms));
export const moment = (ms) => whole.format(asDate(ms));

/** The number of a day, in the time zone of the reader. */
export const dayOf = (ms) => asDate(ms).toDateString();

export function day(ms) {
  const now = new Date();
  if (dayOf(ms) === now.toDateString()) return "Today";
  if (dayOf(ms) === new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1).toDateString()) return "Yesterday";
  const at = asDate(ms);
  return at.getFullYear() === now.getFullYear() ? date.format(at) : year.format(at);
}
