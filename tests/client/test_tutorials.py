"""The tutorials, followed: every command, what the page says it prints, and what it promises comes about."""

import re

import pytest

from tests.client.terminal import ROOT, Terminal


@pytest.fixture
def terminal(tmp_path):
    one = Terminal(tmp_path, "8080", "8000")
    yield one
    one.close()


def test_from_a_csv_to_a_search_box_that_learns(terminal, chromium):
    page = (ROOT / "docs" / "tutorial-search-box.md").read_text("utf-8")
    terminal.follow(page)
    shop, console = (terminal.here(url) for url in ("http://127.0.0.1:8000/search-box.html", "http://127.0.0.1:8080"))
    people = [chromium.new_context() for _ in range(3)]
    first, second, third = (person.new_page() for person in people)
    searched(first, shop).get_by_text("Quick Chess").click()
    searched(second, shop).get_by_text("Quick Chess").click()
    for one in (first, second):
        one.wait_for_timeout(1_500)  # batches go after a second
    firsts = [searched(third, shop).locator("li").first.inner_text() for _ in range(5)]
    assert firsts.count("Quick Chess") >= 3, firsts  # neighbours may change places, seldom
    for path in re.findall(r"<http://127\.0\.0\.1:8080(/[^>]*)>", page):
        answer = third.goto(console + path)
        assert answer is not None
        assert answer.status == 200
        if "memory" in path:
            assert "Quick Chess" in third.inner_text("main")
    for person in people:
        person.close()


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
