// The routes of an application: how often each is used, and how long its requests take.

import { make, short, span } from "/rates.js";

const SLOW = 0.25;          // seconds: a user notices such a wait

/** Heading, whether it is a number, what it is sorted by, what it shows. */
const columns = [
  ["method", false, null, (route) => route.method || "other"],
  ["route", false, null, (route) => route.pattern || "no route"],
  ["handler", false, null, (route) => route.handler],
  ["running", true, (route) => route.running, (route) => route.running.toLocaleString("en")],
  ["requests", true, (route) => route.answered, (route) => route.answered.toLocaleString("en")],
  ["requests/s", true, (route) => route.rate, (route) => short(route.rate)],
  ["unanswered", true, (route) => route.unanswered, (route) => route.unanswered.toLocaleString("en")],
  ["5xx", true, (route) => route.failed, (route) => route.failed.toLocaleString("en")],
  ["median", true, (route) => route.median_seconds, (route) => timed(route, route.median_seconds)],
  ["99 %", true, (route) => route.ninety_ninth_seconds, (route) => timed(route, route.ninety_ninth_seconds)],
  ["slowest", true, (route) => route.slowest?.seconds ?? 0, slowest],
];

let order = null, before = new Map(), last = [];

function timed(route, seconds) { return route.answered ? span(seconds) : "–"; }

function slowest({ slowest }) {
  if (!slowest) return "–";
  return make("span", { title: `${slowest.path}, ${span(slowest.ago_seconds)} ago` }, span(slowest.seconds));
}

/** Notes how many requests a second each route has had since the last time. */
function addRates(routes) {
  const now = performance.now() / 1000, counts = new Map();
  routes.forEach((route, i) => {
    const old = before.get(i);
    route.rate = old ? Math.max(0, route.answered - old.answered) / Math.max(0.1, now - old.at) : 0;
    counts.set(i, { answered: route.answered, at: now });
  });
  before = counts;
}

/** Shows the routes; those without a handler only if they were asked for. */
export function showRoutes(section, routes) {
  addRates(routes);
  last = routes;
  section.hidden = !routes.length;
  draw(section);
}

function draw(section) {
  const sortBy = (column) => () => { order = order === column ? null : column; draw(section); };
  const heading = ([name, isNumber, value], i) => make("th", { class: isNumber ? "number" : "" },
    value ? make("button", { type: "button", "aria-pressed": String(order === i), click: sortBy(i) }, name) : name);
  const shown = last.filter((route) => route.handler || route.answered || route.running || route.unanswered);
  const value = order === null ? null : columns[order][2];
  if (value) shown.sort((a, b) => value(b) - value(a));
  const focused = [...section.querySelectorAll("thead button")].indexOf(document.activeElement);
  section.querySelector("thead").replaceChildren(make("tr", {}, ...columns.map(heading)));
  section.querySelectorAll("thead button")[focused]?.focus();
  section.querySelector("tbody").replaceChildren(...shown.map((route) => {
    const isSlow = Math.max(route.ninety_ninth_seconds, route.answered ? 0 : route.slowest?.seconds ?? 0) >= SLOW;
    return make("tr", { class: isSlow ? "slow" : "" }, ...columns.map(([, isNumber, , show], i) =>
      make("td", { class: isNumber ? "number" : i === 2 ? "place" : "" }, show(route))));
  }));
}
