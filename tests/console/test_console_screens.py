"""The screens of numbers in a real browser: with data and without, narrow and wide, light and dark, by form and by address."""

import asyncio
import csv
import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from random import Random

import httpx
import pytest
from starlette.applications import Starlette

from evaluation.people.catalogue import catalogue
from evaluation.people.drift import drift
from evaluation.people.listeners import people
from ops.serving.crowd import Listeners
from schemas.errors import CorruptFile
from serving.console import memory, methods, today, versions, words

SCREENS = ("today", "methods", "memory", "results", "versions", "flow", "words")
CHECKED = {"narrow": ("today", "methods", "versions", "words"), "wide": ("memory", "results", "flow")}  # axe takes its time
TOLD = "all => all.map((one) => ['title', 'desc'].map((of) => one.querySelector(of)?.textContent))"
TOKENS = {"read": "reader-token", "operate": "operator-token"}


def get(console, path, **more):
    return httpx.get(console.url + path, timeout=30.0, **more)


def until(true, seconds=20.0):
    """Wait for what the loop does by itself. Fails when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def answer_of(page):
    return page.locator("#answer").inner_text()


def ask(site, method, path, *, screen=today, **fields):
    """One request to the routes of one screen, on a site of the test's own making."""

    async def answered():
        app = httpx.ASGITransport(Starlette(routes=screen.routes(site)))
        async with httpx.AsyncClient(transport=app, base_url="http://testing") as client:
            return await client.request(method, path, data=fields or None)

    with ThreadPoolExecutor(1) as thread:  # this one has the loop of the browser
        return thread.submit(asyncio.run, answered()).result()


@pytest.fixture(scope="module")
def empty(tmp_path_factory, start):
    """A service that nobody has used."""
    with start(tmp_path_factory.mktemp("empty"), searches=0) as one:
        yield one


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, start):
    """A service with two versions and two tokens: one may operate, one only look."""
    folder = tmp_path_factory.mktemp("guarded")
    lines = [f"{scope} {sha256(token.encode()).hexdigest()} {scope},search\n" for scope, token in TOKENS.items()]
    (folder / "tokens").write_text("".join(lines).replace("operate,", "operate,read,"), "utf-8")
    with start(folder, grants=str(folder / "tokens"), searches=30) as one:
        until(lambda: len({version.content_id for version in one.site.backend.versions()}) > 1)
        yield one


# -- every screen ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "dark"), [("narrow", True), ("wide", False)])
def test_screens_with_data_fit_and_can_be_used_by_everybody(window, console, fits, accessible, size, dark):
    until(lambda: console.site.outcomes.traffic().searches > 0)
    one = window(size, dark=dark)
    for name in SCREENS:
        page = one.open(f"/console/{name}")
        assert answer_of(page), f"{name} answers its question"
        fits(page)
        if name in CHECKED[size]:
            accessible(page)
        told = page.locator("svg.chart").evaluate_all(TOLD)
        assert all(all(one) for one in told), f"every chart of {name} says what it shows"


def test_screens_without_data_say_what_will_come(window, empty, fits, accessible):
    one = window("narrow", at=empty)
    said = {}
    for name in SCREENS:
        page = one.open(f"/console/{name}")
        said[name] = answer_of(page)
        fits(page)
        if name in ("results", "memory"):
            accessible(page)
    assert said["today"].startswith("No searches yet.")
    assert said["methods"].startswith("All methods still stand at the starting chance")
    assert said["memory"].startswith("Nothing learned yet")
    assert said["results"].startswith("No comparison ran")
    assert said["flow"].startswith("No events yet")
    assert "Nothing is wrong" not in get(empty, "/console/results").text


ODD = (
    ("today", "period=x"),
    ("methods", "method=%3Cscript%3E&kind=zz"),
    ("memory", "q=" + "x" * 5_000),
    ("memory", "item=%00"),
    ("memory", "q=%3Cscript%3E&sort=gap"),
    ("results", "trial=%3Cscript%3E"),
    ("versions", "before=9999999&after=-1"),
    ("versions", "back=abc"),
    ("versions", "order=nothing"),
)


def test_addresses_hold_the_state(console):
    assert 'aria-current="true">last 7 days' in get(console, "/console/today?period=week").text
    assert "last 24 hours" in get(console, "/console/today?period=%00").text
    for name, odd in ODD:
        answer = get(console, f"/console/{name}?{odd}")
        assert answer.status_code == 200
        assert "<script>" not in answer.text


# -- Today -------------------------------------------------------------------------------------------------------------------------


def test_today_sets_the_speed_of_the_made_up_people(console):
    crowd = Listeners(people(drift(catalogue(7), 7), 7), speed=0.0, rng=Random(1))
    site = replace(console.site, crowd=crowd)
    assert "listeners rest" in ask(site, "GET", "/console/today").text
    answer = ask(site, "POST", "/console/today/speed", speed="5")
    assert (answer.status_code, answer.headers["location"], crowd.speed) == (303, "/console/today", 5.0)
    assert re.search(r'value="5.0" class="primary"', ask(site, "GET", "/console/today").text)
    for wrong, said in (("9999", "speed is 9999"), ("fast", "“fast” is no number"), ("nan", "nan")):
        refused = ask(site, "POST", "/console/today/speed", speed=wrong)
        assert (refused.status_code, crowd.speed) == (422, 5.0)
        assert said in refused.text


def test_nobodys_speed_is_set_where_there_are_no_made_up_people(console):
    assert ask(console.site, "POST", "/console/today/speed", speed="5").status_code == 403


# -- Methods and Memory ------------------------------------------------------------------------------------------------------------


def test_methods_are_looked_at_by_kind_and_one_by_one(window):
    page = window("narrow").open("/console/methods")
    page.get_by_label("Kind", exact=True).select_option("2")
    page.get_by_role("button", name="Show").click()
    assert "kind=2" in page.url
    assert "searches" in page.locator("#kind figcaption").inner_text()
    page.get_by_role("link", name="Title match").click()
    assert page.get_by_role("heading", level=2, name="Title match").is_visible()
    assert "method=lexical_title" in page.url


def test_memory_shows_what_a_click_taught(window, console, query):
    found = console.search(query, client="memory-tester")
    clicked = console.click(found, place=2)
    until(lambda: console.site.backend.flow().behind == 0)
    page = window().open("/console/memory")
    page.get_by_label("A search", exact=True).fill(query)
    page.get_by_role("button", name="Show what it learned").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=clicked.title, exact=True))
    assert row.is_visible()
    row.get_by_role("link", name=clicked.title, exact=True).click()
    assert page.get_by_role("row").filter(has_text=query).is_visible(), "the item says for which search it was chosen"
    assert f"People choose {clicked.title}" in answer_of(page)


def test_memory_says_what_it_does_not_know(console):
    assert "Nothing learned for “zzz” yet" in get(console, "/console/memory?q=zzz").text
    assert "No item has the id or the name “zzz”" in get(console, "/console/memory?item=zzz").text


def test_looking_teaches_nothing(console, query):
    before = console.site.live.read()
    get(console, "/console/memory", params={"q": query})
    after = console.site.live.read()
    assert after.searches == before.searches


class Unreadable:
    """A backend whose disk has lost the contents of its versions."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def content(self, content_id):
        raise CorruptFile(f"content {content_id[:8]} does not read; publish again")


def test_pages_stay_where_the_content_in_use_cannot_be_read(console, query):
    site = replace(console.site, backend=Unreadable(console.site.backend))
    for screen, path in ((methods, "/console/methods"), (memory, f"/console/memory?q={query}"), (memory, "/console/memory")):
        assert ask(site, "GET", path, screen=screen).status_code == 200
    told = ask(site, "GET", "/console/versions", screen=versions)
    assert "The two cannot be compared: content" in told.text


# -- Versions ----------------------------------------------------------------------------------------------------------------------


def test_going_back_makes_a_new_version_and_holds_it(window, guarded):
    one, backend = window("narrow", scripts=False, at=guarded), guarded.site.backend
    page = one.open("/console/sign-in?next=/console/versions")
    page.get_by_label("API token").fill(TOKENS["operate"])
    page.get_by_role("button", name="Sign in").click()
    first = backend.versions()[0]
    page.locator(f"#version-{first.seq}").get_by_role("link", name="Go back to this version").click()
    page.get_by_label("Why?").fill("promo week")
    page.get_by_label(f"Type {first.seq}").fill("77")
    page.locator("#back").get_by_role("button").click()
    assert f"Type {first.seq} to say that you mean version {first.seq}; you typed “77”." in page.get_by_role("alert").inner_text()
    assert one.wrong.pop().startswith("Failed to load resource"), "a browser notes that the form was refused"
    assert page.get_by_label("Why?").input_value() == "promo week", "what was typed is kept"
    page.get_by_label(f"Type {first.seq}").fill(f"Version {first.seq}")
    page.locator("#back").get_by_role("button").click()
    assert page.get_by_role("status").is_visible()
    newest = backend.versions()[-1]
    assert (newest.content_id, newest.pinned) == (first.content_id, True)
    assert "It is held" in answer_of(page)
    assert "promo week" in page.locator("ol.line > li").first.inner_text()
    page.get_by_role("link", name="Release hold").click()
    page.get_by_label("Why?").fill("over")
    page.get_by_role("button", name="Release hold").click()
    assert not backend.versions()[-1].pinned


def test_who_may_not_operate_sees_why(guarded):
    with httpx.Client(base_url=guarded.url, headers={"origin": guarded.url}, timeout=30.0) as client:
        client.post("/console/sign-in", data={"token": TOKENS["read"]})
        text = client.get("/console/versions").text
        assert re.search(r"<button disabled[^>]*>Go back to this version", text)
        assert "Sign in with a token that has the right “operate”." in text
        first, before = guarded.site.backend.versions()[0].seq, len(guarded.site.backend.versions())
        fields = {"action": "rollback", "number": str(first), "typed": str(first), "reason": "promo week"}
        assert client.post("/console/versions", data=fields).status_code == 403
        assert not any("rollback" in one.reason for one in guarded.site.backend.versions()[before:])


def test_orders_of_other_sites_are_refused(console):
    answer = httpx.post(console.url + "/console/versions", data={"action": "unpin"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


# -- figures for spreadsheets, and words -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "head"), [("/console/flow.csv", "what"), ("/console/results.csv", "trial")])
def test_figures_are_given_as_files(console, path, head):
    answer = get(console, path)
    assert "attachment" in answer.headers["content-disposition"]
    assert next(csv.reader(io.StringIO(answer.text)))[0] == head


def test_every_word_can_be_linked_once():
    anchors = [entry.anchor for chapter in words.facts() for entry in chapter.entries] + [chapter.anchor for chapter in words.facts()]
    assert len(anchors) == len(set(anchors))
    assert all(re.fullmatch(r"[a-z0-9_-]+", anchor) for anchor in anchors)
