"""Try a search, in the browser and without: what it returns, what a choice changes, what it differs from, what is missing."""

import re
import time

import httpx
import pytest
from starlette.requests import Request

from ops.serving.opening import makers_of
from ops.settings import Settings
from schemas.candidates import Evidence
from schemas.entities import Entity
from schemas.events import Placement
from serving.console.comparing import compared
from serving.console.finding import meant
from serving.console.try_search import CLIENT, Asked
from serving.console.trying import Thing, known_of
from serving.console.trying import test_of as how_placed


def get(console, path, **more):
    return httpx.get(console.url + path, timeout=30.0, verify=False, follow_redirects=True, **more)


def rows(page):
    return page.locator("li.result")


# -- what is pure ------------------------------------------------------------------------------------------------------------------


def test_two_lists_side_by_side():
    both = compared("b", "B", ["a", "b", "c", "d"], ["b", "a", "c", "e"], lambda name: Thing(name, name, ""))
    assert (both.only_a, both.both, both.only_b) == (1, 3, 1)
    assert [(one.thing.title, one.other, one.moved) for one in both.a] == [("a", 2, 1), ("b", 1, -1), ("c", 3, 0), ("d", None, 0)]
    assert [one.other for one in both.b] == [2, 1, 3, None]
    assert both.said == "3 items on both, 1 only in A and 1 only in B; 3 places of 4 differ."
    same = compared("b", "the fixed mix", ["a"], ["a"], lambda name: Thing(name, name, ""))
    assert same.said.startswith("Both lists are the same")
    assert compared("b", "B", [], [], lambda name: Thing(name, name, "")).said == "Both lists are empty."


def test_items_are_meant_by_id_or_by_part_of_a_title():
    catalog = {
        one: Entity(entity_id=one, title=title) for one, title in (("1", "Red Dress"), ("2", "Red"), ("red", "Blue"), ("3", "reddish sky"))
    }
    assert [one.entity_id for one in meant(catalog, " red ")] == ["red"], "an id is exact"
    assert [one.entity_id for one in meant(catalog, "RED")] == ["2", "1", "3"], "shorter titles first"
    assert [one.entity_id for one in meant(catalog, "red  dress")] == ["1"]
    assert list(meant(catalog, "  ")) == list(meant(catalog, "green")) == []


def test_what_people_did_is_said_in_words():
    assert known_of(Evidence(0.0, 0.0, 0)) == "not seen yet"
    assert known_of(Evidence(0.0, 0.2, 0)) == "hardly seen yet"
    assert known_of(Evidence(0.0, 7.2, 0)) == "not chosen in about 7 looks"
    assert known_of(Evidence(1.0, 0.3, 1)) == "chosen 1 in less than 1 look"
    assert known_of(Evidence(2.5, 310.2, 3)) == "chosen 2.5 in about 310 looks"


def test_the_address_says_everything():
    asked = Asked(q="a&b=c", page=2, group="x y", count=True, search="s", compare="fixed-mix", find="d", fields=("genre", "mood"))
    assert asked.address() == "/console/try?q=a%26b%3Dc&group=x+y&search=s&compare=fixed-mix&find=d&page=2&count=1&field=genre&field=mood"
    assert asked.address(search="", compare="", page=1, find="", group="", fields=()) == "/console/try?q=a%26b%3Dc&count=1"


def test_a_place_says_how_it_came_about():
    assert how_placed(Placement()) == ("", "")
    assert how_placed(Placement(mode="slot", p=0.05)) == ("test position", "1 in 20")
    assert how_placed(Placement(mode="swap", p=0.02)) == ("test exchange", "1 in 50")
    assert how_placed(Placement(mode="team", team="a", p=0.5)) == ("picked by A", "")
    assert how_placed(Placement(mode="team")) == ("both agree", "")


@pytest.mark.parametrize(("query", "demo", "counts"), [
    ("q=a", True, True), ("q=a", False, False), ("q=a&count=1", False, True), ("q=a&count=0", True, False),
    ("q=a&asked=1", True, False), ("q=a&asked=1&count=1", True, True),
])  # fmt: skip
def test_in_the_demo_tries_count_unless_one_says_not(query, demo, counts):
    request = Request({"type": "http", "query_string": query.encode(), "headers": []})
    assert Asked.of(request, counted=demo).count is counts


# -- over HTTP ---------------------------------------------------------------------------------------------------------------------


def test_before_a_search_the_screen_says_what_will_come(console):
    text = get(console, "/console/try").text
    assert 'class="empty"' in text
    samples = re.findall(r'href="/console/try\?q=([^"]*)"', text)
    assert len(samples) <= 5


def test_a_try_counts_nothing_unless_one_says_so(console, query):
    before = console.site.live.read()
    text = get(console, "/console/try", params={"q": query}).text
    assert "not counted" in text
    assert "data-choose" not in text, "what is not counted cannot be chosen"
    after = console.site.live.read()
    assert after.searches == before.searches


def test_loading_a_counted_search_again_counts_it_once(console, query):
    before = console.site.live.read().searches
    answer = get(console, "/console/try", params={"q": query, "count": "1"})
    assert "search=" in str(answer.url)
    again = get(console, str(answer.url).removeprefix(console.url))
    assert again.url == answer.url
    assert console.site.live.read().searches == before + 1


def test_a_link_on_another_site_makes_nothing_count(console, query):
    before = console.site.live.read().searches
    answer = get(console, "/console/try", params={"q": query, "count": "1"}, headers={"sec-fetch-site": "cross-site"})
    assert "not counted" in answer.text
    assert console.site.live.read().searches == before


def test_looking_at_the_next_page_of_a_shopper_is_not_taken_for_the_shopper(console, query):
    found = console.search(query, client="a-shopper", k=3)
    address = {"q": query, "search": found.search_id, "page": "2", "count": "1"}
    with httpx.Client(base_url=console.url, timeout=30.0, verify=False, follow_redirects=True) as client:
        answer = client.get("/console/try", params=address)
        assert "not counted" in answer.text
        assert client.cookies[CLIENT].startswith("console-")
    second = console.site.kept.get(found.search_id, 2)
    assert second is not None
    assert (second.counted, second.request.client_id) == (False, "a-shopper")


def test_a_forged_choice_is_refused(console, query):
    client = httpx.Client(base_url=console.url, timeout=30.0, verify=False, follow_redirects=True, headers={"origin": console.url})
    with client:
        page = client.get("/console/try", params={"q": query, "count": "1"})
        fields = dict(re.findall(r'name="(search|token|entity|place)" value="([^"]*)"', page.text.partition('<li class="result')[2]))
        before = console.site.live.read().actions.get("click", 0)
        for wrong in ({"token": "x" * 60}, {"entity": "another"}, {"search": "another"}):
            refused = client.post("/console/try/choose", data=fields | wrong)
            assert refused.status_code == 403
            assert 'role="alert"' in refused.text
        stranger = {"cookie": f"{CLIENT}=somebody-else"}
        assert httpx.post(console.url + "/console/try/choose", data=fields, headers=stranger, verify=False).status_code == 403
        assert console.site.live.read().actions.get("click", 0) == before
        assert client.post("/console/try/choose", data=fields | {"back": str(page.url.raw_path, "ascii")}).status_code == 200
        assert console.site.live.read().actions.get("click", 0) == before + 1


def test_odd_texts_are_shown_as_they_are(console):
    for text in ("<script>alert(1)</script>", '"><img src=x>', "{{ 7*7 }}", "a\x00b", "ß" * 600, "🦊'--"):
        answer = get(console, "/console/try", params={"q": text, "find": text})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text


@pytest.mark.parametrize(
    "odd",
    [
        "page=0",
        "page=-1",
        "page=9999999",
        "page=x",
        "compare=nothing-such",
        "search=gone",
        "field=none",
        "count=9",
        "group=" + "g" * 200,
        "group=%ff",
    ],
)
def test_odd_addresses_are_answered(console, query, odd):
    answer = get(console, f"/console/try?q={query}&{odd}", headers={"cookie": f"{CLIENT}=odd"})
    assert answer.status_code in (200, 400, 404)


def test_failed_late_and_empty_look_different(tmp_path_factory, start):
    """One method breaks, one is too slow: the page says so, and says who answered nothing."""

    def makers(catalog, reader, lacking):
        made = dict(makers_of(("lexical", "trigrams", "memory"), Settings())(catalog, reader, lacking))
        return made | {"popular": _Failing("popular"), "fresh": _Late("fresh")}

    with start(tmp_path_factory.mktemp("broken"), searches=0, makers=makers) as console:
        for _ in range(20):
            text = get(console, "/console/try", params={"q": "zqxj"}).text
            if 'class="failed"' in text and 'class="late"' in text:
                break
        assert 'class="failed">failed<' in text
        assert 'class="late">late<' in text
        assert "failed or came too late" in text
        assert "answered, with nothing" in text
        assert "<strong>No item.</strong>" in text
        assert "Nothing: " in text


class _Failing:
    def __init__(self, name):
        self.name = name

    def retrieve(self, request, depth):
        raise RuntimeError("broken on purpose")


class _Late(_Failing):
    def retrieve(self, request, depth):
        time.sleep(0.5)  # more than a search waits
        return []


# -- in the browser ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "dark"), [("narrow", False), ("wide", True)])
def test_the_whole_screen_fits_and_is_accessible(console, window, fits, accessible, query, size, dark):
    page = window(size, dark=dark).open(f"/console/try?q={query}&count=1&compare=fixed-mix&find=science")
    assert rows(page).count() == 10
    fits(page)
    accessible(page)
    page.get_by_text("Which method found which item").click()
    fits(page)
    assert page.locator("#marks table tbody tr").count() == 10


def test_a_choice_changes_its_row_in_front_of_ones_eyes(console, window, query):
    page = window().open(f"/console/try?q={query}&count=1")
    row = rows(page).nth(6)
    title, before = row.locator("button.title").inner_text(), row.locator(".figures .muted").inner_text()
    address = page.url
    row.locator("button.title").click()
    row.get_by_text("you chose it").wait_for()
    page.locator("#place-7 .figures", has_text=re.compile(r"chosen \d")).wait_for()
    assert not before.startswith("chosen ")
    assert page.locator("#place-7 .score b.up").count() == 1, "its score went up"
    assert page.url == address, "nobody was sent away"
    assert title in page.locator("#said").inner_text()
    page.get_by_role("link", name="Search again").first.click()
    assert page.url != address
    assert title in [one.inner_text() for one in page.locator("button.title").all()[:7]]


def test_a_choice_works_without_scripts(console, window, query):
    page = window(scripts=False).open(f"/console/try?q={query}&count=1")
    rows(page).nth(2).locator("button.title").click()
    assert page.url.endswith("#place-3")
    assert rows(page).nth(2).get_by_text("you chose it").is_visible()


def test_keys_walk_the_results(console, window, query):
    page = window().open(f"/console/try?q={query}")
    assert page.evaluate("document.activeElement.id") != "find", "a page of results is for reading"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == "why-2"
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.id") == "compare"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/why/**")


def test_comparing_is_an_address(console, window, query):
    page = window().open(f"/console/try?q={query}")
    for key, name in (("fixed-mix", "the fixed mix"), ("no-memory", "no memory")):
        page.get_by_label("Compare with").select_option(key)
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_load_state()  # before the style sheet is there, both widths of a chart are to be seen
        lists = page.locator(".side-list")
        a, b = (lists.nth(at).locator("li > span:nth-child(2)").all_inner_texts() for at in (0, 1))
        shares = page.locator("#compared svg:visible text").all_text_contents()
        assert shares == [f"only A {len(set(a) - set(b))}", f"both {len(set(a) & set(b))}", f"only B {len(set(b) - set(a))}"]
        assert name in page.locator("#compared h2").inner_text()
        assert f"compare={key}" in page.url


def test_a_missing_item_is_found_and_the_stage_that_lost_it(console, window, query):
    page = window().open(f"/console/try?q={query}")
    shown = {one.entity_id for one in console.site.kept.get(re.search(r"search=([^&]+)", page.url)[1]).page.impression.results}
    other = next(one for one in console.site.backend.view().catalog.values() if one.entity_id not in shown)
    find = page.get_by_label("Its name, or its id")
    find.fill(other.entity_id)
    find.press("Enter")
    card = page.locator("#missing")
    assert other.title in card.get_by_role("status").inner_text()
    assert card.locator(".way .lost").count() == 1
    find.fill(next(iter(shown)))
    find.press("Enter")
    assert "is on this page" in card.get_by_role("status").inner_text()
    assert card.locator(".way .done").count() == 5
    find.fill("no such thing anywhere")
    find.press("Enter")
    assert "not in the catalogue" in card.get_by_role("status").inner_text()
    assert card.locator(".way .done").count() == 0
    find.fill("science")
    find.press("Enter")
    assert card.get_by_role("listitem").get_by_role("link").count() > 1, "one is asked which one is meant"


def test_pages_of_a_search_go_on_where_the_last_one_ended(console, window, query):
    page = window().open(f"/console/try?q={query}")
    first = page.locator(".result .title").all_inner_texts()
    page.get_by_role("link", name="Page 2").click()
    assert page.locator(".result .place").all_inner_texts()[0] == "11"
    assert not set(first) & set(page.locator(".result [data-why]").evaluate_all("all => all.map((one) => one.href)"))
    page.get_by_role("link", name="Page 1").click()
    assert page.locator(".result .title").all_inner_texts() == first
