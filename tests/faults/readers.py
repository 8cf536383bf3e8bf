"""Consumers of snapshots beside the workers, and what they say."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from compare import MemoryRows
from fleet import HERE, ROOT

from memory_index.snapshot import read_snapshot
from schemas.errors import ForageError

PATIENCE = 30.0  # s for an answer


class Reader:
    """A process of `reader.py`; what it says is in `seen`, newest last."""

    def __init__(self, bootstrap: str, log: Path, *, snapshot: Path | None = None) -> None:
        words = [sys.executable, str(HERE / "reader.py"), bootstrap, *([str(snapshot)] if snapshot else [])]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, bufsize=1, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self.seen: list[dict[str, Any]] = []
        self._answers: list[Any] = []
        threading.Thread(target=self._listen, name="reader", daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            (self._answers if "answer" in said else self.seen).append(said)

    @property
    def last(self) -> dict[str, Any]:
        """What it saw last; nothing before its first answer."""
        return self.seen[-1] if self.seen else {}

    def sees(self, **what: Any) -> bool:
        return all(self.last.get(name) == value for name, value in what.items())

    def ask(self, *words: object) -> Any:
        assert self._process.stdin is not None
        given = len(self._answers)
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        end = time.monotonic() + PATIENCE
        while len(self._answers) == given:
            if time.monotonic() > end or self._process.poll() is not None:
                raise SystemExit(f"the reader does not answer to {words[0]} (it ended with {self._process.poll()})")
            time.sleep(0.02)
        return self._answers[given]["answer"]

    def save(self, memory: Path, seq: int, policies: Path) -> list[str]:
        """Refusals of a memory and of a policy snapshot, "" for none."""
        return list(self.ask("save", memory, seq, policies))

    def rows(self, file: Path) -> MemoryRows:
        """All rows of its memory."""
        self.ask("rows", file)
        out: MemoryRows = {}
        for source, key, counts, clients in map(json.loads, file.read_text().splitlines()):
            out[source, (key[0], key[1], key[2], key[3])] = (counts, clients)
        return out

    def reads_back(self, folder: Path, seq: int) -> list[str]:
        """What is wrong with a memory snapshot that was written."""
        try:
            table, manifest = read_snapshot(folder)
        except ForageError as error:
            return [str(error)]
        return (
            [] if manifest.seq == seq and table.num_rows else [f"{folder} holds seq {manifest.seq}, {table.num_rows} rows, not seq {seq}"]
        )

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def differing(found: MemoryRows, wanted: MemoryRows) -> list[str]:
    """Rows of zeros are none: a reader drops them."""
    mine, theirs = ({key: row for key, row in rows.items() if any(row[0])} for rows in (found, wanted))
    wrong = sum(mine.get(key) != theirs.get(key) for key in mine.keys() | theirs.keys())
    return [f"{wrong} of {len(theirs)} rows of the reader's memory differ"] if wrong else []
