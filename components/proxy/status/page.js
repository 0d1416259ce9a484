"use strict";
// Polls the figures once a second, and shows what has changed since the last time.
const routes = document.querySelector("#routes");
const total = document.querySelector("#total");
const shown = new Map();
let before = null;

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const perSecond = (now, then, seconds) => (then === undefined ? 0 : Math.max(0, now - then) / seconds);

function duration(micros) {
  if (micros === null) return "";
  if (micros < 1000) return `${Math.round(micros)} µs`;
  return micros < 1e6 ? `${number.format(micros / 1000)} ms` : `${number.format(micros / 1e6)} s`;
}

async function change(address, what) {
  const answer = await fetch("backends", { method: "POST", body: new URLSearchParams({ address, ...what }) });
  if (!answer.ok) window.alert(await answer.text());
  await poll();
}

function make(template, parent) {
  const made = document.querySelector(template).content.firstElementChild.cloneNode(true);
  parent.append(made);
  return made;
}

function text(root, selector, value) {
  const element = root.querySelector(selector);
  if (element.textContent !== value) element.textContent = value;
  return element;
}

function row(key, body, backend) {
  let row = shown.get(key);
  if (!row) {
    row = make("#backend", body);
    shown.set(key, row);
    const address = backend.address;
    text(row, ".address", address);
    const weight = row.querySelector(".weight");
    weight.setAttribute("aria-label", `Weight of ${address}`);
    weight.addEventListener("change", () => change(address, { weight: weight.value }));
    row.querySelector(".take").addEventListener("click", () => {
      change(address, { take: row.dataset.health === "draining" ? "in" : "out" });
    });
  }
  return row;
}

function showBackend(row, backend, old, seconds, most) {
  row.dataset.health = backend.health;
  const state = text(row, ".state", backend.is_backup ? `${backend.health}, backup` : backend.health);
  state.className = `state ${backend.health}`;
  text(row, ".wide .rate", number.format(backend.rate));
  row.querySelector(".bar").style.width = `${most ? (60 * backend.rate) / most : 0}%`;
  text(row, ".wait", duration(backend.wait));
  row.classList.toggle("slow", backend.isSlow);
  text(row, ".open", String(backend.open));
  text(row, ".idle", String(backend.idle));
  text(row, ".failed", String(backend.failures)).classList.toggle("some", backend.failures > (old?.failures ?? backend.failures));
  const weight = row.querySelector(".weight");
  if (document.activeElement !== weight) weight.value = backend.weight;
  text(row, ".take", backend.health === "draining" ? "Bring back" : "Take out");
}

function measure(route, old, seconds) {
  route.backends.forEach((backend, index) => {
    const then = old?.backends[index]?.address === backend.address ? old.backends[index] : undefined;
    const answered = backend.answered - (then?.answered ?? 0);
    backend.rate = perSecond(backend.requests, then?.requests, seconds);
    backend.wait = then && answered > 0 ? (backend.waited - then.waited) / answered : null;
    backend.old = then;
  });
  const waits = route.backends.map((backend) => backend.wait).filter((wait) => wait !== null).sort((a, b) => a - b);
  const middle = waits[Math.floor((waits.length - 1) / 2)];
  for (const backend of route.backends) {
    // The one that holds the others up: much slower than most, or it answers nothing at all.
    backend.isSlow = (waits.length > 1 && backend.wait > 3 * middle) || (backend.open > 0 && backend.wait === null && backend.rate > 0);
  }
}

function show(status, seconds) {
  const keys = new Set();
  let rate = 0;
  for (const [index, route] of status.entries()) {
    const old = before?.status[index]?.route === route.route ? before.status[index] : undefined;
    measure(route, old, seconds);
    const key = `${index} ${route.route}`;
    let section = shown.get(key);
    if (!section) {
      section = make("#route", routes);
      shown.set(key, section);
    }
    const own = perSecond(route.requests, old?.requests, seconds);
    rate += own;
    text(section, "h2", route.route);
    text(section, ".flow .rate", `${number.format(own)} requests per second`);
    text(section, ".policy", route.policy);
    text(section, ".queue", route.waiting ? `${route.waiting} waiting` : "").classList.toggle("waiting", route.waiting > 0);
    const circuit = route.circuit && `circuit ${route.circuit.state}${route.circuit.state === "closed" ? `, ${route.circuit.errors} of ${route.circuit.requests} failed` : ""}${route.circuit.opened ? `, opened ${route.circuit.opened} times` : ""}`;
    text(section, ".circuit", circuit ?? "").classList.toggle("waiting", route.circuit?.state === "open");
    text(section, ".auth", route.auth ? `Asks ${route.auth.address}: ${route.auth.requests} questions, ${route.auth.failures} failed` : "");
    keys.add(key);
    const most = Math.max(...route.backends.map((backend) => backend.rate));
    for (const [place, backend] of route.backends.entries()) {
      const name = `${key} ${place} ${backend.address}`;
      showBackend(row(name, section.querySelector("tbody"), backend), backend, backend.old, seconds, most);
      keys.add(name);
    }
  }
  for (const [key, element] of shown) {
    if (!keys.has(key)) {
      element.remove();
      shown.delete(key);
    }
  }
  total.className = "";
  total.textContent = `${number.format(rate)} requests per second, ${status.length} route${status.length === 1 ? "" : "s"}`;
}

async function poll() {
  try {
    const answer = await fetch("status");
    if (!answer.ok) throw new Error(String(answer.status));
    const status = await answer.json();
    const at = performance.now();
    show(status, before ? (at - before.at) / 1000 : 1);
    before = { status, at };
  } catch (error) {
    total.className = "lost";
    total.textContent = "The proxy does not answer";
  }
}

poll();
setInterval(poll, 1000);
