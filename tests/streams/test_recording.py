"""LOG files: what was written is read, and what is cut, damaged or out of order is refused by its line."""

import gzip

import pytest

from schemas.codec import encode
from schemas.errors import CorruptFile, NotFound
from streams.replaying.recording import Line, Recorder, read_log
from tests.streams.searchbox import START, act, page

TRICKY = page(attributes={"note": 'a "quoted" ,"event":{} \n and } line'})
EVENTS = [(page(), START), (act("1"), START), (TRICKY.model_copy(update={"search_id": 'x","event":'}), START + 1), (act("2"), START + 9)]


@pytest.fixture(params=["log.jsonl", "log.jsonl.gz"])
def path(request, tmp_path):
    with Recorder(tmp_path / request.param) as recorder:
        for event, time in EVENTS:
            recorder.event(event, time)
    return tmp_path / request.param


def plain(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def rewrite(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def test_what_was_recorded_is_read_byte_by_byte(path):
    topics = ["impressions", "actions", "impressions", "actions"]
    expected = [Line(topic, time, event.search_id, encode(event)) for topic, (event, time) in zip(topics, EVENTS, strict=True)]
    assert list(read_log(path)) == expected


def test_a_cut_file_is_refused_after_its_whole_lines(path):
    whole, every, read = path.read_bytes(), list(read_log(path)), []
    path.write_bytes(whole[: len(whole) - 5])
    with pytest.raises(CorruptFile, match=r"record (it|the log) again"):
        read.extend(read_log(path))
    assert read == every[: len(read)]
    assert len(read) == (4 if path.suffix == ".gz" else 3)  # gzip lacks its checksum, plain JSON the end of its last line


@pytest.mark.parametrize("where", [0.2, 0.5, 0.8])
def test_a_damaged_compressed_file_is_refused(path, where):
    data = bytearray(gzip.compress(plain(path)))
    at = int(len(data) * where)
    data[at : at + 4] = bytes(255 - byte for byte in data[at : at + 4])
    damaged = path.with_name("damaged.gz")
    damaged.write_bytes(data)
    with pytest.raises(CorruptFile):
        list(read_log(damaged))


BAD = {
    "out of order": lambda lines: [lines[3], *lines[:3]],
    "no line": lambda lines: [lines[0], b"\n"],
    "another topic": lambda lines: [lines[0].replace(b'"impressions"', b'"ticks"', 1)],
    "a time that is text": lambda lines: [lines[0].replace(b'"time":', b'"time":"1",\n"x":', 1).replace(b"\n", b"") + b"\n"],
    "an event without search": lambda lines: [b'{"topic":"actions","time":1,"event":{}}\n'],
    "a list": lambda lines: [b"[]\n"],
    "two events in a line": lambda lines: [lines[0].rstrip() + lines[1]],
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_line_that_is_no_event_in_order_is_named(path, bad):
    lines = bad(plain(path).splitlines(keepends=True))
    rewrite(path, b"".join(lines))
    with pytest.raises(CorruptFile, match=rf"{path.name} line {min(2, len(lines))} is no recorded event in order of time"):
        list(read_log(path))


def test_a_missing_log_says_how_to_make_one(tmp_path):
    with pytest.raises(NotFound, match="--record"):
        list(read_log(tmp_path / "log.jsonl"))
