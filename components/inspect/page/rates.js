// From one census to the next: what each component and link has done in between.

export const keyOf = (graph) => `${graph.name} ${graph.shape}`;

const empty = { seconds: 0, graphs: new Map() };

/** Adds rates, per second, and shares of a core to `census`; gives what the next one needs to do the same. */
export function addRates(census, before = empty) {
  const seconds = census.uptime_seconds - before.seconds;
  const rate = (now, then) => (seconds > 0 && then !== undefined ? Math.max(0, now - then) / seconds : 0);
  const graphs = new Map();
  for (const graph of census.graphs) {
    const old = before.graphs.get(keyOf(graph));
    graph.startRate = rate(graph.started, old?.started);
    graph.components.forEach((component, i) => {
      component.busy = rate(component.busy_seconds, old?.components[i].busy);
      component.pollRate = rate(component.polls, old?.components[i].polls);
    });
    graph.links.forEach((link, i) => {
      link.rate = rate(link.messages, old?.links[i].messages);
      link.byteRate = link.bytes === null ? null : rate(link.bytes, old?.links[i].bytes);
      link.from.forEach((from, j) => { from.rate = rate(from.messages, old?.links[i].from[j]); });
      link.fill = fillOf(graph, link);
    });
    graphs.set(keyOf(graph), {
      started: graph.started,
      components: graph.components.map(({ busy_seconds, polls }) => ({ busy: busy_seconds, polls })),
      links: graph.links.map(({ messages, bytes, from }) => ({ messages, bytes, from: from.map((each) => each.messages) })),
    });
  }
  return { seconds: census.uptime_seconds, graphs };
}

/** How full a queue is, from 0 to 1: that of the worst instance, if there are many. */
function fillOf(graph, link) {
  const all = link.queued / (link.capacity * Math.max(1, graph.running));
  return Math.min(1, Math.max(all, link.fullest / link.capacity));
}

/** The components that wait for each other for ever: by name, the ring that each is in. */
export function rings(graph) {
  return new Map((graph.rings ?? []).flatMap((ring) => ring.components.map((name) => [name, ring])));
}

/** Who is held up in a graph, and who holds others up: a count and the names for each. */
export function pressure(graph) {
  const held = new Map(), culprits = new Map();
  for (const component of graph.components) {
    for (const state of component.states) {
      if (state.state !== "waiting_for_space") continue;
      held.set(component.name, state);
      const culprit = state.culprit ?? state.blocked_by;
      if (culprit) {
        const known = culprits.get(culprit) ?? { count: 0, names: [] };
        culprits.set(culprit, { count: known.count + state.count, names: [...known.names, component.name] });
      }
    }
  }
  return { held, culprits };
}

const units = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** A number in at most four characters, and its unit. */
export function short(number) {
  for (const [size, unit] of units) {
    if (number >= size) return `${(number / size).toFixed(number / size < 10 ? 1 : 0)}${unit}`;
  }
  return number > 0 && number < 10 ? number.toFixed(1).replace(/\.0$/, "") : `${Math.round(number)}`;
}

/** A time span in seconds, for people. */
export function span(seconds) {
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 1e-2 ? 2 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const states = {
  waiting_for_message: "waits for a message",
  waiting_for_space: "is held up",
  waiting_for_world: "waits for the world",
  ready: "is ready",
  running: "runs",
  ended: "has ended",
};

/** Makes an element; `attributes` that are functions are listeners. */
export function make(name, attributes = {}, ...children) {
  const isSvg = ["svg", "g", "path", "rect", "text", "tspan", "circle", "title", "line"].includes(name);
  const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(attribute, value);
    else if (value !== undefined && value !== null) element.setAttribute(attribute, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
