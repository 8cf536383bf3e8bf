"""Versions: what runs, what changed, and to which version one can go back."""

import pytest

from learners.definition import ArmSpec, Definition, PlacementSpec, Selection
from learners.fit import fit
from learners.registry import manifest_of
from schemas.errors import NotFound
from schemas.snapshots import Content, Manifest
from serving.console.changes import difference
from serving.console.versions import facts

ARMS = [ArmSpec.of("lexical"), ArmSpec.of("popular")]


def content(*, p: float = 0.9, arms: list[ArmSpec] = ARMS, slot: float = 0.05) -> Content:
    fixed = Selection(kind="fixed", fixed={arm.name: p for arm in arms})
    return fit(Definition(arms=arms, selection=fixed, placement=PlacementSpec(slot=slot)), {}, 0)


def published(content: Content, seq: int, *, reason: str = "refresh", pinned: bool = False) -> Manifest:
    return manifest_of(content, seq=seq, publisher_epoch=0, created=1_000 * seq, applied={}, reason=reason, pinned=pinned)


def ago(created: int) -> str:
    return f"at {created // 1_000}"


def test_nothing_was_published_yet():
    found = facts([], ago=ago)
    assert found.live is None
    assert found.sentence.startswith("No version yet")


def test_one_version():
    found = facts([published(content(), 1)], ago=ago)
    assert (
        found.sentence == "Version 1 is in use, published at 1. It is the only one so far; the first change appears after the next update."
    )
    assert [(one.name, one.how, one.live, one.refused) for one in found.versions] == [
        ("Version 1", "automatic update", True, "In use now.")
    ]


def test_going_back_is_a_new_version_with_old_contents():
    one, two = content(p=0.9), content(p=0.3)
    found = facts([published(one, 1), published(two, 2), published(one, 3, reason="rollback: promo week", pinned=True)], ago=ago)
    assert found.sentence == (
        "Version 3 is in use, published at 3, with the contents of version 1. "
        "It is held: automatic updates stop until somebody releases the hold."
    )
    assert found.held
    assert [(row.number, row.how, row.note, row.same_as) for row in found.versions] == [
        (3, "went back", "promo week", 1),
        (2, "automatic update", "", None),
        (1, "automatic update", "", None),
    ]
    assert [row.refused for row in found.versions] == ["In use now.", "", "The version in use has the same contents."]


def test_the_id_of_an_order_is_no_reason():
    reason = "pin:0b7a4c1e-3d59-4f2a-9c55-0a6a7b1c2d3e"
    found = facts([published(content(), 1), published(content(), 2, reason=reason, pinned=True)], ago=ago)
    assert found.versions[0].said == "held, same contents as version 1"


def test_who_may_not_operate_is_told_what_is_missing():
    found = facts([published(content(p=0.9), 1), published(content(p=0.3), 2)], ago=ago, may_operate=False)
    assert [row.refused for row in found.versions] == ["In use now.", "Sign in with a token that has the right “operate”."]


def compared(before: Content, after: Content):
    kept = {one.content_id: one for one in (before, after)}
    return difference((1, before.content_id), (2, after.content_id), content=kept.__getitem__)


def test_only_differences_are_shown():
    assert [(one.what, one.before, one.after) for one in compared(content(p=0.9), content(p=0.3)).changes] == [
        ("Word match: chance of being asked", "0.90", "0.30"),
        ("Most chosen: chance of being asked", "0.90", "0.30"),
        ("Setting selection.fixed.lexical", "0.9", "0.3"),
        ("Setting selection.fixed.popular", "0.9", "0.3"),
    ]


def test_a_new_method_and_a_changed_setting():
    found = compared(content(), content(arms=[*ARMS, ArmSpec.of("fresh")], slot=0.0))
    told = [(one.what, one.before, one.after) for one in found.changes]
    assert told[0] == ("New in", "not there", "learning")
    assert ("Setting placement.slot", "0.05", "0.0") in told


def test_equal_versions_differ_in_nothing():
    found = compared(content(), content())
    assert not found.changes
    assert found.sentence == "Version 2 decides like version 1: no chance moved by 5 points or more, no setting changed."


def test_contents_that_are_gone_are_named():
    def gone(content_id: str) -> Content:
        raise NotFound(f"content {content_id[:4]} is gone")

    found = difference((1, "abcd"), (2, "ef01"), content=gone)
    assert found.sentence.startswith("The two cannot be compared: content ")


@pytest.mark.parametrize(("number", "there"), [(2, True), (7, False)])
def test_a_version_is_found_by_its_number(number, there):
    found = facts([published(content(p=0.9), 1), published(content(p=0.3), 2)], ago=ago)
    assert (found.find(number) is not None) is there
