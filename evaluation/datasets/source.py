"""Downloaded files as an importer reads them: tables and JSON lines, packed or not, each wrong line refused by its number."""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from pydantic import ValidationError

from schemas.errors import CorruptFile, InvalidMessage, NotFound
from schemas.explain import explain
from schemas.ids import digest

Row = Mapping[str, str]
Raw = TypeVar("Raw")
T = TypeVar("T")
_WRONG = (KeyError, IndexError, ValueError, TypeError, AttributeError, EOFError, gzip.BadGzipFile, zlib.error, csv.Error, InvalidMessage)


def parsed(
    path: Path,
    read: Callable[[IO[str]], Iterator[tuple[int, Raw]]],
    parse: Callable[[Raw], T],
    *,
    files: Sequence[str],
    encoding: str = "utf-8",
) -> Iterator[T]:
    """What `parse` makes of each item of a file, plain or .gz. `read` gives (line number, item); `files` are what SRC must hold.

    Raises NotFound when the file is missing, CorruptFile with the line when it does not unpack, read or parse.
    """
    if not path.is_file():
        raise NotFound(f"{path} is missing; give the folder that holds {' and '.join(files)}")
    number = 1
    try:
        with _open(path, encoding) as text:
            for number, item in read(text):  # noqa: B007
                yield parse(item)
    except _WRONG as error:
        raise CorruptFile(f"{path}, line {number}: {_said(error):.500}; download it again") from None


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(explain(error))
    return str(error) if isinstance(error, InvalidMessage) else repr(error)


def _open(path: Path, encoding: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def table(text: IO[str]) -> Iterator[tuple[int, Row]]:
    """Rows of a CSV with a head, each with the line that it ends on."""
    reader = csv.DictReader(text)
    for row in reader:
        yield reader.line_num, row


def json_lines(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """One JSON value a line; a file that is one array gives its items, numbered from 1."""
    number = 0
    for number, line in enumerate(text, 1):
        if number == 1 and line.lstrip().startswith("["):
            yield from enumerate(json.loads(line + text.read()), 1)
            return
        if line.strip():
            yield number, _json(number, line)


def _json(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is no JSON ({error})") from None


def whole_json(text: IO[str]) -> Iterator[tuple[int, Any]]:
    """The file as one JSON value."""
    yield 1, json.load(text)


def words(text: object) -> str:
    """A text field on one line, single spaces; "" for null."""
    return " ".join(str(text).split()) if text is not None else ""


def query_id(text: str) -> str:
    """The id of a query that its source names by its text alone."""
    return digest("query", text)[:12]
