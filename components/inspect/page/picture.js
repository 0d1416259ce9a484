// A graph as a picture: boxes in flow order, arrows between them. It is laid out when its shape is new, and otherwise only coloured.

import { Graph, layout } from "/dagre.js";
import { make, pressure, short, states } from "/rates.js";

const HEIGHT = 44, LETTER = 7.6, LABEL = { width: 58, height: 26 };

/** The parts of a graph as nodes and edges; ends that are outside become small circles. */
function outline(graph) {
  const nodes = graph.components.map(({ name }) => ({ id: name, name, width: Math.max(112, name.length * LETTER + 22), height: HEIGHT }));
  const edges = [];
  const end = (id, name) => {
    if (!nodes.some((node) => node.id === id)) nodes.push({ id, name, width: 14 + name.length * 6, height: 26, isEnd: true });
    return id;
  };
  graph.links.forEach((link, i) => {
    const to = link.to ?? end(`>${i}`, "outside");
    const from = link.from.length ? link.from : [{ isOutside: true }];
    from.forEach((feed, j) => {
      const origin = feed.component ?? (feed.isOutside ? end(`<${i}`, "outside") : end("<faults", "faults"));
      edges.push({ id: `${i}.${j}`, from: origin, to, link: i, feed: j, feedback: Boolean(feed.feedback) });
    });
  });
  return { nodes, edges };
}

function arrange({ nodes, edges }, isNarrow) {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: isNarrow ? "TB" : "LR", ranksep: isNarrow ? 26 : 34, nodesep: isNarrow ? 18 : 22, edgesep: 12, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.id, { ...node });
  for (const edge of edges) {
    // What leads back is laid out the other way round, so that it does not turn the flow.
    const [from, to] = edge.feedback ? [edge.to, edge.from] : [edge.from, edge.to];
    graph.setEdge(from, to, { ...LABEL, labelpos: "c", weight: edge.feedback ? 0 : 1 }, edge.id);
  }
  layout(graph);
  return graph;
}

/** A smooth line through points, and the direction in which it ends. */
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    if (!next) path += `L${point.x} ${point.y}`;
    else path += `Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`;
  });
  const last = points[points.length - 1], before = points[points.length - 2];
  return { path, angle: (Math.atan2(last.y - before.y, last.x - before.x) * 180) / Math.PI, last };
}

/** Draws `graph` into `stage`. `choose(kind, what)` is called when the reader picks a part. */
export function draw(stage, graph, choose, isNarrow) {
  const shape = outline(graph);
  const plan = arrange(shape, isNarrow);
  const svg = make("svg", { role: "group", "aria-label": `graph ${graph.name}` });
  const act = (action) => ({ click: action, keydown: (event) => { if (event.key === "Enter") action(); } });
  const edges = new Map(), parts = new Map();
  for (const edge of shape.edges) {
    const [from, to] = edge.feedback ? [edge.to, edge.from] : [edge.from, edge.to];
    const laid = plan.edge(from, to, edge.id);
    const points = edge.feedback ? [...laid.points].reverse() : laid.points;
    const { path, angle, last } = curve(points);
    const line = make("path", { class: "link fill0", d: path, "stroke-width": 1.6 }), label = make("text"), title = make("title");
    const head = make("path", { class: "head fill0", d: "M1 0L-9 -5L-9 5Z" });
    const g = make("g", { class: "edge", tabindex: 0, role: "button", ...act(() => choose("link", edge)) },
      title, make("path", { class: "target", d: path }), line, head, label);
    edges.set(edge.id, { ...edge, g, line, head, label, title, x: laid.x, y: laid.y, turn: `translate(${last.x} ${last.y}) rotate(${angle})` });
    svg.append(g);
  }
  for (const node of plan.nodes().map((id) => plan.node(id))) {
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
  fit(svg);
  return { svg, edges, parts };
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
  const { held, culprits } = pressure(graph);
  for (const component of graph.components) {
    const part = picture.parts.get(component.name);
    const blocked = held.get(component.name), culprit = culprits.get(component.name);
    const most = component.states[0]?.state;
    part.g.classList.toggle("held", Boolean(blocked) && !culprit);
    part.g.classList.toggle("culprit", Boolean(culprit));
    part.g.classList.toggle("ended", !component.states.length || most === "ended");
    part.note.textContent = noteOf(component, blocked, culprit);
    part.title.textContent = [component.kind, ...component.states.map((s) => `${s.count} ${states[s.state]}`)].join("\n");
    stateBar(part, component);
    part.fault.replaceChildren(...(component.faults ? faultMark(part, component.faults) : []));
  }
  for (const edge of picture.edges.values()) {
    const link = graph.links[edge.link];
    const rate = link.from[edge.feed]?.rate ?? link.rate;
    const level = link.fill === 0 ? 0 : Math.min(4, 1 + Math.floor(link.fill * 4 - 1e-9));
    const thickness = rate > 0 ? Math.min(edge.feedback ? 3 : 8, 1.6 + Math.log10(1 + rate) * 1.2) : 1.3;
    edge.line.setAttribute("class", `link fill${level}${edge.feedback ? " feedback" : ""}`);
    edge.line.setAttribute("stroke-width", thickness.toFixed(1));
    edge.head.setAttribute("class", `head fill${level}`);
    edge.head.setAttribute("transform", `${edge.turn} scale(${Math.max(1, thickness / 4).toFixed(2)})`);
    edge.g.classList.toggle("still", link.messages === 0);
    // What several outboxes feed is one queue: it is counted where most comes from.
    const isMain = link.from.every((feed) => feed.messages <= (link.from[edge.feed]?.messages ?? 0));
    const lines = [rate > 0 ? `${short(rate)}/s` : "", link.queued && isMain ? `${short(link.queued)} queued` : ""].filter(Boolean);
    edge.label.replaceChildren(...lines.map((line, i) => make("tspan", { x: edge.x, y: edge.y + 4 + 12 * (i - (lines.length - 1) / 2) }, line)));
    edge.title.textContent = `${link.message}\n${short(rate)} messages/s, ${link.queued} queued, fullest ${link.fullest} of ${link.capacity}`;
  }
}

function noteOf(component, blocked, culprit) {
  if (culprit) return `holds up ${culprit.names.length > 1 ? short(culprit.count) : culprit.names[0]}`;
  if (blocked) return `held up by ${blocked.culprit ?? blocked.blocked_by ?? "outside"}`;
  if (component.busy >= 0.005) return `${(component.busy * 100).toFixed(component.busy < 0.1 ? 1 : 0)} % of a core`;
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
