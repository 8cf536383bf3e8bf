import logging

import pytest

from learners.fit import fit
from learners.policy import Policy
from learners.registry import KEEP_CONTENTS, KEEP_MS, Registry
from schemas.errors import CorruptFile, InvalidSetting, NotFound, Unavailable
from schemas.snapshots import join_parts
from tests.checks.full_disk import largest_file
from tests.learners.requests import definition

MINUTE = 60_000


def content(salt):
    return fit(definition(salt=str(salt)), {}, 0)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def test_publish_load_and_read_again_by_another_process(registry, tmp_path):
    one = registry.publish(content(1), created=5, publisher_epoch=3, applied={"p0": [4, 2]})
    two = registry.publish(content(2), created=6, publisher_epoch=3, applied={"p0": [4, 3]})
    assert (one.seq, two.seq) == (1, 2)
    again = Registry(tmp_path)
    assert [one.seq for one in again.list()] == [1, 2]
    assert again.load() == (two, content(2))
    assert again.load(1) == again.load(one.content_id[:8]) == (one, content(1))
    assert again.publish(content(3), created=7, applied={"p0": [5, 5]}).seq == 3


def test_parts_of_a_manifest_make_its_content(registry):
    manifest = registry.publish(content(1), created=0)
    assert join_parts(manifest, {part.sha256: part for part in content(1).split()}) == content(1)


def test_rollback_publishes_old_content_anew_and_pins_it_until_unpin(registry):
    old = registry.publish(content(1), created=0, applied={"p0": [1, 1]})
    registry.publish(content(2), created=1, applied={"p0": [9, 9]})
    back = registry.rollback(old.seq, created=2, publisher_epoch=1)
    assert (back.seq, back.content_id, back.pinned, back.applied) == (3, old.content_id, True, {"p0": [1, 1]})
    with pytest.raises(InvalidSetting, match=r"seq 3 is pinned.*unpin"):
        registry.publish(content(3), created=3, applied={"p0": [10, 10]})
    with pytest.raises(InvalidSetting, match="pinned"):
        registry.promote(content(2).content_id, created=3)
    assert registry.unpin(created=4).pinned is False
    assert registry.publish(content(3), created=5, applied={"p0": [10, 10]}).seq == 5


def test_pin_keeps_what_runs(registry):
    registry.publish(content(1), created=0)
    pinned = registry.pin(created=1)
    assert (pinned.seq, pinned.content_id, pinned.pinned) == (2, content(1).content_id, True)
    assert registry.current == pinned


def test_promote_publishes_a_stored_release(registry):
    registry.publish(content(1), created=0, applied={"p0": [7, 7]})
    waiting = registry.store(content(2))
    assert registry.current.content_id == content(1).content_id
    promoted = registry.promote(waiting, created=1)
    assert (promoted.content_id, promoted.reason, promoted.applied) == (waiting, "promote", {"p0": [7, 7]})


def test_a_refresh_with_less_evidence_is_not_published(registry):
    registry.publish(content(1), created=0, applied={"p0": [7, 7]})
    with pytest.raises(InvalidSetting, match=r"not published.*source p0"):
        registry.publish(content(2), created=1, applied={"p0": [7, 6]})
    assert registry.current.seq == 1


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: data + b"x", lambda data: bytes(len(data))])
def test_corrupt_content_is_refused_and_the_last_good_one_kept(registry, tmp_path, damage, caplog):
    good, bad = registry.publish(content(1), created=0), registry.publish(content(2), created=1)
    path = tmp_path / "contents" / bad.content_id
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptFile, match=bad.content_id):
        registry.load(bad.seq)
    with caplog.at_level(logging.WARNING):
        assert Registry(tmp_path).load()[0] == good
    assert "seq 2 is passed over" in caplog.text


def test_content_under_another_name_is_refused(registry, tmp_path):
    one, two = registry.publish(content(1), created=0), registry.publish(content(2), created=1)
    folder = tmp_path / "contents"
    (folder / two.content_id).write_bytes((folder / one.content_id).read_bytes())
    with pytest.raises(CorruptFile):
        registry.load(two.content_id)


def test_a_manifest_that_does_not_read_is_passed_over_and_its_number_not_given_again(registry, tmp_path):
    registry.publish(content(1), created=0)
    registry.publish(content(2), created=1)
    (tmp_path / "manifests" / "000000000002.json").write_bytes(b'{"schema_version": 1,')
    again = Registry(tmp_path)
    assert [one.seq for one in again.list()] == [1]
    assert again.publish(content(3), created=2).seq == 3


def test_a_manifest_under_another_number_is_passed_over(registry, tmp_path):
    registry.publish(content(1), created=0)
    folder = tmp_path / "manifests"
    (folder / "000000000009.json").write_bytes((folder / "000000000001.json").read_bytes())
    assert [one.seq for one in Registry(tmp_path).list()] == [1]


def test_keeps_the_last_20_contents_and_of_10_days_orders_and_the_last_of_every_hour(registry, tmp_path):
    for salt in range(2 * KEEP_CONTENTS):  # 25 minutes apart: two or three an hour
        registry.publish(content(salt), created=25 * MINUTE * salt, reason="promote" if salt == 1 else "refresh")
    registry.store(content("waiting"))
    hours = [2, 4, 7, 9, 11, 14, 16, 19]  # the last ones before a full hour: 50, 100, 175, ... minutes
    assert [one.created // (25 * MINUTE) for one in registry.list()] == [1, *hours, *range(20, 2 * KEEP_CONTENTS)]
    registry.publish(content("new"), created=KEEP_MS + 25 * MINUTE * 20)  # ten days after the twenty that are not among the last 20
    assert [one.created // (25 * MINUTE) for one in registry.list()][:-1] == [*range(21, 2 * KEEP_CONTENTS)]
    kept = {one.content_id for one in registry.list()} | {content("waiting").content_id}
    assert {path.name for path in (tmp_path / "contents").iterdir()} == kept
    assert {path.stem for path in (tmp_path / "manifests").iterdir()} == {f"{one.seq:012d}" for one in registry.list()}


@pytest.mark.parametrize("which", [7, "deadbeef", "", "ab"])
def test_what_is_not_there(registry, which):
    registry.publish(content(1), created=0)
    with pytest.raises(NotFound, match="forage snapshots list"):
        registry.load(which)


def test_an_empty_registry(registry):
    assert (registry.current, registry.list()) == (None, ())
    for act in (registry.load, lambda: registry.pin(created=0), lambda: registry.rollback(1, created=0)):
        with pytest.raises(NotFound):
            act()


def test_a_loaded_snapshot_is_a_policy(registry):
    registry.publish(content(1), created=0)
    manifest, loaded = registry.load()
    assert Policy(loaded, seq=manifest.seq).content_id == manifest.content_id


def test_a_full_disk_publishes_nothing_says_what_to_do_and_keeps_the_last(registry, tmp_path):
    registry.publish(content(1), created=0)
    with largest_file(10), pytest.raises(Unavailable, match=r"is not written .*make room"):
        registry.publish(content(2), created=1)
    assert (registry.current.seq, Registry(tmp_path).load()[1]) == (1, content(1))
    assert not list(tmp_path.glob("*/*.tmp"))
    assert registry.publish(content(2), created=1).seq == 2


def test_any_flipped_bit_of_a_manifest_is_found_and_the_one_before_stays(registry, tmp_path):
    registry.publish(content(1), created=0)
    registry.publish(content(2), created=1, applied={"p0": [12, 34]})
    path = tmp_path / "manifests" / "000000000002.json"
    good = path.read_bytes()
    for at in range(0, len(good), 5):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])  # digits stay digits
        assert Registry(tmp_path).current.seq == 1
    path.write_bytes(good)
    assert Registry(tmp_path).current.applied == {"p0": [12, 34]}
