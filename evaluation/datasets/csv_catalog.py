"""A catalogue of one's own from a CSV file: which column is what, every wrong row by its line, and a look before anything is written.

The file is surveyed (what is wrong, which attributes are numbers) before it is written, row by row both times: nothing is ever half
written, and a file may be larger than memory.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.source import words
from schemas.entities import AttributeValue, Entity
from schemas.errors import CorruptFile, InvalidSetting, NotFound
from schemas.explain import explain

DELIMITERS = ",;\t|"
SEVERAL = "|"  # between the values of one attribute in one field: rock|pop
FIRST, TOLD = 3, 20  # entities that a survey shows, wrong rows that it tells
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?")  # a leading zero or + is a code, no number
_WHY = {
    "unexpected end of data": "a quote is opened and never closed, so the rest of the file was read as one field; close it",
    "field larger": "a field has over 131,072 characters: is a quote never closed? Close it, or shorten the field",
    "expected after": "a quote stands inside a quoted field; write it twice",
}


@dataclass(frozen=True)
class Columns:
    """Which column is what; "" and () for none. Texts are put together in the order given."""

    id: str = "id"
    title: str = "title"
    text: Sequence[str] = ()
    attributes: Sequence[str] = ()
    type: str = ""
    popularity: str = ""
    created: str = ""

    def named(self) -> list[str]:
        """All columns that are read."""
        return [name for name in (self.id, self.title, *self.text, *self.attributes, self.type, self.popularity, self.created) if name]


@dataclass(frozen=True)
class Source:
    """A CSV file with a head. `delimiter` "" finds it by the head: comma, semicolon, tab or bar."""

    path: Path
    columns: Columns
    delimiter: str = ""
    encoding: str = "utf-8-sig"  # UTF-8, with or without the mark that spreadsheets put before it


class Wrong(NamedTuple):
    """A row that is no entity: the line it begins on, and why, with the remedy."""

    line: int
    why: str


@dataclass
class Survey:
    """What a file holds: rows that are entities, the first of them, how many rows are wrong, the first of those, and which attributes
    hold nothing but numbers."""

    good: int = 0
    wrong: int = 0
    first: list[Entity] = field(default_factory=list)
    told: list[Wrong] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)


def survey(source: Source) -> Survey:
    """Read the whole file and write nothing. Raises NotFound (file, column), InvalidSetting, CorruptFile (not text, no head)."""
    found = Survey(numbers=_numeric(source))
    for one in entities(source, found.numbers):
        if isinstance(one, Wrong):
            found.wrong += 1
            found.told += [one] if len(found.told) < TOLD else []
        else:
            found.good += 1
            found.first += [one] if len(found.first) < FIRST else []
    return found


def import_csv(source: Source, found: Survey, out: Path, *, skip_bad: bool = False) -> Dataset:
    """Write the dataset folder `out` of a surveyed file, in its order. Nothing is written while rows are wrong and may not be skipped.

    Raises what `survey` raises, and CorruptFile for wrong rows or a file without a right one.
    """
    if found.wrong and not skip_bad:
        share = f"wrong rows: {found.wrong:,} of {found.wrong + found.good:,}"
        raise CorruptFile(f"{source.path}: nothing is written, {share}; correct them, or leave them out with --skip-bad")
    if not found.good:
        raise CorruptFile(f"{source.path} holds no row that is an entity; give a file with a row for each")
    return write(out, entities=(one for one in entities(source, found.numbers) if isinstance(one, Entity)))


def said(found: Survey) -> list[str]:
    """The wrong rows, a line each; the last line says how many more there are."""
    more = found.wrong - len(found.told)
    return [f"line {line}: {why}" for line, why in found.told] + ([f"and {more:,} more"] if more else [])


def entities(source: Source, numbers: set[str]) -> Iterator[Entity | Wrong]:
    """Each row as an entity, or what is wrong with it. The first row of an id is the one that stays."""
    lines: dict[str, int] = {}
    for line, row in _rows(source):
        if isinstance(row, str):
            yield Wrong(line, row)
            continue
        try:
            entity = _entity(row, source.columns, numbers)
        except ValueError as error:
            yield Wrong(line, "; ".join(explain(error)) if isinstance(error, ValidationError) else str(error))
            continue
        if (before := lines.setdefault(entity.entity_id, line)) != line:
            yield Wrong(line, f"{source.columns.id} {entity.entity_id!r} stands on line {before} already; ids are unique, remove one")
        else:
            yield entity


def _entity(row: Mapping[str, str], columns: Columns, numbers: set[str]) -> Entity:
    for name in (columns.id, columns.title):
        if not words(row[name]):
            raise ValueError(f"{name} is empty; every row needs one")
    attributes = {name: [one.strip() for one in row[name].split(SEVERAL) if one.strip()] for name in columns.attributes}
    return Entity(
        entity_id=row[columns.id].strip(),
        entity_type=words(row[columns.type]) if columns.type else "",
        title=words(row[columns.title]),
        text=" ".join(text for name in columns.text if (text := words(row[name]))),
        attributes={
            name: [AttributeValue(value=_number(one) if name in numbers else words(one)) for one in some]
            for name, some in attributes.items()
            if some
        },
        popularity=_popularity(columns.popularity, row),
        created_at=_created(columns.created, row),
    )


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _popularity(column: str, row: Mapping[str, str]) -> float:
    text = row[column].strip() if column else ""
    if text and not (_NUMBER.fullmatch(text) and not text.startswith("-")):
        raise ValueError(f"{column}: {text[:40]!r} is not a number from 0 on; write it like 1234 or 0.5, or leave it empty")
    return float(text or 0)


def _created(column: str, row: Mapping[str, str]) -> int | None:
    """Milliseconds since 1970; what is older counts as of 1970, times without a zone as UTC."""
    text = row[column].strip() if column else ""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) >= 12:
        return int(text)
    try:
        when = datetime.fromisoformat(f"{text}-01-01" if re.fullmatch("[0-9]{4}", text) else text)
    except ValueError:
        raise ValueError(f"{column}: {text[:40]!r} is no date; write 2026-11-21, 2026-11-21T09:30:00Z, 2026 or milliseconds") from None
    return max(0, int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000))


def _numeric(source: Source) -> set[str]:
    """The attributes that hold nothing but numbers, at least one."""
    might, seen = set(source.columns.attributes), set()
    for _, row in _rows(source):
        for name in tuple(might) if not isinstance(row, str) else ():
            for one in row[name].split(SEVERAL):  # type: ignore[index]
                if one.strip():
                    seen.add(name)
                    might -= set() if _NUMBER.fullmatch(one.strip()) else {name}
    return might & seen


def _rows(source: Source) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """(line it begins on, row by column or why it is none). Lines without anything are passed over."""
    line = 1
    try:
        with source.path.open(encoding=source.encoding, newline="") as text:
            reader = csv.reader(text, delimiter=source.delimiter or _delimiter(source), strict=True)
            head = _head(next(reader, []), source)
            while True:
                line = reader.line_num + 1
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield line, next((why for mark, why in _WHY.items() if mark in str(error)), f"is no CSV ({error}); correct it")
                    continue
                if len(row) == len(head):
                    yield line, dict(zip(head, row, strict=True))
                elif row:
                    yield line, f"has {len(row)} fields, the first line has {len(head)}; put fields that hold the delimiter in quotes"
    except FileNotFoundError:
        raise NotFound(f"{source.path} does not exist; give the path of a CSV file") from None
    except UnicodeError:
        why = f"is not {source.encoding.removesuffix('-sig').upper()} text, after line {line}; save it as UTF-8 or give --encoding cp1252"
        raise CorruptFile(f"{source.path} {why}") from None
    except (LookupError, TypeError) as error:
        raise InvalidSetting(f"{error}; write --encoding utf-8 or cp1252, --delimiter ';' or tab") from None


def _delimiter(source: Source) -> str:
    """The one that parts the first line into most columns."""
    with source.path.open(encoding=source.encoding, newline="") as text:
        first = text.readline()
    return max(DELIMITERS, key=first.count)


def _head(names: Sequence[str], source: Source) -> list[str]:
    head = [name.strip() for name in names]
    if not any(head):
        raise CorruptFile(f"{source.path} is empty; its first line must name the columns")
    if twice := {name for name in head if head.count(name) > 1}:
        raise CorruptFile(f"{source.path} has columns {sorted(twice)} twice; rename one of each in its first line")
    if missing := [name for name in source.columns.named() if name not in head]:
        raise NotFound(f"{source.path} has no column {', '.join(map(repr, missing))}; it has {', '.join(head)}; name those that you mean")
    return head
