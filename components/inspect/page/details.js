// The panel beside the picture: the counters of what was picked, a tap on a link, the way of a request.

import { make, rings, short, span, states } from "/rates.js";

const SAMPLES = 100;

let panel, stream = null;

/** Shows a panel with a title and what `fill` puts into it; gives what brings it up to date. */
export function open(aside, title, onClose, ...children) {
  close();
  panel = aside;
  panel.hidden = false;
  const shut = () => { close(); onClose(); };
  panel.replaceChildren(make("button", { class: "close", type: "button", "aria-label": "Close", click: shut }, "✕"), make("h2", {}, title), ...children);
}

export function close() {
  stream?.close();
  stream = null;
  if (panel) panel.hidden = true;
}

function list(pairs) {
  return make("dl", {}, ...pairs.filter(Boolean).flatMap(([term, ...what]) => [make("dt", {}, term), make("dd", {}, ...what)]));
}

const place = (component) => make("code", {}, `${component.file}:${component.line}`);

/** What a component is and does. */
export function component(graph, name) {
  const component = graph.components.find((each) => each.name === name);
  const links = graph.links.flatMap((link) => {
    const to = `${link.to ?? "outside"}.${link.inbox ?? ""}`.replace(/\.$/, "");
    if (link.to === name) return [[`← ${link.from.map((from) => from.component ?? from.outbox).join(", ") || "outside"}`, link.inbox, link.rate, link]];
    return link.from.filter((from) => from.component === name).map((from) => [`→ ${to}`, from.outbox, from.rate, link]);
  });
  return [
    list([
      ["graph", graph.name],
      ["function", make("code", {}, component.kind)],
      ["source", place(component)],
      component.own_thread && ["runs", "on a thread of its own"],
      ["busy", `${(component.busy * 100).toFixed(1)} % of a core, ${span(component.busy_seconds)} in all`],
      ["polls", `${short(component.pollRate)}/s, ${component.polls.toLocaleString("en")} in all`],
      ["faults", `${component.faults}${component.restarts ? `, restarted ${component.restarts} times` : ""}`],
    ]),
    make("h3", {}, "State"),
    make("table", {}, ...component.states.map((state) => make("tr", {},
      make("td", { class: "number" }, state.count.toLocaleString("en")), make("td", {}, "\u00a0"), make("td", {}, inWords(state))))),
    component.states.length ? null : make("p", { class: "quiet" }, "None of them runs."),
    rings(graph).has(name) ? make("p", { class: "in-ring" }, rings(graph).get(name).text) : null,
    make("h3", {}, "Links"),
    make("table", {}, make("tr", {}, make("th", {}, "link"), make("th", {}, "port"), make("th", { class: "number" }, "messages/s"), make("th", { class: "number" }, "queued")),
      ...links.map(([other, port, rate, link]) => make("tr", {}, make("td", {}, other), make("td", { class: "mono" }, port ?? ""),
        make("td", { class: "number" }, short(rate)), make("td", { class: "number" }, `${link.queued}`)))),
  ].filter(Boolean);
}

function inWords(state) {
  const at = state.inboxes?.length ? ` at ${state.inboxes.join(", ")}` : "";
  const before = state.outbox ? ` at ${state.outbox}: ${state.blocked_by ?? "outside"} is full${state.culprit && state.culprit !== state.blocked_by ? `, because of ${state.culprit}` : ""}` : "";
  const since = state.longest_seconds > 0.5 ? ` (the longest for ${span(state.longest_seconds)})` : "";
  return `${states[state.state]}${at}${before}${since}`;
}

/** What goes through a link. */
export function link(graph, edge) {
  const link = graph.links[edge.link];
  return [
    list([
      ["graph", graph.name],
      ["message", make("code", {}, link.message)],
      ["messages", `${short(link.rate)}/s, ${link.messages.toLocaleString("en")} in all`],
      link.bytes !== null && ["bytes", `${short(link.byteRate ?? 0)}/s, ${short(link.bytes)} in all`],
      ["queued", `${link.queued.toLocaleString("en")} in ${graph.running.toLocaleString("en")} queue${graph.running === 1 ? "" : "s"}; the fullest has ${link.fullest} of ${link.capacity}, it has been ${link.high_water}`],
      ["kind", `${link.across ? "across threads" : "within the flow"}${edge.feedback ? ", feedback" : ""}`],
    ]),
  ];
}

/** The ends of a link, as a tap names them. */
export function ends(graph, edge) {
  const link = graph.links[edge.link], from = link.from[edge.feed];
  const name = !from ? "(outside)" : from.component === null ? "(faults)" : `${from.component}.${from.outbox}`;
  return { graph: graph.name, from: name, to: link.to === null ? "(outside)" : `${link.to}.${link.inbox}` };
}

/** A button that taps a link, and what came of it. */
export function tap(target) {
  const samples = make("ol", { class: "samples" }), told = make("p", { class: "quiet" });
  const button = make("button", { type: "button", "aria-pressed": "false" }, "Tap");
  const stop = () => { stream?.close(); stream = null; button.setAttribute("aria-pressed", "false"); button.textContent = "Tap"; };
  button.addEventListener("click", () => {
    if (stream) return stop();
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop the tap";
    told.textContent = "waiting for messages …";
    stream = new EventSource(`/tap?${new URLSearchParams(target)}`);
    stream.addEventListener("sample", ({ data }) => {
      const sample = JSON.parse(data);
      told.textContent = `message ${sample.number.toLocaleString("en")} since the tap; up to ${sample.per_second} a second are shown`;
      samples.prepend(make("li", { class: "mono" }, sample.text + (sample.is_cut ? " …" : "")));
      while (samples.children.length > SAMPLES) samples.lastChild.remove();
    });
    stream.addEventListener("end", () => { stop(); told.textContent = "the tap has ended"; });
    stream.onerror = () => { told.textContent = "no connection"; };
  });
  return [make("p", {}, button), told, samples];
}

/** The instances that stick out. */
export function worst(graph) {
  return [
    make("p", { class: "quiet" }, `${graph.running.toLocaleString("en")} run; these are the furthest off.`),
    make("table", {},
      make("tr", {}, ...["", "age", "queued", "held up", "busy"].map((text, i) => make("th", i ? { class: "number" } : {}, text))),
      ...graph.worst.flatMap((one) => [
        make("tr", {}, make("td", {}, `#${one.number} `, make("small", {}, one.because.map((text) => text.replace("_", " ")).join(", "))),
          ...[span(one.age_seconds), `${one.queued}`, one.blocked_seconds ? span(one.blocked_seconds) : "–", span(one.busy_seconds)]
            .map((text) => make("td", { class: "number" }, text))),
        make("tr", {}, make("td", { colspan: 5, class: "quiet" }, one.states.map((state, i) => [graph.components[i]?.name, state])
          .filter(([name, state]) => name && state && !["waiting_for_message", "ended"].includes(state.state))
          .map(([name, state]) => `${name} ${inWords(state)}`).join("; ") || "waits for messages")),
      ])),
  ];
}

/** A form that has the next request of a path explained, and its way once it has come. `show(hops)` marks it in the picture. */
export function explain(show) {
  const told = make("p", { class: "quiet" }, "The next request whose path matches is explained: where it goes, what each part says to it, how long each takes. Its client notices nothing. * stands for anything.");
  const hops = make("ol", { class: "hops" }), summary = make("div");
  const path = make("input", { type: "text", value: "*", "aria-label": "Path", spellcheck: "false" });
  const ask = (event) => {
    event.preventDefault();
    stream?.close();
    stream = new EventSource(`/explain?${new URLSearchParams({ path: path.value })}`);
    told.textContent = "waiting for such a request …";
    stream.addEventListener("explanation", ({ data }) => {
      stream.close();
      stream = null;
      const explanation = JSON.parse(data);
      told.textContent = "";
      summary.replaceChildren(summaryOf(explanation));
      hops.replaceChildren(...explanation.hops.map((hop) => hopItem(hop, explanation.seconds)));
      show(explanation.hops);
    });
    stream.addEventListener("refused", ({ data }) => { stream?.close(); stream = null; told.textContent = data; });
    stream.onerror = () => { told.textContent = "no connection"; };
  };
  return [make("form", { submit: ask }, path, make("button", {}, "Explain the next")), told, summary, hops];
}

function summaryOf({ request, response, seconds, tls }) {
  const certificate = tls?.certificate;
  return list([
    ["request", make("code", {}, `${request.method} ${request.target}`)],
    ["from", request.peer],
    ...tls ? [["TLS", tls.session]] : [],
    ...certificate ? [["certificate", `${certificate.names.join(", ")}, by ${certificate.issuer}, ${certificate.days_left} days left`]] : [],
    ["response", `${response.status} ${response.reason}, ${response.length === null ? "of unknown length" : `${short(response.length)} bytes`}`],
    ["time", span(seconds)],
  ]);
}

function hopItem(hop, all) {
  const bar = make("div", { class: "bar" });
  bar.style.width = `${Math.max(1, (100 * hop.seconds) / all)}%`;
  const rules = (hop.rules ?? []).map(({ rule, verdict }) => make("li", {}, `${rule}: ${verdict}`));
  return make("li", {}, make("span", { class: "took" }, span(hop.seconds)), make("b", {}, hop.component), ` ${hop.verdict}`,
    rules.length ? make("ul", {}, ...rules) : null, bar);
}
