"""What every retriever must do (retrievers.base.Retriever). Each check gets a fresh subject; test_retriever_contract applies all to all."""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from retrievers.base import Retriever
from schemas.candidates import Candidate
from tests.retrievers.shop import Shop, game, games, request

DEPTHS = (-1, 0, 1, 2, 3, 10, 50, 1_000)
HOSTILE = (
    "title:halo AND (", '"halo', "halo\\", "*", "+halo -halo", "halo^1e9", "halo~2", "[a TO z]", "\x00halo\x00", "halo OR *:*",
    "f0:halo", "ordinal:1", "\ud800 halo", "halo " * 10_000, "x" * 100_000, "\u202e\u0301", " \t\n ", "é́́",
)  # fmt: skip


@dataclass
class Subject:
    """A retriever over a shop. `empty`: the same over a shop without anything."""

    shop: Shop
    retriever: Retriever
    empty: Retriever

    @classmethod
    def of(cls, build: Callable[[Shop], Retriever]) -> "Subject":
        shop = games()
        return cls(shop, build(shop), build(Shop()))


def assert_list(found: list[Candidate], depth: int) -> None:
    assert type(found) is list
    assert len(found) <= max(depth, 0)
    assert all(type(one) is Candidate and type(one.score) is float for one in found)
    assert all(0.0 < one.score < math.inf for one in found), "a zero score is no hit"
    assert [(-one.score, one.entity_id) for one in found] == sorted((-one.score, one.entity_id) for one in found)
    assert len({one.entity_id for one in found}) == len(found)


def check_name(subject: Subject) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", subject.retriever.name)


def check_total_order_at_every_depth(subject: Subject) -> None:
    whole = subject.retriever.retrieve(request("halo"), 1_000)
    assert len(whole) > 10, "the shop has enough to be found"
    for depth in DEPTHS:
        found = subject.retriever.retrieve(request("halo"), depth)
        assert_list(found, depth)
        assert found == whole[: max(depth, 0)], "a deeper draw begins with the shallower one"


def check_reading_changes_nothing(subject: Subject) -> None:
    asked = request("halo")
    before = copy.deepcopy(asked)
    first = subject.retriever.retrieve(asked, 10)
    kept = list(first)
    first.clear()  # the caller owns what it gets
    subject.retriever.retrieve(request("chess"), 50)
    assert subject.retriever.retrieve(asked, 10) == kept
    assert asked == before


def check_empty_query(subject: Subject) -> None:
    for text in ("", " ", "\u3000"):
        assert_list(subject.retriever.retrieve(request(text), 10), 10)


def check_unknown_words(subject: Subject) -> None:
    assert_list(subject.retriever.retrieve(request("zyzzyva qwghlm"), 10), 10)


def check_any_text(subject: Subject) -> None:
    for text in HOSTILE:
        assert_list(subject.retriever.retrieve(request(text), 10), 10)


def check_unknown_segment(subject: Subject) -> None:
    assert_list(subject.retriever.retrieve(request("halo", segment="nobody_yet"), 10), 10)


def check_works_before_anything(subject: Subject) -> None:
    assert subject.empty.retrieve(request("halo"), 10) == []


def check_deleted_is_never_found(subject: Subject) -> None:
    while found := subject.retriever.retrieve(request("halo"), 5):
        gone = {one.entity_id for one in found}
        subject.shop.put(*(subject.shop.catalog[name].model_copy(update={"deleted": True}) for name in gone))
        assert not gone & {one.entity_id for one in subject.retriever.retrieve(request("halo"), 1_000)}
    assert subject.retriever.retrieve(request("halo"), 1_000) == []


def check_came_back_is_found(subject: Subject) -> None:
    best = subject.retriever.retrieve(request("halo"), 1)[0].entity_id
    entity = subject.shop.catalog[best]
    subject.shop.put(entity.model_copy(update={"deleted": True}))
    subject.shop.put(entity)
    assert best in {one.entity_id for one in subject.retriever.retrieve(request("halo"), 1_000)}


def check_add_while_searching(subject: Subject) -> None:
    new = [game(number, title="halo new", popularity=9.0) for number in range(900, 908)]

    def write() -> None:
        for entity in new:
            subject.shop.put(entity)
            subject.shop.click("halo", entity.entity_id, clicks=3)

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        found = subject.retriever.retrieve(request("halo"), 200)
        assert_list(found, 200)
        assert len(found) > 10, "what was there is found all the time"
    writer.join()
    assert {one.entity_id for one in new} <= {one.entity_id for one in subject.retriever.retrieve(request("halo"), 200)}


CHECKS = {name: check for name, check in sorted(globals().items()) if name.startswith("check_")}
