"""What `forage doctor` looks at: each check gives findings, and a finding that is not well ends in what to do."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from ops.findings import Finding, State
from ops.settings import NAMES, SECRET_FILES, VARIABLES, Settings
from schemas.errors import ForageError, Unavailable

# Libraries of each role, as modules; a test holds them against pyproject.toml.
ROLES: dict[str, tuple[str, ...]] = {
    "base": ("pydantic", "kafka", "crc32c", "lz4", "numpy", "typer"),
    "search": ("tantivy", "hnswlib", "pyarrow", "prometheus_client", "fastapi", "uvicorn", "jinja2"),
    "worker": ("faust", "aiokafka", "duckdb", "pyarrow", "river", "cramjam", "prometheus_client"),
}
SHARED = {"pyarrow", "prometheus_client"}  # of both: what another role brings says nothing of this one
FREE = 2 << 30  # bytes: a worker's files of a busy day, with room to compact them
OTHER_NAMES = ("FORAGE_DATA", "FORAGE_KAFKA_LIBS", "FORAGE_KAFKA_PORT")  # of tests and of the development broker


def examine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """All checks, the quick ones first."""
    yield python(sys.version_info[:3])
    for role in ROLES:
        yield libraries(role)
    yield from names(environment)
    yield from folder(settings.data, free=FREE)
    yield development_broker()
    yield from topics(settings)


def python(version: tuple[int, int, int]) -> Finding:
    text = ".".join(map(str, version))
    if version >= (3, 11, 0):
        return Finding("python", "ok", text)
    return Finding("python", "problem", f"{text} is too old", "install Python 3.11 or newer")


def libraries(role: str) -> Finding:
    """A role of which a part is there is a broken one; one that is wholly absent may not be wanted here."""
    missing = [name for name in ROLES[role] if name not in sys.modules and find_spec(name) is None]  # Faust, once imported, has no spec
    if not missing:
        return Finding(f"role {role}", "ok", "all its libraries are installed")
    remedy = "pip install forage" if role == "base" else f"pip install 'forage[{role}]'"
    state: State = "problem" if role == "base" or set(missing) < set(ROLES[role]) - SHARED else "note"
    return Finding(f"role {role}", state, f"{', '.join(missing)} missing", f"{remedy}, if this machine is to have the role")


def names(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that look like settings and are none, and what is worth setting."""
    for name in sorted(environment):
        if name.startswith("FORAGE_") and name not in (*VARIABLES, *OTHER_NAMES):
            near = get_close_matches(name, VARIABLES, 1)
            yield Finding("settings", "problem", f"{name} is no setting", f"did you mean {near[0]}?" if near else "unset it")
    if not any(environment.get(name) for name in (NAMES["client_key"], SECRET_FILES["client_key"])):
        remedy = f"set {NAMES['client_key']} to a random text, the same for all workers"
        yield Finding("settings", "note", "people are counted under hashes without a key", remedy)
    else:
        yield Finding("settings", "ok", "people are counted under keyed hashes")


def folder(place: Path, *, free: int) -> Iterator[Finding]:
    """Is the data folder writable, and is there room?"""
    trial = place / f".doctor-{os.getpid()}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"x")
        trial.unlink()
    except OSError as error:
        remedy = f"give this user the right to write there, or set {NAMES['data']} to another folder"
        yield Finding("data folder", "problem", f"{place} is not writable ({error.strerror})", remedy)
        return
    yield Finding("data folder", "ok", f"{place} is writable")
    room = shutil.disk_usage(place).free
    if room < free:
        yield Finding(
            "disk", "problem", f"{room >> 20:,} MB free at {place}, at least {free >> 20:,} are needed", "make room or move the folder"
        )
    else:
        yield Finding("disk", "ok", f"{room >> 30:,} GB free")


def development_broker() -> Finding:
    """What `make test` needs to start a broker of its own."""
    java, maven, docker = _works("java", "-version"), _works("mvn", "-v"), _works("docker", "compose", "version")
    found = [name for name, there in (("Java", java), ("Maven", maven), ("Docker Compose", docker)) if there]
    if (java and maven) or docker:
        return Finding("local broker", "ok", f"{', '.join(found)}: `python -m ops.broker start` in the checkout starts one")
    remedy = "install Java 17 and Maven, or Docker with Compose; a broker elsewhere will do too"
    return Finding("local broker", "note", f"none can be started here (found: {', '.join(found) or 'nothing'})", remedy)


def topics(settings: Settings) -> Iterator[Finding]:
    """Is the broker there, and are the topics right?"""
    from streams.admin import describe_topics, problems

    if not any(_listens(address.strip()) for address in settings.bootstrap.split(",")):
        remedy = f"start the broker, or set {NAMES['bootstrap']}; the demo and `forage evaluate` need none"
        yield Finding("broker", "problem", f"nobody listens on {settings.bootstrap}", remedy)
        return
    try:
        states = describe_topics(settings.bootstrap, security=settings.security)
    except ForageError as error:
        text, _, remedy = str(error).partition("; ")
        yield Finding("broker", "problem", text, remedy)
        return
    yield Finding("broker", "ok", f"{settings.bootstrap} answers")
    if not states:
        yield Finding("topics", "problem", "none of ours is there", "run `forage topics create`")
        return
    found = problems(states)
    yield from (Finding.told("topics", "problem", Unavailable(line)) for line in found)
    if not found:
        yield Finding("topics", "ok", f"all {len(states)} are as they should be")
    if find_spec("duckdb") is not None:  # this machine has the role of a worker
        from ops.doctor_stream import stream

        yield from stream(settings, states)


def _listens(address: str) -> bool:
    """Known at once, where Kafka's client would try for seconds."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3.0).close()
    except OSError:
        return False
    return True


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
