// Parts of a page that are fetched again: <div id="..." data-live="5"> every 5 seconds, from the page's own address.
// A part rests while it holds the focus or the pointer, so that nothing moves under somebody's hands.
import { localTimes } from "./times.js";

let paused = false;
let failures = 0;

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
  later();
}

function later() {
  const periods = [...document.querySelectorAll("[data-live]")].map((one) => Number(one.dataset.live));
  if (periods.length === 0) return;
  const seconds = Math.min(...periods) * Math.min(12, 2 ** failures);
  setTimeout(async () => {
    if (!paused && !document.hidden) await refresh();
    later();
  }, seconds * 1000);
}

export async function refresh(address = location.href) {
  try {
    const answer = await fetch(address, { headers: { "x-part": "live" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    failures = 0;
    document.documentElement.removeAttribute("data-stale");
  } catch {
    failures += 1;
    document.documentElement.setAttribute("data-stale", "");
  }
}

export function swap(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = old.id && fresh.getElementById(old.id);
    if (!now || now.innerHTML === old.dataset.was) continue;
    if (old.matches(":hover") || old.contains(document.activeElement)) continue;
    const open = [...old.querySelectorAll("details[open][id]")].map((one) => one.id);
    old.dataset.was = now.innerHTML;
    old.replaceChildren(...now.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (now.dataset.live) old.dataset.live = now.dataset.live;
    else old.removeAttribute("data-live");
    localTimes(old);
  }
}
