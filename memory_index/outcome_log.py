"""What was concluded, for ever: finals and amendments with features as they were, as Parquet files that are only added."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from memory_index.durable import write_then_rename
from schemas.codec import encode
from schemas.errors import CorruptFile
from schemas.outcomes import Amendment, Conclusion, Outcome

_SCHEMA = pa.schema([("id", pa.string()), ("type", pa.string()), ("time", pa.int64()), ("client", pa.string()), ("body", pa.binary())])
_CONCLUSION: TypeAdapter[Outcome | Amendment] = TypeAdapter(Conclusion)  # not the codec's: its bound is for messages, pages add up
_REMEDY = "move the file away and write its conclusions again from the topic search.outcomes or a backup"


def identity(conclusion: Outcome | Amendment) -> str:
    """The id under which a conclusion counts once."""
    return conclusion.final_id if isinstance(conclusion, Outcome) else conclusion.amendment_id


class OutcomeLog:
    """A folder of Parquet files, one for each `append`, whose body column is the message as JSON."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, conclusions: Sequence[Outcome | Amendment]) -> Path | None:
        """Write a batch as one file, whole or not at all; None for an empty one. The same batch again is the same file again."""
        rows = sorted((identity(one), one.type, one.time, getattr(one, "client", ""), encode(one)) for one in conclusions)
        if not rows:
            return None
        return write(self.folder, pa.Table.from_arrays([pa.array(column) for column in zip(*rows, strict=True)], schema=_SCHEMA))

    def scan(self, wants: Callable[[str, int], bool]) -> Iterator[Outcome | Amendment]:
        """Every amendment, and the finals whose (id, time in ms) are wanted: file by file, so ids may come more than once, and in little
        memory. Raises CorruptFile naming a damaged file."""
        for path in sorted(self.folder.glob("*.parquet")):
            rows = rows_of(path, ["id", "type", "time", "body"])
            for name, kind, time, body in zip(*(column.to_pylist() for column in rows.columns), strict=True):
                if kind != "final" or wants(name, time):
                    yield _parsed(name, path, body)

    def read(self, *, at_once: int = 20_000) -> Iterator[Outcome | Amendment]:
        """All conclusions by id ascending, each once, of the files that are there now. Raises CorruptFile naming a damaged file.

        `at_once` bounds what is in memory: 20,000 conclusions of 10 KB are 200 MB. Every file is opened once for each such span.
        """
        files = sorted(self.folder.glob("*.parquet"))
        ids = sorted({name for path in files for name in rows_of(path, ["id"])["id"].to_pylist()})
        for start in range(0, len(ids), at_once):
            span = ids[start : start + at_once]
            bodies: dict[str, tuple[Path, bytes]] = {}
            for path in files:
                for name, body in _between(path, span[0], span[-1]):
                    bodies.setdefault(name, (path, body))
            for name in span:
                yield _parsed(name, *bodies.pop(name))


def write(folder: Path, rows: pa.Table) -> Path:
    """One file of rows, sorted by id. The name is the first id (its safe letters), the count, and a hash over all ids: two batches never
    share a name."""
    ids = rows["id"].to_pylist()
    mark = sha256("\n".join(map(repr, ids)).encode()).hexdigest()[:12]
    path = folder / f"{re.sub('[^0-9A-Za-z]', '_', ids[0])[:64]}-{len(ids)}-{mark}.parquet"
    write_then_rename(path, partial(pq.write_table, rows, compression="zstd", write_page_checksum=True))
    return path


def rows_of(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Columns of a file, all by default: id, type, time, client, body. Raises CorruptFile."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_SCHEMA):
                raise CorruptFile(f"{path} has other columns than an outcome log; {_REMEDY}")
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(f"{path} does not read ({error!s:.200}); {_REMEDY}") from None


def _between(path: Path, first: str, last: str) -> Iterator[tuple[str, bytes]]:
    """(id, body) of a file with first <= id <= last; its rows are sorted by id."""
    names = rows_of(path, ["id"])["id"].to_pylist()
    low, high = bisect_left(names, first), bisect_right(names, last)
    if low < high:
        yield from zip(names[low:high], rows_of(path, ["body"])["body"].slice(low, high - low).to_pylist(), strict=True)


def _parsed(name: str, path: Path, body: bytes) -> Outcome | Amendment:
    try:
        found = _CONCLUSION.validate_json(body)
    except ValidationError as error:
        raise CorruptFile(f"{path}, id {name}: {error.errors(include_url=False)[0]['msg']}; {_REMEDY}") from None
    if identity(found) != name:
        raise CorruptFile(f"{path}: the row of id {name} holds {identity(found)}; {_REMEDY}")
    return found
