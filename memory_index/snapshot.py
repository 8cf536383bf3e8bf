"""Memory rows as a Parquet file with a manifest, so that a search process starts from a file and reads only the rest from the topic.

A folder holds `memory-SEQ.parquet` files and `manifest.json`, which is written last: readers trust nothing that it does not name.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from memory_index.base import Base, Columns, Texts
from memory_index.durable import make_folder, write_then_rename
from memory_index.reader import MemoryReader
from memory_index.shares import COUNTS, MEMORY_SCHEMA, memory_table
from schemas.base import VERSION, Count, Label, Message, Millis
from schemas.codec import decode, encode
from schemas.errors import CorruptFile, InvalidMessage, NotFound
from schemas.snapshots import Sha

KEPT = 3  # files: a reader that has read the manifest has two more publications' time to open the file that it names
SCHEMA = MEMORY_SCHEMA.append(pa.field("source", pa.int64()))
_UNSEALED = 64 * "0"
_REMEDY = "keep the last good one and write the snapshot again"


class MemoryManifest(Message):
    """Names one file of rows. `applied` says what they hold, in the writer's terms: for each topic and partition the next offset to
    read, and whatever else a reader needs to go on from there. `sha256` is that of the file's bytes followed by this manifest with 64
    zeros in that place: an offset that was altered would make a reader skip rows without a word."""

    schema_version: Literal[1] = VERSION
    type: Literal["memory_snapshot"] = "memory_snapshot"
    seq: Count
    created: Millis
    file: Annotated[str, Field(pattern=r"^memory-[0-9]{10}\.parquet$")]
    sha256: Sha
    rows: Annotated[int, Field(ge=0)]
    applied: dict[Label, Annotated[list[int], Field(max_length=4)]] = {}


def table_of(reader: MemoryReader) -> pa.Table:
    """All rows that a reader holds, with their sources. Call it from the thread that writes to the reader."""
    rows = list(reader.shares())
    keys = {(source, key): (list(counts), clients) for source, key, (counts, clients) in rows}
    by_source = []
    for source in sorted({source for source, _ in keys}):
        part = memory_table({key: held for (at, key), held in sorted(keys.items()) if at == source})
        by_source.append(part.append_column("source", pa.array(np.full(part.num_rows, source, dtype=np.int64))))
    return pa.concat_tables(by_source) if by_source else SCHEMA.empty_table()


def write_snapshot(folder: str | Path, table: pa.Table, *, seq: int, applied: Mapping[str, Sequence[int]], created: int) -> MemoryManifest:
    """Publish rows (columns of `SCHEMA`; without `source` they are of source 0), then drop all but the last 3 files.

    `created` in ms. Raises CorruptFile if the table has other columns or the folder holds a higher seq, Unavailable when the disk does
    not take it.
    """
    place = Path(folder)
    make_folder(place)
    if (last := _last_seq(place)) > seq:
        raise CorruptFile(f"{place} holds seq {last}, newer than {seq}: another writer is ahead; give a higher seq or another folder")
    rows = _checked(table, place)
    name = f"memory-{seq:010d}.parquet"
    buffer = BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    write_then_rename(place / name, lambda path: path.write_bytes(buffer.getbuffer()))
    given = {where: list(numbers) for where, numbers in applied.items()}
    manifest = MemoryManifest(seq=seq, created=created, file=name, sha256=_UNSEALED, rows=rows.num_rows, applied=given)
    manifest = manifest.model_copy(update={"sha256": _seal(buffer.getbuffer(), manifest)})
    write_then_rename(place / "manifest.json", lambda path: path.write_bytes(encode(manifest)))
    for old in sorted(place.glob("memory-*.parquet"))[:-KEPT]:
        old.unlink()
    return manifest


def read_snapshot(folder: str | Path, *, at_least: int = 0) -> tuple[pa.Table, MemoryManifest]:
    """Rows and manifest of the newest snapshot; every byte is checked.

    Raises NotFound if there is none, and CorruptFile if it is damaged, cut off, not ours, or older than seq `at_least`: then keep
    what you have.
    """
    place = Path(folder)
    manifest = _manifest(place)
    if manifest.seq < at_least:
        raise CorruptFile(f"{place} holds seq {manifest.seq}, older than {at_least} which is in use; keep that one")
    try:
        data = (place / manifest.file).read_bytes()
    except OSError as error:
        raise CorruptFile(f"{place / manifest.file} of seq {manifest.seq} does not read ({error.strerror}); {_REMEDY}") from None
    if _seal(data, manifest) != manifest.sha256:
        raise CorruptFile(f"{place / manifest.file} ({len(data)} bytes) or its manifest has other bytes than were written; {_REMEDY}")
    try:
        table = pq.read_table(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise CorruptFile(f"{place / manifest.file} is not Parquet ({error!s:.200}); {_REMEDY}") from None
    if table.num_rows != manifest.rows:
        raise CorruptFile(f"{place / manifest.file} has {table.num_rows} rows, its manifest says {manifest.rows}; {_REMEDY}")
    return _checked(table, place / manifest.file), manifest


def load(folder: str | Path, reader: MemoryReader, *, at_least: int = 0) -> MemoryManifest:
    """Put a snapshot in the place of everything that the reader holds, at once. After any error the reader is as it was."""
    table, manifest = read_snapshot(folder, at_least=at_least)
    reader.replace(base_of(table))
    return manifest


def base_of(table: pa.Table) -> Base:
    """Rows with the columns of `SCHEMA` as arrays for a reader. Raises CorruptFile if they hold nulls or negative numbers."""
    clients = table["clients"].combine_chunks()
    lengths = clients.value_lengths().to_numpy(zero_copy_only=False)
    counts = np.empty((table.num_rows, len(COUNTS)), dtype=np.int32)
    for at, name in enumerate(COUNTS):
        column = table[name].to_numpy()
        if column.size and column.max() >= 2**31:
            raise CorruptFile(f"column {name} holds {column.max()}, a count is below 2^31; {_REMEDY}")
        counts[:, at] = column
    columns = Columns(
        query=_texts(table["query_key"]),
        segment=_texts(table["segment"]),
        entity=_texts(table["entity_id"]),
        place=np.stack([table[name].to_numpy() for name in ("source", "day")], axis=1),
        counts=counts,
        clients=clients.flatten().to_numpy().astype(np.int64),
        bounds=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
    return Base.of(columns)


def _seal(data: bytes | memoryview, manifest: MemoryManifest) -> str:
    hasher = sha256(data)
    hasher.update(encode(manifest.model_copy(update={"sha256": _UNSEALED})))
    return hasher.hexdigest()


def _texts(column: pa.ChunkedArray) -> Texts:
    encoded = column.combine_chunks().dictionary_encode()
    return Texts(encoded.dictionary.to_pylist(), encoded.indices.to_numpy())


def _manifest(place: Path) -> MemoryManifest:
    try:
        return decode(MemoryManifest, (place / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise NotFound(f"{place} holds no memory snapshot (manifest.json); write one, or start from the topic") from None
    except OSError as error:
        raise CorruptFile(f"{place / 'manifest.json'} does not read ({error.strerror}); {_REMEDY}") from None
    except InvalidMessage as error:
        raise CorruptFile(f"{place / 'manifest.json'}: {error}; {_REMEDY}") from None


def _last_seq(place: Path) -> int:
    """Of the manifest; where it does not read, of the files: a damaged manifest is replaced by the next one."""
    try:
        return _manifest(place).seq
    except (NotFound, CorruptFile):
        return max((int(path.stem.removeprefix("memory-")) for path in place.glob("memory-*.parquet")), default=-1)


def _checked(table: pa.Table, where: Path) -> pa.Table:
    """The table with exactly the columns of SCHEMA and no nulls."""
    if "source" not in table.column_names:
        table = table.append_column("source", pa.array(np.zeros(table.num_rows, dtype=np.int64)))
    if set(table.column_names) != set(SCHEMA.names):
        raise CorruptFile(f"{where} has columns {sorted(set(table.column_names) ^ set(SCHEMA.names))} too many or too few; {_REMEDY}")
    try:
        table = table.select(SCHEMA.names).cast(SCHEMA)
    except pa.ArrowException as error:
        raise CorruptFile(f"{where} has columns of other types ({error!s:.200}); {_REMEDY}") from None
    if any(table[name].null_count for name in SCHEMA.names):
        raise CorruptFile(f"{where} holds empty cells; {_REMEDY}")
    return table
