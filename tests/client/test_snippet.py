"""The JavaScript snippet in a real browser: a page of another site, a running service, and nothing else on the network."""

from pathlib import Path

import pytest

from tests.client.conftest import API_TOKEN, pages, serving

SNIPPET = Path(__file__).parents[2] / "serving" / "client" / "forage.js"
SHOP = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Games</title><link rel="icon" href="data:,">
<style>li { height: 300px } button { display: block }</style>
<ol id="found"></ol>
%s
<script>
  const found = document.querySelector("#found");
  let page;
  async function show(query) {
    page = await forage.search(query, { k: 5 });
    found.innerHTML = "";
    for (const one of page.results) {
      const item = document.createElement("li");
      item.dataset.forageId = one.entity_id;
      item.innerHTML = `<a href="item.html?${one.entity_id}"></a><button data-forage-kind="add_to_cart">Buy</button>`;
      item.querySelector("a").textContent = one.title;
      found.append(item);
    }
    forage.watch(page, found);
  }
</script>
"""
ITEM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A game</title>
<link rel="icon" href="data:,"><script src="%s/client/forage.js"></script>
<script>const forage = Forage.connect({ token: "%s" }); forage.dwell(location.search.slice(1));</script>"""

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """(service, URL of the shop's site). The service answers that site and its own pages alone; its token is public and only searches."""
    folder, place = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("service")
    with pages(folder) as site, serving(place, origins=(site,), tokens="search") as service:
        start = f'<script>const forage = Forage.connect({{ token: "{API_TOKEN}" }});</script>'
        (folder / "index.html").write_text(SHOP % f'<script src="{service.url}/client/forage.js"></script>{start}')
        (folder / "item.html").write_text(ITEM % (service.url, API_TOKEN))
        yield service, site


@pytest.fixture
def browse(chromium, shop):
    """`browse(init="")` opens the shop in a browser of its own; what strays or goes wrong fails the test."""
    service, site = shop
    contexts, wrong, awaited = [], [], []

    def pass_(route):
        if route.request.url.startswith((site, service.url)):
            return route.continue_()
        wrong.append(route.request.url)
        return route.abort()

    def open_(*, init="", expected="", clock=False):
        context = chromium.new_context(viewport={"width": 800, "height": 700})
        contexts.append(context)
        context.add_init_script(init)
        context.route("**/*", pass_)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        awaited.append(expected)
        if clock:
            page.clock.install()
        page.goto(f"{site}/index.html")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [one for one in wrong if not any(text and text in one for text in awaited)] == []


def heard(page, check, *, seconds=10):
    """What `check()` gives once that is true. The browser's requests go on meanwhile: they pass through this thread."""
    for _ in range(seconds * 50):
        if found := check():
            return found
        page.wait_for_timeout(20)
    raise AssertionError("it did not come about in time")


def acted(service, query, kind):
    """Entities with such an action under a query."""
    kept = [one for one in service.site.kept.latest(100) if one.request.query == query]
    return [action.entity_id for one in kept for action in one.actions if action.kind == kind]


def first(page):
    return page.evaluate("page.results[0].entity_id")


def test_results_come_and_a_click_survives_the_end_of_the_page(shop, browse):
    service, _ = shop
    page = browse()
    page.evaluate("show('halo')")
    page.wait_for_selector("li")
    chosen = first(page)
    page.click("li:first-child a")
    page.wait_for_url("**/item.html**")  # the page that was clicked on is gone
    assert heard(page, lambda: acted(service, "halo", "click")) == [chosen]
    heard(page, lambda: (one := service.counted("halo", chosen)) and sum(one.acted) >= 1)


def test_what_is_seen_for_a_second_is_viewed_and_what_is_below_is_not(shop, browse):
    service, _ = shop
    page = browse()
    page.evaluate("show('war')")
    page.wait_for_selector("li")
    shown = page.evaluate("page.results.map((one) => one.entity_id)")
    assert len(shown) >= 2
    seen = heard(page, lambda: (found := acted(service, "war", "viewed")) and len(found) >= 2 and found)
    assert set(seen) == set(shown[:2])  # 300 of 700 pixels each: the third shows a third of itself


def test_a_part_of_a_result_says_what_it_does(shop, browse):
    service, _ = shop
    page = browse()
    page.evaluate("show('mario')")
    page.click("li:first-child button")
    chosen = first(page)
    assert heard(page, lambda: acted(service, "mario", "add_to_cart")) == [chosen]
    assert acted(service, "mario", "click") == []


def test_what_was_chosen_goes_along_and_the_person_stays_the_same(shop, browse):
    service, _ = shop
    page = browse()
    page.evaluate("show('zelda')")
    page.wait_for_selector("li")
    chosen = first(page)
    page.evaluate("forage.record(page, 'play', page.results[0].entity_id)")
    page.reload()
    page.evaluate("show('fifa')")
    page.wait_for_selector("li")
    later, before = (kept.request for kept in service.site.kept.latest(2))
    assert (before.query, list(before.recent)) == ("zelda", [])
    assert (later.query, list(later.recent)) == ("fifa", [chosen])
    assert later.client_id == before.client_id != None  # noqa: E711


def test_how_long_an_item_is_looked_at(shop, browse):
    service, _ = shop
    page = browse(clock=True)
    page.evaluate("show('kart')")
    page.wait_for_selector("li")
    chosen = first(page)
    page.click("li:first-child a")
    page.wait_for_url("**/item.html**")
    page.clock.run_for(11_500)
    assert heard(page, lambda: acted(service, "kart", "dwell_10s")) == [chosen]
    assert acted(service, "kart", "dwell_60s") == []
    page.clock.run_for(52_000)
    assert heard(page, lambda: acted(service, "kart", "dwell_60s")) == [chosen]


def test_an_item_that_was_not_clicked_counts_no_time(shop, browse):
    _, site = shop
    page = browse(clock=True)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(f"{site}/item.html?g1")
    page.clock.run_for(61_000)
    assert [url for url in sent if "events" in url] == []


def test_coming_back_from_another_tab_says_how_long_it_took(shop, browse):
    service, _ = shop
    page = browse(clock=True)
    page.evaluate("show('gears')")
    page.wait_for_selector("li")
    chosen = first(page)
    page.evaluate("document.querySelector('li a').addEventListener('click', (event) => event.preventDefault())")
    page.click("li:first-child a")
    page.evaluate(HIDE, True)
    page.clock.run_for(12_000)
    page.evaluate(HIDE, False)
    page.clock.run_for(1_500)
    assert heard(page, lambda: acted(service, "gears", "dwell_10s")) == [chosen]


@pytest.mark.parametrize("how", ["globalPrivacyControl", "doNotTrack"])
def test_who_asks_not_to_be_tracked_is_searched_for_and_nothing_else(shop, browse, how):
    service, _ = shop
    page = browse(
        init=f"Object.defineProperty(Navigator.prototype, '{how}', {{ value: {'true' if how[0] == 'g' else repr('1')} }});", clock=True
    )
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate("show('soccer')")
    page.click("li:first-child button")
    page.clock.run_for(5_000)
    assert service.site.kept.latest(1)[0].request.client_id is None
    assert [url for url in sent if "events" in url] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_events_wait_while_the_service_is_away(shop, browse):
    service, _ = shop
    page = browse(clock=True, expected="503")
    page.evaluate("show('god')")
    page.wait_for_selector("li")
    answers = []

    def busy(route):
        answers.append(route.request.post_data)
        route.fulfill(status=503, body="{}", headers={"Access-Control-Allow-Origin": "*"}) if len(answers) < 3 else route.continue_()

    page.context.route("**/events", busy)
    page.evaluate("forage.record(page, 'like', page.results[0].entity_id)")
    for _ in range(8):
        page.clock.run_for(1_000)
        page.wait_for_timeout(20)
    heard(page, lambda: acted(service, "god", "like"))
    assert len(set(answers[:2])) == 1


def test_nothing_is_thrown_into_the_page_where_there_is_no_service(chromium):
    context = chromium.new_context()
    context.route("**/*", lambda route: route.abort())
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.add_script_tag(content=SNIPPET.read_text("utf-8"))
    said = page.evaluate(
        """async () => {
          const forage = Forage.connect({ url: "http://127.0.0.1:1/" });
          const page = await forage.search("halo");
          forage.watch(page, null); forage.watch(null, document.body); forage.record(page, "click", "x"); forage.record();
          forage.dwell(); Forage.connect(null);
          return page;
        }"""
    )
    assert (said["results"], "error" in said) == ([], True)
    context.close()
    assert wrong == []


def test_it_is_a_module_too(shop, chromium):
    service, site = shop
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site}/index.html")
    assert page.evaluate(f"import('{service.url}/client/forage.js').then(() => typeof Forage.connect)") == "function"
    context.close()


def test_it_is_small():
    assert len(SNIPPET.read_text("utf-8").splitlines()) < 200
