// The dialogs: create, join, invite, leave, and the fingerprint of a person.

import { make } from "./text.js";

const dialog = document.getElementById("dialog");

/** Shows a dialog. `run` does what its form asks for; if it fails, the dialog says why and stays. */
function show(title, content, { done = "Close", run = null } = {}) {
  const wrong = make("p", { class: "wrong", role: "alert", hidden: true });
  const submit = make("button", { class: "main", type: "submit" }, done);
  const cancel = run ? make("button", { type: "button", click: () => dialog.close() }, "Cancel") : null;
  const form = make("form", { method: "dialog" }, make("h2", { id: "dialog-title" }, title), ...content, wrong, make("div", { class: "buttons" }, cancel, submit));
  form.addEventListener("submit", async (event) => {
    if (!run) return;
    event.preventDefault();
    submit.disabled = true;
    try { await run(new FormData(form)); dialog.close(); } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    } finally { submit.disabled = false; }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  (form.querySelector("input[type=text], li button") ?? submit).focus();
  return { wrong };
}

/** A list of choices, each a button. */
function choices(items, choose, empty) {
  if (!items.length) return make("p", { class: "quiet" }, empty);
  return make("ul", {}, ...items.map((item) => make("li", {}, make("button", { type: "button", click: () => choose(item) },
    make("span", { class: "name", dir: "auto" }, item.name), make("span", { class: "quiet" }, item.fact)))));
}

const POLICIES = [
  ["open", "Open", "everybody may join and write"],
  ["invite", "By invitation", "only people that you invite"],
  ["read-only", "Read-only", "everybody may read, only you write"],
];

export const policyName = (policy) => POLICIES.find(([id]) => id === policy)?.[1].toLowerCase() ?? policy;

export function create(run) {
  const radios = POLICIES.map(([id, name, words], i) => make("label", { class: "choice" },
    make("input", { type: "radio", name: "policy", value: id, checked: i === 0 }), make("span", {}, `${name}: `, make("span", { class: "quiet" }, words))));
  show("Create a channel", [make("label", { for: "channel-name" }, "Name"), make("input", { id: "channel-name", name: "name", type: "text", required: true, maxlength: 64, autocomplete: "off" }),
    make("fieldset", {}, make("legend", { class: "hidden" }, "Who may join and write"), ...radios)],
  { done: "Create", run: (data) => run(data.get("name").trim(), data.get("policy")) });
}

/** `items`: what can be chosen; `run` does it. */
export function choose(title, items, empty, run) {
  let isBusy = false;
  const { wrong } = show(title, [choices(items, async (item) => {
    if (isBusy) return;
    isBusy = true;
    try { await run(item); dialog.close(); } catch (error) { wrong.textContent = error.message; wrong.hidden = false; } finally { isBusy = false; }
  }, empty)]);
}

export function confirm(title, words, done, run) {
  show(title, [make("p", {}, words)], { done, run });
}

export function fingerprint(name, value, isMine) {
  const words = isMine
    ? "This is the fingerprint of your key. Others see the same digits beside your name. If they differ, somebody pretends to be you."
    : `Ask ${name} by another way, for example by telephone, which fingerprint their page shows. If the digits differ, somebody pretends to be ${name}.`;
  show(isMine ? "Your fingerprint" : `The fingerprint of ${name}`, [make("p", { class: "fingerprint mono" }, value), make("p", { class: "quiet" }, words)]);
}
