// A choice on a tried page goes out without leaving it; what was learned shows in the row, within a second or two.
import { parsed, schedule, swap } from "./live.js";

export function choose() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-choose]");
    if (!form) return;
    event.preventDefault();
    const said = document.getElementById("said");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin" });
      const fresh = parsed(await answer.text());
      if (!answer.ok) throw new Error(fresh.querySelector("[role=alert]")?.textContent.trim() ?? String(answer.status));
      swap(fresh);
      if (said) said.textContent = `You chose ${form.querySelector("button").textContent}. What is learned from it shows in its row.`;
      schedule();
    } catch {
      form.submit(); // the plain way shows what is wrong
    }
  });
}
