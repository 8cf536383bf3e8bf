"""The second tutorial's last part, Forage inside an engine's own process: its commands, on a real broker."""

import json

from streams import admin
from tests.client.terminal import BLOCK, ROOT, Terminal


def test_an_engine_with_forage_inside_tells_its_page_and_what_was_chosen(bootstrap, read_all, tmp_path):
    admin.delete_topics(bootstrap)
    page = (ROOT / "docs" / "tutorial-own-engine.md").read_text("utf-8").partition("## Inside your process")[2]
    lines = [line for kind, block in BLOCK.findall(page) if kind == "sh" for line in block.splitlines()]
    terminal = Terminal(tmp_path)
    terminal.environment["FORAGE_BOOTSTRAP"] = bootstrap
    printed = [terminal.type(line.replace("127.0.0.1:9092", bootstrap)) for line in lines if "forage worker" not in line]
    assert printed[-1].split()[0] in ("G008", "G009", "G029")  # the chess games
    (impression,) = (json.loads(record.value) for record in read_all("search.impressions"))
    (action,) = (json.loads(record.value) for record in read_all("search.actions"))
    assert {arm["name"] for arm in impression["decision"]["arms"]} == {"titles", "abouts"}
    assert (action["search_id"], action["entity_id"]) == (impression["search_id"], impression["results"][0]["entity_id"])
