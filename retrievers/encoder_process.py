"""An encoder in a process of its own. A forward pass is some 150 calls of torch, each of which waits for Python's lock again: beside busy
threads a query of 11 ms took 50 to 170. Over a pipe it takes what it takes, and on another core.

    request     first a line with the name of the encoder; then one line of JSON: {"kind": "queries" | "documents", "texts": [...]}
    answer      one line of JSON: {"rows": n}, then n * dimensions float32; or {"error": name of the error, "message": text}

The first line that the process says is {"model_id": ..., "dimensions": ...}, or an error. It ends with its input, so with its parent.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from threading import Lock
from typing import IO, Any

import numpy as np

from retrievers.encoders import load_encoder
from retrievers.vector_file import Vectors
from schemas.errors import CorruptFile, ForageError, InvalidSetting, NotFound, Unavailable

_KINDS: dict[str, type[ForageError]] = {kind.__name__: kind for kind in (CorruptFile, InvalidSetting, NotFound, Unavailable)}


class EncoderProcess:
    """An Encoder (retrievers.encoders) by name. A process that ended is started again by the next call.

    Raises what `load_encoder` raises; calls raise Unavailable when the process ends meanwhile.
    """

    def __init__(self, name: str) -> None:
        self._name, self._lock = name, Lock()
        self._process, head = _start(name)
        self.model_id, self.dimensions = str(head["model_id"]), int(head["dimensions"])

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._rows("queries", texts)

    def documents(self, texts: Sequence[str]) -> Vectors:
        return self._rows("documents", texts)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            _end(self._process)

    def _rows(self, kind: str, texts: Sequence[str]) -> Vectors:
        with self._lock:
            if self._process.poll() is not None:
                _end(self._process)
                self._process, _ = _start(self._name)
            stdin, stdout = _pipes(self._process)
            try:
                stdin.write(json.dumps({"kind": kind, "texts": list(texts)}).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
            except OSError:
                line = b""
            size = int(_head(line)["rows"]) * self.dimensions * 4 if line else -1
            data = stdout.read(size) if line else b""
            if len(data) != size:
                _end(self._process)
                raise Unavailable(f"the process of encoder {self._name!r} has ended; the next search starts it again")
        return np.frombuffer(data, np.float32).reshape(-1, self.dimensions)


def _start(name: str) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
    # Without a session of its own it would get the terminal's Ctrl-C as its parent does: it ignores that, and ends with its input.
    process = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        stdin, _ = _pipes(process)
        stdin.write(json.dumps(name).encode() + b"\n")
        stdin.flush()
        return process, _head(_pipes(process)[1].readline())
    except BaseException:
        _end(process)
        raise


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in _pipes(process):
        try:
            pipe.close()
        except OSError:  # what was written last has no reader any more
            continue
    process.wait()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _head(line: bytes) -> dict[str, Any]:
    """What a line says. Raises the error that it tells of, Unavailable where there is none."""
    if not line:
        raise Unavailable("the process of the encoder has ended; its last words are on stderr")
    head: dict[str, Any] = json.loads(line)
    if "error" in head:
        kind = _KINDS.get(head["error"], Unavailable)
        raise kind(head["message"])
    return head


def main() -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not come between the answers
    try:
        encoder = load_encoder(json.loads(sys.stdin.buffer.readline() or '""'))
    except ForageError as error:
        _say(out, {"error": type(error).__name__, "message": str(error)})
        return
    _say(out, {"model_id": encoder.model_id, "dimensions": encoder.dimensions})
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            rows = (encoder.queries if asked["kind"] == "queries" else encoder.documents)(asked["texts"])
        except Exception as error:  # whatever the model raises: the next text may be another matter
            _say(out, {"error": type(error).__name__, "message": str(error)})
            continue
        _say(out, {"rows": len(rows)}, np.ascontiguousarray(rows, np.float32).tobytes())


def _say(out: IO[bytes], head: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(head).encode() + b"\n" + data)
    out.flush()


if __name__ == "__main__":
    main()
