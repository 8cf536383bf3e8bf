"""The queue on disk against a plain list, and what a crash may leave behind."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.errors import Unavailable
from streams.producing import spill as spill_module
from streams.producing.outgoing import Envelope, from_line, to_line
from streams.producing.spill import Spill
from tests.checks.full_disk import largest_file


def event(number, size=0):
    return Envelope("search.actions", f"s\t{number}\n", b'{"n":%d,"pad":"%s"}' % (number, b"x" * size))


@given(st.text(max_size=20), st.binary(max_size=50).filter(lambda value: b"\n" not in value))
def test_a_line_comes_back_as_it_was(key, value):
    assert from_line(to_line(Envelope("t", key, value))) == Envelope("t", key, value)


def test_a_known_line():
    # crc32(b't\t"k"\t{}') worked out with `printf 't\t"k"\t{}' | gzip -c | tail -c8 | od -tx4`.
    assert to_line(Envelope("t", "k", b"{}")) == b'9bb31637\tt\t"k"\t{}\n'


@pytest.mark.parametrize("at", [0, 9, 12, 20, 30])
def test_a_changed_byte_is_found(at):
    line = bytearray(to_line(event(1)))
    line[at] ^= 1
    assert from_line(bytes(line)).topic == ""


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 5)),
    st.tuples(st.just("prepend"), st.integers(1, 5)),
    st.tuples(st.just("take"), st.integers(0, 7)),
    st.tuples(st.just("peek"), st.integers(1, 7)),
    st.tuples(st.just("reopen"), st.just(0)),
    st.tuples(st.just("clear"), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@example([("append", 2), ("take", 1), ("take", 1), ("clear", 0), ("peek", 1)], 40)  # the first was read to its end
@given(st.lists(STEPS, max_size=40), st.integers(40, 400))
def test_it_behaves_as_a_list_and_a_reopened_one_repeats_at_most_the_segment_at_its_head(steps, segment_bytes):
    spill_module.SEGMENT_BYTES, normal = segment_bytes, spill_module.SEGMENT_BYTES
    try:
        with tempfile.TemporaryDirectory() as folder:
            _run(Path(folder), steps)
    finally:
        spill_module.SEGMENT_BYTES = normal


def _run(folder, steps):
    spill, model, number, peeked = Spill(folder), [], 0, False
    for what, count in steps:
        new = [event(number + i) for i in range(count)] if what in ("append", "prepend") else []
        number += len(new)
        if what == "append":
            for one in new:
                spill.append(one)
            model += new
        elif what == "prepend" and not peeked:
            spill.prepend(new)
            model = new + model
        elif what == "peek":
            assert spill.peek(count) == model[:count]
            peeked = bool(model)
        elif what == "take":
            got = spill.peek(count)
            assert got == model[:count]
            spill.advance(len(got))
            model = model[len(got) :]
            peeked = True
        elif what == "clear" and not model:
            spill.clear()
            peeked = False
        elif what == "reopen":
            spill.close()
            spill = Spill(folder)
            everything = spill.peek(10**6)
            assert everything[len(everything) - len(model) :] == model
            model, peeked = everything, True
        assert len(spill) == len(model)
    spill.close()


def test_sent_segments_are_deleted_and_only_the_head_is_sent_again_after_a_crash(tmp_path):
    spill = Spill(tmp_path)
    for number in range(30):
        spill.append(event(number, size=100_000))  # 10 or 11 to a segment of 1 MiB
    assert len(list(tmp_path.glob("*.spill"))) == 3
    assert spill.peek(15) == [event(number, size=100_000) for number in range(15)]
    spill.advance(15)
    assert len(list(tmp_path.glob("*.spill"))) == 2
    spill.close()
    again = Spill(tmp_path)
    assert again.peek(1) == [event(11, size=100_000)]
    assert len(again) == 19
    again.close()


def test_a_line_cut_by_a_crash_is_marked_and_those_after_it_are_whole(tmp_path):
    spill = Spill(tmp_path)
    spill.append(event(1))
    spill.append(event(2))
    spill.close()
    (segment,) = tmp_path.glob("*.spill")
    segment.write_bytes(segment.read_bytes()[:-5])
    again = Spill(tmp_path)
    again.append(event(3))
    first, torn, third = again.peek(5)
    assert (first, torn.topic, third) == (event(1), "", event(3))
    assert len(again) == 3
    again.close()


def test_a_full_spill_takes_no_more_until_something_left(tmp_path):
    line = len(to_line(event(0)))
    spill = Spill(tmp_path, limit=2 * line)
    spill.append(event(0))
    spill.append(event(1))
    with pytest.raises(OSError, match="bring the broker back"):
        spill.append(event(2))
    with pytest.raises(OSError, match="no room"):
        spill.prepend([event(2)])
    spill.peek(2)
    spill.advance(2)
    spill.clear()
    spill.append(event(3))
    assert spill.peek(2) == [event(3)]
    spill.close()


def test_two_processes_do_not_share_a_folder(tmp_path):
    spill = Spill(tmp_path)
    with pytest.raises(Unavailable, match="in use by another process"):
        Spill(tmp_path)
    spill.close()
    Spill(tmp_path).close()


def test_a_full_disk_keeps_what_it_took_whole_and_takes_more_once_there_is_room(tmp_path):
    spill = Spill(tmp_path)
    spill.append(event(1))
    with largest_file(20_000):
        spill.append(event(2, size=15_000))
        with pytest.raises(OSError, match="no room"):
            spill.append(event(3, size=15_000))
        with pytest.raises(OSError, match="too large"):
            spill.prepend([event(4, size=15_000), event(5, size=15_000)])
    assert [path.suffix for path in tmp_path.glob("1*")] == [".spill"]  # nothing half written keeps the disk full
    spill.append(event(6))
    spill.prepend([event(0)])
    assert spill.peek(9) == [event(0), event(1), event(2, size=15_000), event(6)]
    spill.close()


def test_a_folder_that_cannot_be_written_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot be used .*give a folder that can be written"):
        Spill(tmp_path / "file" / "spill")


def test_what_could_not_be_deleted_is_not_sent_twice_by_this_process(tmp_path):
    spill = Spill(tmp_path)
    spill.append(event(1))
    assert spill.peek(1) == [event(1)]
    spill.advance(1)
    (segment,) = tmp_path.glob("*.spill")
    segment.unlink()
    segment.mkdir()  # now it does not unlink
    with pytest.raises(OSError):  # noqa: PT011  # its words are the system's
        spill.clear()
    spill.append(event(2))
    assert spill.peek(9) == [event(2)]
    spill.close()
