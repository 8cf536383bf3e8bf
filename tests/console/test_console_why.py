"""Why this item: what is drawn is the sum that was served, tests are named as tests, any two items can be compared."""

import re
from html import unescape
from math import log

import httpx
import pytest

from display.numbers import number, signed

ENOUGH = 400  # searches among which one with a test is all but certain: one in seven has one


def get(console, path):
    return httpx.get(console.url + path, timeout=30.0, verify=False)


def raw(console, answer, entity_id):
    """The explanation as the page links to it, for programs."""
    text = get(console, f"/console/why/{answer.search_id}/{entity_id}").text
    return get(console, unescape(re.search(r'id="json" href="([^"]+)"', text)[1])).json()["explanation"]


@pytest.fixture
def answer(console, query):
    """A search whose first item was chosen by somebody before."""
    console.click(console.search(query, client="one"))
    return console.search(query, client="two", explore=False)


def test_the_sum_is_the_score_that_was_served(console, answer):
    served = {one.entity_id: one.score for one in answer.results}
    for one in answer.results:
        told = raw(console, answer, one.entity_id)
        memory = told["memory"]
        assert sum(row["adds"] for row in told["reasons"]) == pytest.approx(log(memory["expected"] / (1.0 - memory["expected"])), abs=1e-6)
        weighed = (memory["kappa"] * memory["expected"] + memory["reward"] * (not memory["held_back"])) / (
            memory["kappa"] + memory["looks"] * (not memory["held_back"])
        )
        assert weighed == pytest.approx(served[one.entity_id], abs=1e-6)
        assert told["score"] == served[one.entity_id]


def test_the_tables_say_what_the_pictures_draw(console, window, answer):
    page = window().open(f"/console/why/{answer.search_id}/{answer.results[0].entity_id}")
    told = raw(console, answer, answer.results[0].entity_id)
    assert page.locator("h1").inner_text() == f"Why is “{told['title']}” at place 1?"
    page.get_by_text("All rows").click()
    points = page.locator("#expected-table td").all_inner_texts()
    assert points == [signed(row["adds"]) for row in told["reasons"]]
    page.get_by_text("The numbers").click()
    assert page.locator("#memory-table td.num").all_inner_texts()[0] == number(told["memory"]["expected"])
    for picture in page.locator("svg.chart:visible").all():
        assert picture.locator("title").text_content()
        assert picture.locator("desc").text_content()
    assert page.locator("svg.chart:visible").count() == 2


def test_against_the_item_above_the_rows_add_up(console, answer):
    second = answer.results[1]
    told = raw(console, answer, second.entity_id)["above"]
    assert told["entity_id"] == answer.results[0].entity_id
    assert told["total"] == pytest.approx(second.score - answer.results[0].score, abs=1e-9)
    assert sum(row["adds"] for row in told["rows"]) == pytest.approx(told["total"], abs=1e-6)


def test_any_item_of_the_page_can_be_compared(console, window, answer):
    page = window().open(f"/console/why/{answer.search_id}/{answer.results[0].entity_id}")
    assert "Nothing stands above it" in page.locator("#versus").inner_text()
    page.keyboard.press("c")
    assert page.evaluate("document.activeElement.id") == "than"
    page.get_by_label("Compare with").select_option(answer.results[4].entity_id)
    page.get_by_role("button", name="Compare").click()
    assert f"than={answer.results[4].entity_id}" in page.url.replace("%3A", ":")
    assert f"Against “{answer.results[4].title}”" in page.locator("#versus").inner_text()
    total = answer.results[0].score - answer.results[4].score
    assert page.locator("#versus tr.total td").inner_text() == signed(total, 4)
    page.get_by_role("link", name="Item below").click()
    assert f"“{answer.results[1].title}” at place 2" in page.locator("h1").inner_text()
    page.get_by_role("link", name="Back to").click()
    assert page.locator("li.result").count() == 10


def test_a_place_that_was_a_test_is_said_to_be_one(console):
    """Search until a page has a test; then the screen says which, with its chance, and what the score alone would have done."""
    for number_of in range(ENOUGH):
        answer = console.search(console.queries[number_of % len(console.queries)], counted=False)
        shown = console.site.kept.get(answer.search_id).page.impression.results
        test = next((one for one in shown if one.placement.mode in ("slot", "swap")), None)
        if test is not None:
            break
    assert test is not None
    text = get(console, f"/console/why/{answer.search_id}/{test.entity_id}").text
    assert 'class="notice warn" id="test"' in text
    assert "The score did not put it here" in text
    other = next(one for one in shown if one.placement.mode == "score")
    assert 'id="test"' not in get(console, f"/console/why/{answer.search_id}/{other.entity_id}").text


def test_an_item_that_nobody_saw_has_its_expectation_alone(console):
    view = console.site.backend.view()
    answer = console.search("a rare new search of strings", counted=False)
    unseen = next(one for one in answer.results if not view.memory.lookup("a rare new search of strings", "", [one.entity_id])[0].examined)
    text = get(console, f"/console/why/{answer.search_id}/{unseen.entity_id}").text
    assert "Nobody has seen this item for this search yet" in text
    told = raw(console, answer, unseen.entity_id)
    assert told["memory"]["result"] == pytest.approx(told["memory"]["expected"], abs=1e-9)


def test_an_item_that_was_not_found_leads_to_the_stage_that_lost_it(console, answer):
    ranked = {one.entity_id for one in console.site.kept.get(answer.search_id).page.ranked}
    other = next(one for one in console.site.backend.view().catalog.values() if one.entity_id not in ranked)
    text = get(console, f"/console/why/{answer.search_id}/{other.entity_id}").text
    assert f"Why is “{other.title}” not here?" in unescape(text)
    assert "Which stage lost it" in text


def test_an_explanation_that_is_gone_says_so(console, answer):
    gone = get(console, f"/console/why/gone/{answer.results[0].entity_id}")
    assert gone.status_code == 404
    assert "The explanation is gone" in gone.text


@pytest.mark.parametrize(("size", "dark"), [("narrow", True), ("wide", False)])
def test_the_screen_fits_is_accessible_and_scales_no_picture(window, fits, accessible, answer, size, dark):
    page = window(size, dark=dark).open(f"/console/why/{answer.search_id}/{answer.results[2].entity_id}")
    fits(page)
    accessible(page)
    for picture in page.locator("svg.chart:visible").all():
        assert picture.bounding_box()["width"] == pytest.approx(float(picture.get_attribute("width")), abs=1.0)
