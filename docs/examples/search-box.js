const forage = Forage.connect(); // the service that the script came from
const list = document.querySelector("#results"), said = document.querySelector("#said");

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const page = await forage.search(event.target.query.value);
  list.replaceChildren(...page.results.map(drawn));
  said.textContent = page.error ? page.error : page.results.length ? "" : "Nothing found.";
  forage.watch(page, list); // from now on it notices what is seen and clicked
});

function drawn(one) {
  const item = document.createElement("li"), link = document.createElement("a");
  item.dataset.forageId = one.entity_id; // this is how the snippet knows which result it is
  link.href = `#${one.entity_id}`; // a real shop links to the item's page, which calls forage.dwell(its id)
  link.textContent = one.title;
  item.append(link);
  return item;
}
