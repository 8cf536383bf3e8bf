"""The one door to DuckDB: a file of tables, changed by whole transactions, owned by one process and one thread."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.errors import CorruptFile, ForageError, Unavailable

_CONFIG = {
    "threads": "1",  # one file per partition, many partitions a machine
    "checkpoint_threshold": "128MB",  # of WAL: the default of 16 MB folds the file several times a second under load
    "memory_limit": "1GB",  # a bound, not a reservation: adding up 1M rows stays below it
    # Of the folder NAME.spill, for what does not fit in memory. DuckDB would take 90 % of the disk, and the name NAME.tmp, which is that of
    # a file that is written anew (memory_index.durable): what a killed process left there would be in its way for good.
    "max_temp_directory_size": "2GB",
    "enable_external_access": "false",  # SQL reaches this file and nothing else
    "autoinstall_known_extensions": "false",  # no code comes over the network
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # a mistyped table name never finds a Python variable
    "lock_configuration": "true",
}
_DAMAGE = ("not a valid DuckDB database", "Could not read enough bytes", "Corrupt", "checksum", "replaying WAL", "Failed to deserialize")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Store:
    """Tables in one DuckDB file. Closes with `close()` or as a context manager.

    Raises Unavailable if the file is owned by somebody else or cannot be opened, CorruptFile if it or its WAL is damaged: then the file
    has been renamed to `NAME.corrupt-N` (never deleted), and opening again starts an empty one. The same holds for damage found later.
    """

    def __init__(self, path: str | Path, schema_sql: Sequence[str]):
        self.path = Path(path)
        self._lock = self._own()
        try:
            self.connect()
            with self._refusals():
                for sql in schema_sql:
                    self._con.execute(sql)
        except BaseException:
            self.close()
            raise

    def append(self, tables: Mapping[str, pa.Table], statements: Sequence[tuple[str, Sequence[object]]] = ()) -> None:
        """One transaction: the statements (SQL, parameters) in order, **then** rows appended to tables by column name.

        So a DELETE makes room for rows of the same call and never touches them. Columns left out are NULL. All of it is durable
        when this returns; after any error nothing of it has happened.
        """
        with self._refusals(), self._views(tables) as views:
            self._con.execute("BEGIN")
            try:
                for sql, params in statements:
                    self._con.execute(sql, list(params))
                for name, view in views.items():
                    self._con.execute(f"INSERT INTO {_quoted(name)} BY NAME SELECT * FROM {_quoted(view)}")
                self._con.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):
                    self._con.execute("ROLLBACK")
                raise

    def query(self, sql: str, params: Sequence[object] = (), *, tables: Mapping[str, pa.Table] | None = None) -> pa.Table:
        """Rows of one SELECT. `tables` are Arrow tables that it may name, for this call only (by names no stored table has)."""
        given = tables or {}
        with self._refusals():
            try:
                for name, table in given.items():
                    self._con.register(name, table)
                return self._con.sql(sql, params=list(params)).to_arrow_table()
            finally:
                for name in given:
                    self._con.unregister(name)

    def checkpoint(self) -> None:
        """Fold the WAL into the file: a copy of the file now holds everything."""
        with self._refusals():
            self._con.execute("CHECKPOINT")

    def connect(self) -> None:
        """Open the file, anew if it is open or was disconnected. Raises as the constructor does."""
        self.disconnect()
        with self._refusals():
            self._con = duckdb.connect(str(self.path), config={**_CONFIG, "temp_directory": f"{self.path}.spill"})

    def disconnect(self) -> None:
        """Close the file and stay its owner: until `connect()`, another file may take its place."""
        if hasattr(self, "_con"):
            self._con.close()

    def close(self) -> None:
        """Close the file and give it up to the next owner. Closing twice is harmless."""
        self.disconnect()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _views(self, tables: Mapping[str, pa.Table]) -> Iterator[dict[str, str]]:
        views = {name: f"forage_rows_{at}" for at, name in enumerate(tables) if tables[name].num_rows}
        try:
            for name, view in views.items():
                self._con.register(view, tables[name])
            yield views
        finally:
            for view in views.values():
                self._con.unregister(view)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """DuckDB's errors about the file as ours; errors about SQL are bugs of the caller and pass through."""
        try:
            yield
        except duckdb.Error as error:
            if (refusal := self._refusal(error)) is None:
                raise
            raise refusal from error

    def _refusal(self, error: duckdb.Error) -> ForageError | None:
        text = str(error).splitlines()[0][:300]
        if any(sign in text for sign in _DAMAGE) or isinstance(error, duckdb.SerializationException):
            try:
                aside = self._set_aside()
            except OSError as failed:  # left where it is, it would be opened again and again
                return Unavailable(f"{self.path} does not read ({text}) and is not set aside ({failed}); make its folder writable")
            return CorruptFile(f"{self.path} does not read ({text}); it was set aside as {aside}: open again and replay the log")
        # Fatal says that this connection is over: after a checkpoint into a full disk, with a file that is whole.
        if isinstance(error, duckdb.FatalException | duckdb.IOException | duckdb.OutOfMemoryException) or "Could not write file" in text:
            return Unavailable(f"{self.path} cannot be used now ({text}); free the disk, memory or file, then open it again")
        return None

    def _own(self) -> int | None:
        """A lock beside the file: DuckDB's own lets one process open a file twice, and must be held before a bad file is renamed."""
        try:
            handle = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be opened ({error.strerror}); give a path in a writable folder") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise Unavailable(f"{self.path} is open elsewhere; one owner at a time: stop the other one, or wait for it") from None
        return handle

    def _set_aside(self) -> str:
        self.disconnect()
        free = next(n for n in count(1) if not any(Path(f"{self.path}{end}.corrupt-{n}").exists() for end in ("", ".wal")))
        for end in ("", ".wal"):
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{end}", f"{self.path}{end}.corrupt-{free}")
        return f"{self.path.name}.corrupt-{free}"
