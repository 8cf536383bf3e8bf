"""The tutorials, followed: every command, what the page says it prints, and what it promises comes about."""

import json
import re
from urllib.request import Request, urlopen

import pytest

from tests.checks.serving import until
from tests.client.terminal import ROOT, Terminal


@pytest.fixture
def terminal(tmp_path):
    one = Terminal(tmp_path, "8080", "8000")
    yield one
    one.close()


def test_from_a_csv_to_a_search_box_that_learns(terminal, chromium):
    page = (ROOT / "docs" / "tutorial-search-box.md").read_text("utf-8")
    before, _, after = page.partition("## 5. Teach it")
    terminal.follow(before)
    shop, console = (terminal.here(url) for url in ("http://127.0.0.1:8000/search-box.html", "http://127.0.0.1:8080"))
    people = [chromium.new_context() for _ in range(3)]
    first, second, third = (person.new_page() for person in people)
    searched(first, shop).get_by_text("Quick Chess").click()
    searched(second, shop).get_by_text("Quick Chess").click()
    until(lambda: sum(one["acted"].get("click", 0) for one in got(f"{console}/memory?query=chess")["entities"]) == 2)
    firsts = [searched(third, shop).locator("li").first.inner_text() for _ in range(5)]
    assert "Quick Chess" in firsts, "scores that are near each other take turns, but not always for the same"
    asked = Request(f"{console}/search", b'{"query": "chess", "explore": false}', {"Content-Type": "application/json"})
    assert got(asked)["results"][0]["title"] == "Quick Chess"
    terminal.follow(after)
    for path in re.findall(r"<http://127\.0\.0\.1:8080(/[^>]*)>", page):
        answer = third.goto(console + path)
        assert answer is not None
        assert answer.status == 200
        if "memory" in path:
            assert "Quick Chess" in third.inner_text("main")
    for person in people:
        person.close()


def got(asked):
    with urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def searched(page, shop):
    """The list of results of a search for chess, as a person makes it."""
    page.goto(shop)
    page.fill("input", "chess")
    page.keyboard.press("Enter")
    page.wait_for_selector("li")
    return page.locator("#results")


def test_forage_beside_an_engine_that_one_has(terminal):
    page, _, _ = (ROOT / "docs" / "tutorial-own-engine.md").read_text("utf-8").partition("## Inside your process")
    printed = "\n".join(terminal.follow(page))
    places = {
        mode: float(place) for mode, place in re.findall(r"^(\w+): what 60 people wanted stood at place (\d\.\d)", printed, re.MULTILINE)
    }
    would = float(re.findall(r"Forage would have put it at (\d\.\d)", printed)[0])
    assert places["observe"] - places["live"] > 0.5, printed
    assert places["shadow"] - would > 0.5, printed
