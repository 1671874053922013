"use strict";
const find = (selector) => document.querySelector(selector);
const form = find(".tools");
const rows = [...document.querySelectorAll("details.row:not(#coverage)")];
const packed = rows.filter((row) => !row.querySelector(".body"));
const chunks = [...document.querySelectorAll("script.chunk")];
const CHUNK = 100;
const FILTERS = ["group", "personality", "transport", "seed"];
const unpacked = new Map();

// The texts that a script element has in a zlib stream in base64, with a zero byte between them.
function unpack(script) {
  if (!unpacked.has(script)) {
    const bytes = Uint8Array.from(atob(script.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    unpacked.set(script, new Response(stream).text().then((text) => text.split("\0")));
  }
  return unpacked.get(script);
}

// Steps get a name of their own; the arrows of the sequence diagram, which are together by step, link to it.
function link(row) {
  row.querySelectorAll(".step").forEach((step, place) => (step.id = `${row.id}.${place + 1}`));
  row.querySelectorAll(".sequence > a").forEach((arrows, place) => (arrows.href = `#${row.id}.${place + 1}`));
}

async function fill(row) {
  if (row.querySelector(":scope > .body")) return;
  const body = row.appendChild(document.createElement("div"));
  body.className = "body";
  try {
    const place = packed.indexOf(row);
    const parts = await unpack(place < 0 ? find("#maps") : chunks[Math.floor(place / CHUNK)]);
    body.innerHTML = parts[place < 0 ? 0 : place % CHUNK];
    link(row);
  } catch {
    body.textContent = form.dataset.old;
  }
}

async function follow() {
  if (restore()) return filter();
  const name = decodeURIComponent(location.hash.slice(1));
  const row = document.getElementById(name.split(".")[0]);
  if (row && row.matches("details.row")) {
    row.hidden = row.parentElement.hidden = false;
    await fill(row);
    row.open = true;
  }
  const target = document.getElementById(name);
  if (!target) return;
  if (target.matches(".step")) target.open = true;
  target.scrollIntoView();
}

// Whether the hash states filters, as #?verdict=failed&text=PUK: they are chosen then.
function restore() {
  if (!location.hash.startsWith("#?")) return false;
  const chosen = new URLSearchParams(location.hash.slice(2));
  for (const field of form.elements) if (field.name) field.value = chosen.get(field.name) || "";
  form.scrollIntoView();
  return true;
}

function remember() {
  const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
  const view = form.querySelector(".view");
  view.hidden = !chosen;
  view.href = chosen ? `#?${chosen}` : "#";
  if (chosen || location.hash.startsWith("#?")) history.replaceState(null, "", view.href);
}

async function filter() {
  remember();
  const facts = (await unpack(find("#facts"))).map((text) => text.split("\n"));
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdict = form.elements.verdict.value;
  const wanted = FILTERS.map((name) => (form.elements[name] ? form.elements[name].value : ""));
  let shown = 0;
  rows.forEach((row, place) => {
    const text = () => `${row.firstElementChild.textContent} ${facts[place][FILTERS.length]}`.toLowerCase();
    const fits =
      (!verdict || row.classList.contains(verdict)) &&
      wanted.every((value, at) => !value || facts[place][at] === value) &&
      (!words.length || words.every((word) => text().includes(word)));
    row.hidden = !fits;
    shown += fits;
  });
  for (const section of document.querySelectorAll("section")) section.hidden = !section.querySelector(".row:not([hidden])");
  form.querySelector(".count").textContent = form.dataset.shown.replace("%1", shown).replace("%2", rows.length);
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  getSelection().selectAllChildren(code);
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    document.execCommand("copy");
  }
  const text = button.textContent;
  button.textContent = form.dataset.copied;
  setTimeout(() => (button.textContent = text), 1500);
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("toggle", (event) => event.target.matches("details.row") && event.target.open && fill(event.target), true);
  document.addEventListener("click", (event) => {
    if (event.target.matches(".copy")) copy(event.target);
    if (event.target.matches(".unfold")) {
      const steps = [...event.target.closest(".body").querySelectorAll(".step")];
      const open = !steps.every((step) => step.open);
      for (const step of steps) step.open = open;
    }
    const choice = event.target.closest("[data-filter]");
    if (choice) {
      const name = choice.dataset.filter;
      form.reset();
      if (form.elements[name]) form.elements[name].value = choice.value;
      filter();
      form.scrollIntoView();
    }
  });
  addEventListener("hashchange", follow);
  rows.forEach(link);
  restore();
  filter();
  if (!location.hash.startsWith("#?")) follow();
}
