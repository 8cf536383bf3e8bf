"""A dataset is a folder of four plain files, each optional, each also as .gz:

    entities.jsonl   one Entity a line
    queries.tsv      query_id, text, frequency (optional)
    judgments.tsv    query_id, entity_id, gain in [0, 1]
    clicks.csv       ts, client_id, query, entity_id, action, value, search_ts (optional: when the page was computed)

The tables start with a line of column names, in any order. Times are milliseconds since 1970 UTC. A wrong line is refused by its number.
"""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, TypeVar, cast

from evaluation.datasets.rows import Click, Judgment, QueryText, Row, parse_click, parse_judgment, parse_query
from schemas.codec import decode, encode
from schemas.entities import Entity
from schemas.errors import CorruptFile, InvalidMessage, NotFound

ENTITIES, QUERIES, JUDGMENTS, CLICKS = "entities.jsonl", "queries.tsv", "judgments.tsv", "clicks.csv"
FILES = (ENTITIES, QUERIES, JUDGMENTS, CLICKS)
T = TypeVar("T")


class Dataset:
    """Reads a dataset folder. Files are read when asked for; errors name the file, the line, the rule and what to do.

    Raises NotFound (folder or file), InvalidMessage (a line), CorruptFile (not UTF-8, cut off, or there twice).
    """

    def __init__(self, path: Path):
        self.path = path
        self.name = path.resolve().name
        if not path.is_dir():
            raise NotFound(f"dataset {path} is not a folder; write one with `forage data import csv FILE --out DIR`")

    def has(self, name: str) -> bool:
        """Whether the folder holds the file, plain or as .gz."""
        return bool(self._places(name))

    def entities(self) -> Iterator[Entity]:
        """The catalogue, each id once."""
        seen: set[str] = set()
        with self._text(ENTITIES) as text:
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield self._entity(number, line, seen)

    def clicks(self) -> list[Click]:
        """The log, in the order of the file."""
        return self._table(CLICKS, parse_click, required=("ts", "client_id", "query", "entity_id", "action"))

    def queries(self) -> list[QueryText]:
        """The judged queries."""
        return self._unique(QUERIES, self._table(QUERIES, parse_query, required=("query_id", "text")), lambda row: (row.query_id,))

    def judgments(self) -> list[Judgment]:
        """The judgments; every query_id stands in queries.tsv."""
        rows = self._table(JUDGMENTS, parse_judgment, required=("query_id", "entity_id", "gain"))
        if unknown := {row.query_id for row in rows} - {row.query_id for row in self.queries()}:
            problem = f"query_id: {sorted(unknown)[:5]} not in {QUERIES}; add these queries or remove their judgments"
            raise InvalidMessage(str(self.path / JUDGMENTS), [problem])
        return self._unique(JUDGMENTS, rows, lambda row: (row.query_id, row.entity_id))

    @property
    def digest(self) -> str:
        """sha256 over the files as they are unpacked: the same data has the same digest, compressed or not."""
        total = sha256()
        for name in FILES:
            if self.has(name):
                with self._open(name) as stream:
                    total.update(f"{name}\n{_hash(stream)}\n".encode())
        return total.hexdigest()

    def _entity(self, number: int, line: str, seen: set[str]) -> Entity:
        try:
            entity = decode(Entity, line.encode())
        except InvalidMessage as error:
            raise InvalidMessage(self._at(ENTITIES, number), error.problems) from None
        if entity.entity_id in seen:
            problem = f"entity_id: {entity.entity_id!r} stands twice, ids are unique; remove one"
            raise InvalidMessage(self._at(ENTITIES, number), [problem])
        seen.add(entity.entity_id)
        return entity

    def _at(self, name: str, line: int) -> str:
        return f"{self.path / name}, line {line}"

    def _places(self, name: str) -> list[Path]:
        return [place for place in (self.path / name, self.path / f"{name}.gz") if place.is_file()]

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        places = self._places(name)
        if not places:
            raise NotFound(f"{self.path / name} is missing (nor is it there as .gz); add it, or use a dataset that has it")
        if len(places) == 2:
            raise CorruptFile(f"{self.path / name} is there plain and as .gz; remove the older one")
        try:
            with gzip.open(places[0]) if places[0].suffix == ".gz" else places[0].open("rb") as stream:
                yield cast(IO[bytes], stream)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorruptFile(f"{places[0]} does not unpack ({error}); import the dataset again") from None
        except UnicodeDecodeError as error:
            raise CorruptFile(f"{places[0]} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None

    @contextmanager
    def _text(self, name: str) -> Iterator[IO[str]]:
        with self._open(name) as stream, io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
            yield text

    def _table(self, name: str, parse: Callable[[Row], T], *, required: tuple[str, ...]) -> list[T]:
        with self._text(name) as text:
            tabs = name.endswith(".tsv")
            reader = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.DictReader(text, strict=True)
            try:
                return list(_rows(reader, parse, required))
            except UnicodeDecodeError:
                raise
            except csv.Error as error:  # raised before the line is counted
                problem = f"is no CSV ({error}); put fields with commas, quotes or line ends in quotes"
                raise InvalidMessage(self._at(name, reader.line_num + 1), [problem]) from None
            except ValueError as error:
                raise InvalidMessage(self._at(name, max(reader.line_num, 1)), [str(error)]) from None

    def _unique(self, name: str, rows: list[T], key: Callable[[T], tuple[str, ...]]) -> list[T]:
        seen: set[tuple[str, ...]] = set()
        for row in rows:
            if key(row) in seen:
                raise InvalidMessage(str(self.path / name), [f"{' and '.join(key(row))} stands twice; keep one line"])
            seen.add(key(row))
        return rows


def write(
    path: Path,
    *,
    entities: Iterable[Entity],
    clicks: Iterable[Click] | None = None,
    queries: Iterable[QueryText] | None = None,
    judgments: Iterable[Judgment] | None = None,
) -> Dataset:
    """Write a dataset folder: a catalogue with a click log, judged queries, or both; equal data gives equal bytes. Files are replaced
    whole; a table that is None is left as it is. Raises InvalidMessage for a tab or line end in a field of a .tsv."""
    path.mkdir(parents=True, exist_ok=True)
    _write(path / f"{ENTITIES}.gz", (encode(entity).decode() + "\n" for entity in entities))
    if clicks is not None:
        _write(path / f"{CLICKS}.gz", _csv(Click._fields, clicks))
    if queries is not None:
        _write(path / QUERIES, _tsv(QUERIES, QueryText._fields, queries))
    if judgments is not None:
        _write(path / JUDGMENTS, _tsv(JUDGMENTS, Judgment._fields, judgments))
    return Dataset(path)


def _rows(reader: "csv.DictReader[str]", parse: Callable[[Row], T], required: tuple[str, ...]) -> Iterator[T]:
    if missing := set(required) - set(reader.fieldnames or ()):
        raise ValueError(f"columns {sorted(missing)} are missing, the first line must name {list(required)}; add them")
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"has other columns than the first line ({len(reader.fieldnames or ())}); quote or complete it")
        yield parse(row)


def _write(place: Path, lines: Iterable[str]) -> None:
    fresh = place.with_name(place.name + ".tmp")
    with fresh.open("wb") as raw:
        if place.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                packed.writelines(line.encode() for line in lines)
        else:
            raw.writelines(line.encode() for line in lines)
    os.replace(fresh, place)


def _tsv(name: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    for number, row in enumerate((columns, *rows), 1):
        fields = [str(value) for value in row]
        if any(mark in field for field in fields for mark in "\t\r\n"):
            raise InvalidMessage(f"{name}, line {number}", [f"{fields}: a field holds a tab or line end; put a blank in its place"])
        yield "\t".join(fields) + "\n"


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # with "\n" alone, a carriage return in a field is not quoted
    writer.writerow(columns)
    for row in rows:
        writer.writerow(row)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _hash(stream: IO[bytes]) -> str:
    part = sha256()
    while block := stream.read(1 << 20):
        part.update(block)
    return part.hexdigest()
