// Keys for those who like them. Each has a visible control too, and single keys can be switched off.
const OFF = "forage-keys-off";

export function keys() {
  const box = document.querySelector("[data-keys]");
  if (box) {
    box.checked = localStorage.getItem(OFF) === null;
    box.addEventListener("change", () => (box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
  }
  document.addEventListener("keydown", pressed);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
  if (event.key === "Escape") return escape(typing);
  if (typing || localStorage.getItem(OFF) !== null) return;
  const does = { "/": find, j: () => step(1), k: () => step(-1), c: compare, p: pause, "?": help }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
}

function find() {
  document.getElementById("find")?.select();
  document.getElementById("find")?.focus();
}

function step(by) {
  const rows = [...document.querySelectorAll("main [data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
  const link = next.matches("a") ? next : next.querySelector("a[data-why], a, button");
  link?.focus();
  next.scrollIntoView({ block: "nearest" });
}

function compare() {
  document.querySelector("[data-compare]")?.focus();
}

function pause() {
  document.querySelector("[data-pause]:not([hidden])")?.click();
}

function help() {
  const list = document.querySelector(".foot details");
  if (!list) return;
  list.open = true;
  list.scrollIntoView({ block: "nearest" });
  list.querySelector("summary").focus();
}

function escape(typing) {
  if (typing) return typing.blur();
  const open = document.activeElement?.closest("details[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
}
