// The live view: takes a census a second from the server and shows it.

import * as details from "/details.js";
import { colour, draw, fit } from "/picture.js";
import { showRoutes } from "/routes.js";
import { addRates, keyOf, make, short, span } from "/rates.js";

const find = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 60rem)");
const panels = new Map();   // of the graphs, by key
const faults = [];          // {at: ms, text}
const policies = { stop: "its graph has stopped", carry_on: "its graph goes on without it", restart: "it was started again" };
const TIMELINE = 300;       // seconds

let events = null, before, census = null, sketches = [], chosen = null, path = new Set(), wanted = location.hash;

// --- what comes in ---

function connect() {
  events = new EventSource("/events");
  events.addEventListener("hello", ({ data }) => {
    const { program, pid, explains, explain_field: field } = JSON.parse(data);
    find("explain").hidden = !explains;
    find("explain").title = field ? `A client may ask with the field ${field}` : "";
    find("program").textContent = `${program} `;
    find("program").append(make("small", {}, `process ${pid}`));
    document.title = `${program}: what runs`;
    // It may be another process than before.
    before = undefined;
    faults.length = 0;
  });
  events.addEventListener("census", ({ data }) => {
    census = JSON.parse(data);
    document.body.classList.remove("lost");
    before = addRates(census, before);
    noteFaults();
    show();
  });
  events.addEventListener("tls", ({ data }) => showTls(JSON.parse(data)));
  events.addEventListener("routes", ({ data }) => showRoutes(find("routes"), JSON.parse(data)));
  events.addEventListener("sketches", ({ data }) => { sketches = JSON.parse(data); show(); });
  events.onerror = () => { document.body.classList.add("lost"); find("uptime").textContent = "no connection; trying again …"; };
}

function disconnect() { events?.close(); events = null; }

// --- the page ---

function show() {
  if (!census) return;
  find("uptime").textContent = `up ${span(census.uptime_seconds)}`;
  find("workers").replaceChildren(...census.workers.map((worker) => make("span", { class: `worker${worker.answers ? "" : " stuck"}`,
    title: worker.at ? `at ${worker.at.component} of ${worker.at.graph}` : "" },
    worker.answers ? `worker ${worker.index}` : `worker ${worker.index} does not answer${worker.at ? `: ${worker.at.component}` : ""}`)));
  const drawn = [...inOrder(census.graphs), ...sketches.map(sketched)];
  const keys = new Set(drawn.map(keyOf));
  for (const [key, panel] of panels) if (!keys.has(key)) { panel.root.remove(); panels.delete(key); }
  if (!panels.size) find("graphs").replaceChildren();
  drawn.forEach((graph, i) => {
    const panel = panels.get(keyOf(graph)) ?? newPanel(graph);
    panel.graph = graph;
    if (find("graphs").children[i] !== panel.root) find("graphs").insertBefore(panel.root, find("graphs").children[i] ?? null);
    refresh(panel);
  });
  search();
  if (wanted) openWanted();
  showDetails();
  showFaults();
}

/** The handshakes and certificates, if the server speaks TLS. */
function showTls({ waiting, full, resumed, failures, certificates, renewals }) {
  const count = (number) => number.toLocaleString("en");
  const failed = failures.map(({ ended_by: by, reason, count: number }) => `${count(number)} failed (${reason}, by the ${by})`);
  const ends = certificates.map(({ names, days_left: days }) => `${names[0] ?? "certificate"}: ${days < 0 ? "expired" : `${count(days)} days left`}`);
  find("tls").hidden = !certificates.length;
  const orders = renewals.map(({ name, state, last_error: error }) => `ACME: ${name} ${state}${error ? ` (${error})` : ""}`);
  find("tls").textContent = `TLS handshakes: ${[`${count(full)} full`, `${count(resumed)} resumed`, `${count(waiting)} waiting`, ...failed].join(", ")}. ${[...ends, ...orders].join("; ")}`;
}

/** Opens what the address asks for: `#graph/component`, or `#explain`. */
function openWanted() {
  const [name, what] = decodeURIComponent(wanted.slice(1)).split("/");
  const panel = [...panels.values()].find((each) => each.graph.name === name && each.picture);
  if (name === "explain") openExplain();
  else if (panel?.picture.parts.has(what)) choose("component", panel, what);
  else if (panel?.picture.edges.has(what)) choose("link", panel, panel.picture.edges.get(what));
  else return;
  wanted = "";
}

/** Families of graphs, the largest first, each in the order in which they start each other; then what does not run. */
function inOrder(graphs) {
  const starter = (graph) => graphs.find((each) => each !== graph && each.name === graph.started_by?.graph);
  const line = (graph, left = 8) => { const first = left ? starter(graph) : null; return first ? [...line(first, left - 1), graph] : [graph]; };
  const lines = new Map(graphs.map((graph) => [graph, line(graph)]));
  const size = (root) => graphs.filter((graph) => lines.get(graph)[0] === root && graph.running).reduce((sum, graph) => sum + graph.components.length, 0);
  const rank = (graph) => [graph.running ? 0 : 1, -size(lines.get(graph)[0]), lines.get(graph).length, -graph.components.length];
  const ranks = new Map(graphs.map((graph) => [graph, rank(graph)]));
  const compare = (a, b) => a.map((one, i) => one - b[i]).find((difference) => difference) ?? 0;
  return [...graphs].sort((a, b) => compare(ranks.get(a), ranks.get(b)));
}

/** A program that has drawn itself, in the shape of a graph of the census. */
function sketched({ program, name, is_connected, sketch }) {
  const names = new Map(), taken = new Set();
  for (const node of sketch.nodes) {
    let unique = node.name || node.id;
    while (taken.has(unique)) unique += "′";
    taken.add(unique);
    names.set(node.id, unique);
  }
  return {
    name: `${name}`, shape: `sketch ${program} ${JSON.stringify([sketch.nodes.map(({ id, name }) => [id, name]), sketch.links])}`, isSketch: true, isConnected: is_connected, running: 1, started: 1, failed: 0, worst: [], started_by: null,
    components: sketch.nodes.map((node) => ({ name: names.get(node.id), kind: node.kind, states: [{ state: "running", count: 0 }], faults: 0, busy: 0, note: node.kind })),
    links: sketch.links.map(({ from, to }) => ({ from: [{ component: names.get(from), outbox: "", messages: 0, rate: 0 }], to: names.get(to), inbox: "", message: "", queued: 0, fullest: 0, capacity: 1, rate: 0, fill: 0, messages: 0 })),
  };
}

function newPanel(graph) {
  const title = make("summary"), stage = make("div", { class: "stage" });
  const root = make("details", { class: "graph" }, title, stage);
  const panel = { root, title, stage, graph, picture: null, isNarrow: null };
  root.addEventListener("toggle", () => refresh(panel));
  title.addEventListener("click", () => { panel.isOpenedByHand = true; });
  panels.set(keyOf(graph), panel);
  return panel;
}

function refresh(panel) {
  const { graph, root } = panel;
  const facts = graph.isSketch
    ? [`drawn by the program itself${graph.isConnected ? "" : ", which has gone"}`]
    : [`${graph.running.toLocaleString("en")} running`, `${graph.started.toLocaleString("en")} started${graph.startRate > 0 ? ` (${short(graph.startRate)}/s)` : ""}`];
  if (graph.started_by) facts.push(`by ${graph.started_by.component} of ${graph.started_by.graph}`);
  const worst = graph.worst.length ? make("button", { class: "worst", type: "button", click: (event) => { event.preventDefault(); choose("worst", panel); } }, "The worst") : null;
  const focused = panel.title.contains(document.activeElement) && document.activeElement.className === "worst";
  panel.title.replaceChildren(make("b", {}, graph.name), ...facts.map((fact) => make("span", {}, fact)),
    ...(graph.rings ?? []).map((ring) => make("span", { class: "in-ring" }, `${graph.running > 1 ? `${ring.count.toLocaleString("en")} of them: ` : ""}${ring.text}`)),
    graph.failed ? make("span", { class: "bad" }, `${graph.failed.toLocaleString("en")} failed`) : "", worst ?? "");
  if (focused) worst?.focus();
  // What runs is opened, and what has failed; the reader may think otherwise.
  const isOfInterest = graph.running > 0 || graph.components.some(({ faults }) => faults > 0);
  if (isOfInterest && !panel.isOpenedByHand) root.open = true;
  if (!root.open) return;
  if (!panel.picture || panel.isNarrow !== narrow.matches) {
    panel.isNarrow = narrow.matches;
    root.classList.toggle("small", graph.components.length < 4);
    panel.picture = draw(panel.stage, graph, (kind, what) => choose(kind, panel, what), panel.isNarrow);
  }
  if (panel.room !== panel.stage.clientWidth) fit(panel.picture.svg);
  panel.room = panel.stage.clientWidth;
  if (graph.isSketch) graph.components.forEach((each) => { panel.picture.parts.get(each.name).note.textContent = each.note === "-" ? "" : each.note; });
  else colour(panel.picture, graph);
  mark(panel);
}

function mark(panel) {
  const is = (kind, what) => chosen?.panel === panel && chosen.kind === kind && (chosen.what === what || chosen.what?.id === what);
  for (const [name, part] of panel.picture.parts) part.g.classList.toggle("chosen", is("component", name));
  for (const [id, edge] of panel.picture.edges) {
    edge.g.classList.toggle("chosen", is("link", id));
    const { from, to } = details.ends(panel.graph, edge);
    edge.g.classList.toggle("path", panel.graph.name === "connection" && path.has(`${from.replace(/\[\d+\]$/, "")} ${to}`));
  }
}

function choose(kind, panel, what) {
  chosen = { kind, panel, what };
  history.replaceState(null, "", kind === "worst" ? "#" : `#${encodeURIComponent(`${panel.graph.name}/${what.id ?? what}`)}`);
  const body = make("div"), title = kind === "link" ? `${what.from} → ${what.to}`.replace(/[<>]\d+/g, "outside").replace("<faults", "faults") : kind === "worst" ? panel.graph.name : what;
  chosen.body = body;
  const extra = kind === "link" && !panel.graph.isSketch ? details.tap(details.ends(panel.graph, what)) : [];
  details.open(find("details"), title, unchoose, body, ...extra);
  showDetails();
  mark(panel);
  keepInSight(panel, kind, what);
}

/** Scrolls what was chosen to where it can be seen: within its graph, and above the details where these cover the page. */
function keepInSight({ picture, stage }, kind, what) {
  const edge = kind === "link" && picture.edges.get(what.id);
  const mark = edge ? (edge.label.textContent ? edge.label : edge.head) : picture.parts.get(what)?.g;
  if (!mark) return;
  const box = mark.getBoundingClientRect(), room = stage.getBoundingClientRect();
  // The details may grow with the next census, up to this height (see view.css).
  const lowest = narrow.matches ? innerHeight * 0.45 : innerHeight;
  if (box.left < room.left || box.right > room.right) stage.scrollBy({ left: (box.left + box.right - room.left - room.right) / 2 });
  if (box.top < 0 || box.bottom > lowest) scrollBy({ top: (box.top + box.bottom - lowest) / 2 });
}

function unchoose() {
  history.replaceState(null, "", "#");
  const panel = chosen?.panel;
  chosen = null;
  if (panel?.picture) mark(panel);
}

function showDetails() {
  if (!chosen?.body) return;
  const { kind, panel, what, body } = chosen, graph = panel.graph;
  if (!panels.has(keyOf(graph))) { details.close(); return unchoose(); }
  if (graph.isSketch) return body.replaceChildren(make("p", { class: "quiet" }, "Drawn by the program itself: its topology lines say no more."));
  body.replaceChildren(...{ component: details.component, link: details.link, worst: details.worst }[kind](graph, what));
}

// --- search ---

function search() {
  const words = find("search").value.trim().toLowerCase();
  for (const { picture, graph } of panels.values()) {
    if (!picture) continue;
    for (const component of graph.components) {
      const text = `${component.name} ${component.kind} ${component.file ?? ""} ${graph.name}`.toLowerCase();
      picture.parts.get(component.name)?.g.classList.toggle("dim", words !== "" && !text.includes(words));
    }
    for (const edge of picture.edges.values()) {
      const text = `${edge.from} ${edge.to} ${graph.links[edge.link].message} ${graph.name}`.toLowerCase();
      edge.g.classList.toggle("dim", words !== "" && !text.includes(words));
    }
  }
}

// --- faults ---

function noteFaults() {
  const now = Date.now(), known = faults.at(-1)?.uptime ?? -1;
  for (const fault of census.faults.filter(({ at_seconds }) => at_seconds > known)) {
    const at = now - (census.uptime_seconds - fault.at_seconds) * 1000;
    faults.push({ at, uptime: fault.at_seconds, text: `${fault.component} of ${fault.graph} ${fault.text} (${policies[fault.policy] ?? fault.policy})` });
  }
  faults.splice(0, Math.max(0, faults.length - 200));
}

function showFaults() {
  const now = Date.now(), line = find("timeline"), width = line.clientWidth || 600;
  const x = (at) => width - 12 - ((now - at) / 1000 / TIMELINE) * (width - 24);
  const ticks = [5, 4, 3, 2, 1, 0].map((minutes) => make("text", { class: "tick", x: x(now - minutes * 60000), y: 31, "text-anchor": "middle" }, minutes ? `−${minutes} min` : "now"));
  const dots = faults.filter(({ at }) => now - at < TIMELINE * 1000).map(({ at, text }) => make("circle", { class: "fault", cx: x(at), cy: 9, r: 5 }, make("title", {}, text)));
  line.replaceChildren(make("line", { class: "axis", x1: 12, x2: width - 12, y1: 9, y2: 9 }), ...ticks, ...dots);
  const items = [...faults].reverse().slice(0, 50).map(({ at, text }) => make("li", {}, make("time", {}, new Date(at).toLocaleTimeString("en-GB")), text));
  find("fault-list").replaceChildren(...items);
}

// --- controls ---

find("pause").addEventListener("click", ({ currentTarget: button }) => {
  const pause = events !== null;
  button.setAttribute("aria-pressed", pause);
  button.textContent = pause ? "Go on" : "Pause";
  if (pause) disconnect(); else connect();
});
function openExplain() {
  chosen = null;
  const showPath = (hops) => {
    // A request that is explained comes by a way round: in the picture it is one like any other.
    path = new Set(["reader.outbox parser.bytes", "parser.requests explain.requests", `explain.passed ${hops[0]?.to}`, ...hops.map(({ from, to }) => `${from} ${to}`)]);
    for (const panel of panels.values()) if (panel.picture) mark(panel);
  };
  details.open(find("details"), "Explain a request", () => { path.clear(); show(); }, ...details.explain(showPath));
}
find("explain").addEventListener("click", openExplain);
find("search").addEventListener("input", search);
narrow.addEventListener("change", show);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== find("search")) { event.preventDefault(); find("search").focus(); }
  if (event.key === "Escape" && !find("details").hidden) { details.close(); unchoose(); }
});
connect();
