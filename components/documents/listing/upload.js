
"use strict";
(() => {
  const form = document.getElementById("upload"), list = document.getElementById("transfers");
  const area = form.parentElement, input = form.querySelector("input"), waiting = [];
  let busy = false, failed = 0;

  function add(parent, kind, text) {
    const element = parent.appendChild(document.createElement(kind));
    element.textContent = text;
    return element;
  }

  // One file at a time: PUT to its name, and never over another file without a question.
  function send({ file, row }, replace) {
    busy = true;
    const bar = add(row, "progress", ""), state = add(row, "span", ""), request = new XMLHttpRequest();
    bar.max = 1; bar.value = 0;
    request.open("PUT", location.pathname + encodeURIComponent(file.name));
    if (!replace) request.setRequestHeader("If-None-Match", "*");
    request.upload.onprogress = event => {
      bar.value = event.total ? event.loaded / event.total : 1;
      state.textContent = Math.floor(100 * bar.value) + " %";
    };
    request.onloadend = () => {
      bar.remove();
      if (request.status === 201 || request.status === 204) state.textContent = "uploaded";
      else if (request.status === 412 && !replace) ask({ file, row }, state);
      else fail(state, request.status ? request.responseText.trim() || request.statusText : "the connection broke off");
      next();
    };
    request.send(file);
  }

  function ask(transfer, state) {
    failed += 1;
    state.textContent = "there is a file of this name";
    const button = add(transfer.row, "button", "Replace it");
    button.type = "button";
    button.onclick = () => { failed -= 1; state.remove(); button.remove(); waiting.push([transfer, true]); next(true); };
  }

  function fail(state, why) { failed += 1; state.textContent = "not uploaded: " + why; state.setAttribute("role", "alert"); }

  // With every file uploaded the listing shows them; a failure stays to be read.
  function next(pressed) {
    if (pressed && busy) return;
    busy = false;
    const transfer = waiting.shift();
    if (transfer) send(...transfer);
    else if (!failed) location.reload();
  }

  function take(files) {
    for (const file of files) {
      const row = add(list, "li", "");
      add(row, "b", file.name);
      waiting.push([{ file, row }, false]);
    }
    if (!busy) next();
  }

  form.hidden = false;
  input.onchange = () => { take(input.files); };
  addEventListener("dragover", event => { event.preventDefault(); area.classList.add("over"); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) area.classList.remove("over"); });
  addEventListener("drop", event => { event.preventDefault(); area.classList.remove("over"); take(event.dataTransfer.files); });
  addEventListener("beforeunload", event => { if (busy) event.preventDefault(); });
})();
