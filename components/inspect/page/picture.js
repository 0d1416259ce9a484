// A graph as a picture: boxes in flow order, arrows between them. It is laid out when its shape is new, and otherwise only coloured.

import { Graph, layout } from "/dagre.js";
import { make, pressure, rings, short, states } from "/rates.js";

const HEIGHT = 44, LETTER = 7.6;

/** The parts of a graph as nodes and edges; ends that are outside become small circles. */
function outline(graph) {
  const nodes = graph.components.map(({ name }) => ({ id: name, name, width: Math.max(114, name.length * LETTER + 18), height: HEIGHT }));
  const edges = [];
  const end = (id, name) => {
    if (!nodes.some((node) => node.id === id)) nodes.push({ id, name, width: 14 + name.length * 6, height: 26, isEnd: true });
    return id;
  };
  graph.links.forEach((link, i) => {
    const to = link.to ?? end(`>${i}`, link.outside ?? "outside");
    const from = link.from.length ? link.from : [{ isOutside: true }];
    from.forEach((feed, j) => {
      const origin = feed.component ?? (feed.isOutside ? end(`<${i}`, link.outside ?? "outside") : end("<faults", "faults"));
      edges.push({ id: `${i}.${j}`, from: origin, to, link: i, feed: j, feedback: Boolean(feed.feedback) });
    });
  });
  return { nodes, edges };
}

/** Where everything goes. What leads back is not laid out: it would turn the flow round. */
function arrange({ nodes, edges }, isNarrow) {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: isNarrow ? "TB" : "LR", ranksep: isNarrow ? 34 : 52, nodesep: isNarrow ? 18 : 24, edgesep: 13 });
  for (const node of nodes) graph.setNode(node.id, { ...node });
  for (const edge of edges) if (!edge.feedback) graph.setEdge(edge.from, edge.to, {}, edge.id);
  layout(graph);
  return graph;
}

/** The points of a link that leads back: round the picture. */
function back(from, to, edge, isNarrow) {
  if (isNarrow) {
    const x = edge + 46;
    return `M${from.x + from.width / 2} ${from.y}C${x} ${from.y} ${x} ${to.y} ${to.x + to.width / 2} ${to.y}`;
  }
  const y = edge + 60;
  return `M${from.x} ${from.y + from.height / 2}C${from.x} ${y} ${to.x} ${y} ${to.x} ${to.y + to.height / 2}`;
}

/** A smooth line through points. */
function curve([first, ...rest]) {
  return rest.reduce((path, point, i) => {
    const next = rest[i + 1];
    return next ? `${path}Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}` : `${path}L${point.x} ${point.y}`;
  }, `M${first.x} ${first.y}`);
}

/** Draws `graph` into `stage`. `choose(kind, what)` is called when the reader picks a part. */
export function draw(stage, graph, choose, isNarrow) {
  const shape = outline(graph);
  const plan = arrange(shape, isNarrow);
  const svg = make("svg", { role: "group", "aria-label": `graph ${graph.name}` });
  const act = (action) => ({ click: action, keydown: (event) => { if (event.key === "Enter") action(); } });
  const edges = new Map(), parts = new Map();
  const places = plan.nodes().map((id) => plan.node(id));
  const last = Math.max(...places.map((node) => (isNarrow ? node.x + node.width / 2 : node.y + node.height / 2)));
  for (const edge of shape.edges) {
    const d = edge.feedback ? back(plan.node(edge.from), plan.node(edge.to), last, isNarrow) : curve(plan.edge(edge.from, edge.to, edge.id).points);
    const line = make("path", { class: "link fill0", d, "stroke-width": 1.6 }), label = make("text"), title = make("title");
    const head = make("path", { class: "head fill0", d: "M1 0L-9 -5L-9 5Z" });
    const g = make("g", { class: "edge", tabindex: 0, role: "button", ...act(() => choose("link", edge)) },
      title, make("path", { class: "target", d }), line, head, label);
    edges.set(edge.id, { ...edge, g, line, head, label, title });
    svg.append(g);
  }
  for (const node of places) {
    if (node.isEnd) {
      svg.append(make("g", {}, make("circle", { class: "end", cx: node.x, cy: node.y - 5, r: 4 }),
        make("text", { class: "end-name", x: node.x, y: node.y + 12 }, node.name)));
      continue;
    }
    const x = node.x - node.width / 2, y = node.y - node.height / 2;
    const note = make("text", { class: "note", x: node.x, y: y + 32 }), bar = make("g"), fault = make("g"), title = make("title");
    const g = make("g", { class: "part", tabindex: 0, role: "button", "aria-label": node.name, ...act(() => choose("component", node.id)) },
      title, make("rect", { class: "box", x, y, width: node.width, height: node.height, rx: 7 }),
      make("text", { class: "name", x: node.x, y: y + 17 }, node.name), note, bar, fault);
    parts.set(node.id, { g, note, bar, fault, title, x, y, width: node.width });
    svg.append(g);
  }
  stage.replaceChildren(svg);
  for (const edge of edges.values()) along(edge);
  fit(svg);
  return { svg, edges, parts };
}

/** Finds the middle of a link, for its label, and puts its head at its end. */
function along(edge) {
  const length = edge.line.getTotalLength(), at = (far) => edge.line.getPointAtLength(far);
  const middle = at(length / 2), end = at(length), before = at(length - 9);
  const beyond = at(length / 2 + 1), isSteep = Math.abs(beyond.y - middle.y) > Math.abs(beyond.x - middle.x);
  edge.x = middle.x + (isSteep ? 9 : 0);
  edge.y = middle.y + (isSteep ? 12 : 0);
  if (isSteep) edge.label.setAttribute("class", "beside");
  edge.turn = `translate(${end.x} ${end.y}) rotate(${(Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI})`;
  edge.head.setAttribute("transform", edge.turn);
}

/** Gives a picture the size of what is in it; a wide one shrinks to what fits, as far as it can be read then. */
export function fit(svg) {
  const { x, y, width, height } = svg.getBBox(), room = svg.parentElement.clientWidth || width;
  const [w, h] = [width + 12, height + 16], scale = Math.max(0.72, Math.min(1, room / w));
  svg.setAttribute("viewBox", `${x - 6} ${y - 8} ${w} ${h}`);
  svg.setAttribute("width", w * scale);
  svg.setAttribute("height", h * scale);
}

/** Brings a picture up to date. */
export function colour(picture, graph) {
  const { held, culprits } = pressure(graph), ringOf = rings(graph);
  for (const component of graph.components) {
    const part = picture.parts.get(component.name);
    const blocked = held.get(component.name), culprit = culprits.get(component.name);
    const most = component.states[0]?.state;
    const ring = ringOf.get(component.name);
    part.g.classList.toggle("ring", Boolean(ring));
    part.g.classList.toggle("held", Boolean(blocked) && !culprit && !ring);
    part.g.classList.toggle("culprit", Boolean(culprit) && !ring);
    part.g.classList.toggle("ended", (!component.states.length && !component.is_fused) || most === "ended");
    part.note.textContent = ring ? "waits in a ring" : noteOf(component, blocked, culprit);
    part.title.textContent = [component.kind, ...component.states.map((s) => `${s.count} ${states[s.state]}`)].join("\n");
    stateBar(part, component);
    part.fault.replaceChildren(...(component.faults ? faultMark(part, component.faults) : []));
  }
  for (const edge of picture.edges.values()) {
    const link = graph.links[edge.link];
    const rate = link.from[edge.feed]?.rate ?? link.rate;
    // What leads back is looked at only when it is needed: a full queue means nothing there, unless somebody waits for it.
    const isJam = !edge.feedback || held.has(edge.from);
    const isStill = !link.is_fused && (link.from[edge.feed] ?? link).messages === 0;
    const level = link.fill === 0 || isStill ? 0 : Math.min(isJam ? 4 : 1, 1 + Math.floor(link.fill * 4 - 1e-9));
    const thickness = rate > 0 ? Math.min(edge.feedback ? 3 : 8, 1.6 + Math.log10(1 + rate) * 1.2) : 1.3;
    edge.line.setAttribute("class", `link fill${level}${edge.feedback ? " feedback" : ""}`);
    edge.line.setAttribute("stroke-width", thickness.toFixed(1));
    edge.head.setAttribute("class", `head fill${level}`);
    edge.head.setAttribute("transform", `${edge.turn} scale(${Math.max(1, thickness / 4).toFixed(2)})`);
    edge.g.classList.toggle("still", isStill);
    edge.g.classList.toggle("ring", (graph.rings ?? []).some((ring) => ring.full.includes(edge.link) && ring.components.includes(edge.from)));
    // What several outboxes feed is one queue: it is counted where most comes from.
    const isMain = link.from.every((feed) => feed.messages <= (link.from[edge.feed]?.messages ?? 0));
    const lines = [rate > 0 ? `${short(rate)}/s` : "", link.queued && isMain && isJam ? `${short(link.queued)} wait` : ""].filter(Boolean);
    edge.label.replaceChildren(...lines.map((line, i) => make("tspan", { x: edge.x, y: edge.y - thickness / 2 - 3 - 12 * (lines.length - 1 - i) }, line)));
    edge.title.textContent = `${link.message}\n${short(rate)} messages/s, ${link.queued} queued, fullest ${link.fullest} of ${link.capacity}`;
  }
}

function noteOf(component, blocked, culprit) {
  if (component.is_fused) return "function (fused)";
  if (culprit) return `holds up ${culprit.names.length > 1 ? short(culprit.count) : culprit.names[0]}`;
  if (blocked) return `held up by ${blocked.culprit ?? blocked.blocked_by ?? "outside"}`;
  if (component.busy >= 0.005) return `${(component.busy * 100).toFixed(component.busy < 0.1 ? 1 : 0)} % busy`;
  const most = component.states[0]?.state;
  return { waiting_for_message: "waits", waiting_for_world: "waits (world)", ready: "ready", running: "runs", ended: "ended" }[most] ?? "";
}

/** What the instances do, as shares of the lower edge of the box. */
function stateBar(part, component) {
  const total = component.states.reduce((sum, state) => sum + state.count, 0);
  const room = part.width - 16;
  let x = part.x + 8;
  const pieces = component.states.filter((state) => state.count).map((state) => {
    const width = Math.max(2, (room * state.count) / total);
    const piece = make("rect", { class: `state${Object.keys(states).indexOf(state.state)}`, x, y: part.y + 37, width: Math.min(width, part.x + 8 + room - x), height: 3 });
    x += width;
    return piece;
  });
  part.bar.replaceChildren(...pieces);
}

function faultMark(part, count) {
  const text = short(count), width = 12 + text.length * 6.5, x = part.x + part.width - width / 2 - 4;
  return [make("rect", { class: "faulty", x, y: part.y - 7, width, height: 15, rx: 7.5 }),
    make("text", { class: "faulty-count", x: x + width / 2, y: part.y + 4 }, text)];
}
