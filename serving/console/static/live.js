// Parts of a page that are fetched again: <div id="..." data-live="5"> every 5 seconds, from the page's own address.
// A part rests while it holds the pointer or an unnamed focus, so that nothing moves under somebody's hands; one whose rows keep their
// places says data-steady and does not rest. Rows with an id light up when what they watch (data-watch, else all their text) changes.
import { localTimes } from "./times.js";

let paused = false;
const failures = new Map();
const timers = new Map();

export function live() {
  const button = document.querySelector("[data-pause]");
  if (button) {
    button.hidden = document.querySelectorAll("main [data-live]").length === 0;
    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Go on" : "Pause";
    });
  }
  schedule();
}

// Parts come from the page's own address, or from data-from; those of one address are fetched together.
export function schedule() {
  const periods = new Map();
  for (const part of document.querySelectorAll("[data-live]")) {
    const address = part.dataset.from ?? location.href;
    periods.set(address, Math.min(periods.get(address) ?? Infinity, Number(part.dataset.live)));
  }
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  for (const [address, seconds] of periods) wait(address, seconds * Math.min(12, 2 ** (failures.get(address) ?? 0)));
}

function wait(address, seconds) {
  timers.set(address, setTimeout(async () => {
    if (!paused && !document.hidden) await refresh(address);
    schedule();
  }, seconds * 1000));
}

async function refresh(address) {
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    swap(parsed(await answer.text()));
    failures.delete(address);
    document.documentElement.removeAttribute("data-stale");
  } catch {
    failures.set(address, (failures.get(address) ?? 0) + 1);
    document.documentElement.setAttribute("data-stale", "");
  }
}

export function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

export function swap(fresh) {
  for (const old of document.querySelectorAll("[data-live], [data-steady]")) {
    const now = old.id && fresh.getElementById(old.id);
    if (!now) continue;
    if (now.dataset.live) old.dataset.live = now.dataset.live;
    else delete old.dataset.live;
    if (now.innerHTML === old.forageWas || rests(old)) continue;
    replace(old, now);
  }
}

function rests(part) {
  if ("steady" in part.dataset) return false;
  return part.matches(":hover") || (part.contains(document.activeElement) && !document.activeElement.id);
}

function replace(old, now) {
  const open = [...old.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  const before = new Map([...old.querySelectorAll("[data-row][id]")].map((row) => [row.id, plain(row)]));
  const known = old.forageWas !== undefined;
  old.forageWas = now.innerHTML;
  old.replaceChildren(...now.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  localTimes(old);
  for (const row of old.querySelectorAll("[data-row][id]")) {
    if (known || before.has(row.id)) row.classList.toggle("changed", before.get(row.id) !== plain(row));
  }
}

function plain(row) {
  const watched = [...row.querySelectorAll("[data-watch]")];
  return (watched.length ? watched : [row]).map((one) => one.textContent.replace(/\s+/g, " ").trim()).join("|");
}
