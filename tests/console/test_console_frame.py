"""What stands around every screen: navigation, theme, keys, signing in, static files, and what a browser is allowed."""

import re
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

import serving.console.frame as frame
from serving.console.frame import NAV, inside, told

HERE = Path(frame.__file__).parent
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
SCRIPTS = sorted((HERE / "static").glob("*.js"))
STATIC = sorted(path for path in (HERE / "static").iterdir() if path.suffix in (".js", ".css"))
TOKEN = "reader-token"


def get(console, path, **more):
    return httpx.get(console.url + path, timeout=30.0, verify=False, **more)


def post(console, path, fields, **headers):
    return httpx.post(console.url + path, data=fields, headers={"origin": console.url} | headers, timeout=30.0, verify=False)


@pytest.mark.parametrize("path", [path for path, _ in NAV])
def test_every_screen_stands_in_the_frame(console, path):
    answer = get(console, path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.count("<h1") == 1
    assert f'<a href="{path}" aria-current="page">' in answer.text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_inline_script_or_style_and_no_outside_address(path):
    text = path.read_text("utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"https?://|[\"'(]//", text)


@pytest.mark.parametrize("path", STATIC, ids=lambda path: path.name)
def test_static_files_are_ours_alone_and_short(path):
    text = path.read_text("utf-8")
    assert not re.search(r"https?://|@import|url\(", text)
    assert not re.search(r"\beval\(|new Function|innerHTML\s*=[^=]|document\.write", text)
    assert len(text.splitlines()) <= (200 if path.suffix == ".js" else 400)


def test_static_files_are_kept_for_a_year_under_the_hash_of_their_content(console):
    for name in frame.statics():
        answer = get(console, frame.static(name))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.content == frame.statics()[name]
    old = get(console, "/console/static/000000000000/style.css")
    assert old.headers["cache-control"] == "no-store", "a page from before an update must not keep the new file under the old name"
    for wrong in ("nothing.css", "../frame.py", "..%2fframe.py", "%2e%2e/frame.py"):
        assert get(console, f"/console/static/{frame.version()}/{wrong}").status_code == 404


def test_addresses_to_go_back_to_stay_inside():
    assert inside("/console/try?q=a&b=//c") == "/console/try?q=a&b=//c"
    for bad in (
        "",
        "//evil.example/console/",
        "https://evil.example/console/",
        "/console",
        "/console/\\evil",
        "/console/a\r\nSet-Cookie: x",
    ):
        assert inside(bad) == "/console/today"


def test_forms_of_other_sites_are_refused(console):
    fields = {"theme": "dark", "back": "/console/words"}
    assert post(console, "/console/theme", fields, origin="https://evil.example").status_code == 403
    ours = post(console, "/console/theme", fields)
    assert (ours.status_code, ours.headers["location"]) == (303, "/console/words")
    assert "SameSite=strict" in ours.headers["set-cookie"]


def test_a_form_that_is_too_long_is_refused(console):
    assert post(console, "/console/theme", {"theme": "x" * 70_000}).status_code == 413


def test_refusals_are_pages_with_a_way_on(console):
    answer = get(console, "/console/why/no-such-search/x")
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text
    assert "Search again" in answer.text
    assert "/console/try" in answer.text


def test_what_nobody_expected_is_a_page_too(console, caplog):
    def broken(request):
        raise ZeroDivisionError

    answer = told(console.site, broken)(Request({"type": "http", "path": "/console/x", "query_string": b"", "headers": []}))
    text = answer.body.decode()
    assert answer.status_code == 500
    assert "Something is wrong in this server" in text
    assert "ZeroDivisionError" in caplog.text, "the log says what"
    assert "ZeroDivisionError" not in text


def test_theme_is_chosen_and_kept(window):
    page = window().open("/console/words")
    light = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    page.get_by_role("button", name="Theme: auto").click()
    assert page.get_by_role("button", name="Theme: dark").is_visible()
    dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    assert light != dark
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_theme_works_without_scripts_and_system_theme_is_followed(window):
    dark = window(dark=True, scripts=False).open("/console/words")
    dark.get_by_role("button", name="Theme: auto").click()
    dark.get_by_role("button", name="Theme: dark").click()
    assert dark.get_by_role("button", name="Theme: light").is_visible()
    assert dark.locator("html").get_attribute("data-theme") == "light"


def test_keys_walk_the_frame(window):
    page = window().open("/console/words")
    assert page.get_by_role("button", name="Pause").count() == 0, "nothing on this screen moves"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("c")
    assert page.locator("#find").input_value() == "c", "a key in a field is a letter"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator(".foot details[open]").count() == 1
    page.get_by_label("Single keys work").uncheck()
    page.evaluate("document.activeElement.blur()")
    page.reload()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "find", "switched off"


def test_every_link_and_button_of_the_frame_is_reached_and_seen(window):
    page = window().open("/console/words")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => { const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
              return [one.textContent.trim(), box.width >= 24 || box.height >= 24, style.outlineStyle !== "none"]; }"""
        )
        assert seen[1], f"{seen[0]!r} is too small a target"
        assert seen[2], f"{seen[0]!r} shows no focus"
        reached.append(seen[0])
        if seen[0] == "Words":
            break
    assert [name for _, name in NAV] == reached[-len(NAV) :]


def test_the_menu_opens_on_narrow_screens(window, fits, accessible):
    page = window("narrow").open("/console/words")
    assert page.get_by_role("navigation", name="Screens", exact=True).count() == 0
    page.get_by_text("Menu", exact=True).click()
    menu = page.get_by_role("navigation", name="Screens, menu")
    assert menu.get_by_role("link").all_inner_texts() == [name for _, name in NAV]
    fits(page)
    accessible(page)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, start):
    """A console whose service has one API token, which may read and search."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "tokens").write_text(f"reader {sha256(TOKEN.encode()).hexdigest()} read,search\n", "utf-8")
    with start(folder, grants=str(folder / "tokens"), searches=0) as one:
        yield one


def test_a_service_with_tokens_asks_to_sign_in(guarded, window, fits, accessible):
    page = window("narrow", at=guarded).open("/console/words?a=b")
    assert page.url == guarded.url + "/console/sign-in?next=%2Fconsole%2Fwords%3Fa%3Db"
    fits(page)
    accessible(page)
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == guarded.url + "/console/words?a=b"
    cookie = next(one for one in page.context.cookies() if one["name"] == "forage_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Sign out").click()
    page.goto(guarded.url + "/console/today")
    assert page.url == guarded.url + "/console/sign-in?next=%2Fconsole%2Ftoday"


def test_a_wrong_token_is_told_so(guarded):
    answer = post(guarded, "/console/sign-in", {"token": "guess", "next": "//evil.example"})
    assert answer.status_code == 403
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    right = post(guarded, "/console/sign-in", {"token": TOKEN, "next": "//evil.example"})
    assert (right.status_code, right.headers["location"]) == (303, "/console/today")


def test_an_open_service_asks_nobody_to_sign_in(console):
    assert get(console, "/console/sign-in").headers["location"] == "/console/today"


def test_what_is_from_before_is_said_to_be(console, window):
    """The server falls silent: the bar says so after a while, and stops saying so when it is back."""
    one = window()
    one.page.clock.install()
    page = one.open("/console/words")
    page.route("**/console/pulse", lambda route: route.abort())
    page.clock.run_for(6_000)
    page.get_by_text("what you see is from before").wait_for(state="visible")
    page.unroute("**/console/pulse")
    page.clock.run_for(20_000)
    page.get_by_text("what you see is from before").wait_for(state="hidden")
    assert all("ERR_FAILED" in said for said in one.wrong)
    one.wrong.clear()
