"""A real Kafka broker for development and tests: Java 17 with Maven, else Docker Compose, else what to install.

By hand: `python -m ops.broker start` and `stop`, on port 9092 (or $FORAGE_KAFKA_PORT), its data in `var/broker`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from ops.kafka import ready
from schemas.errors import ForageError, InvalidSetting, Unavailable

_HERE = Path(__file__).resolve().parent / "kafka"
_REPOSITORY = Path(__file__).resolve().parent.parent
_COMPOSE = _REPOSITORY / "docker-compose.yml"
_MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_INSTALL = "install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven), or Docker with Compose"


def start(folder: Path, port: int | None = None) -> str:
    """Start the node of `folder` (made at first use; data and address are kept) and return host:port once it answers.

    `port` is that of a new node; default: a free one. A node that runs already is left as it is. Raises Unavailable with what to install,
    or with the end of the broker's log.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if _with_docker(folder):
        return _start_docker(folder, port)
    environment = {"KAFKA_LIBS": str(jars()), "PYTHON": sys.executable, "KAFKA_PORT": str(port or "")}
    try:
        return _run([str(_HERE / "start.sh"), str(folder)], environment).strip()
    except Unavailable as error:
        log = folder / "kafka.log"
        tail = log.read_text(errors="replace")[-2_000:] if log.exists() else ""
        raise Unavailable(f"{error}\n{tail}".strip()) from None


def stop(folder: Path) -> None:
    """Stop the node cleanly; one that does not run is no error."""
    _signal(folder, "TERM")


def kill(folder: Path) -> None:
    """Stop the node as a crash would (SIGKILL). It answers again about 4 s after the next start."""
    _signal(folder, "KILL")


def jars() -> Path:
    """Folder with the jars of the node, fetched with Maven at first use: $FORAGE_KAFKA_LIBS, else `var/kafka/libs` of the checkout."""
    if given := os.environ.get("FORAGE_KAFKA_LIBS"):
        if not list(Path(given).glob("kafka_*.jar")):
            raise Unavailable(f"FORAGE_KAFKA_LIBS={given} holds no kafka_*.jar; unset it and let Maven fetch the jars")
        return Path(given)
    folder, pom = _REPOSITORY / "var" / "kafka" / "libs", _HERE / "pom.xml"
    mark, digest = folder / "pom.sha256", sha256(pom.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return folder
    unfinished = folder.with_name(f"libs.{os.getpid()}")
    _run(["mvn", "-q", "-B", "-f", str(pom), _MAVEN_GOAL, f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime"], {})
    (unfinished / "pom.sha256").write_text(digest)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        unfinished.rename(folder)  # whole or not at all: a fetch that was cut off is never taken for the jars
    except OSError:  # another process was first
        shutil.rmtree(unfinished)
    return folder


def _with_docker(folder: Path) -> bool:
    """Docker only where Java or Maven are missing; a node keeps the way in which it was first started."""
    if (folder / "server.properties").exists():
        return False
    if (folder / "docker.port").exists():
        return True
    if _works(["java", "-version"]) and (os.environ.get("FORAGE_KAFKA_LIBS") or _works(["mvn", "-v"])):
        return False
    if _COMPOSE.exists() and _works(["docker", "info"]) and _works(["docker", "compose", "version"]):
        return True
    raise Unavailable(f"no way to run a Kafka broker here: neither Java with Maven nor a running Docker with Compose was found; {_INSTALL}")


def _start_docker(folder: Path, port: int | None) -> str:
    note = folder / "docker.port"
    if not note.exists():
        note.write_text(str(port or ready.free_ports(1)[0]))
    port = int(note.read_text())
    _compose(folder, "up", "-d", "kafka")
    if not ready.wait(port, seconds=120.0):
        raise Unavailable(f"the broker did not answer on 127.0.0.1:{port}; look at `docker compose -p {_project(folder)} logs`")
    return f"127.0.0.1:{port}"


def _signal(folder: Path, signal: str) -> None:
    folder = folder.resolve()
    if (folder / "docker.port").exists():
        _compose(folder, *(["stop"] if signal == "TERM" else ["kill", "-s", signal]))
    else:
        _run([str(_HERE / "stop.sh"), str(folder), signal], {})


def _compose(folder: Path, *words: str) -> None:
    port = (folder / "docker.port").read_text()
    _run(["docker", "compose", "-f", str(_COMPOSE), "-p", _project(folder), *words], {"FORAGE_KAFKA_PORT": port})


def _project(folder: Path) -> str:
    return "forage-" + sha256(str(folder).encode()).hexdigest()[:12]


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=600)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} was not found; {_INSTALL}") from None
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed with code {done.returncode}: {(done.stderr or done.stdout).strip()[-2_000:]}")
    return done.stdout


def main(words: Sequence[str]) -> int:
    """`start` or `stop` the node of `var/broker`; the exit code."""
    folder, port = Path("var/broker"), os.environ.get("FORAGE_KAFKA_PORT", "9092")
    try:
        if words == ["stop"]:
            stop(folder)
        elif words == ["start"]:
            if not port.isdigit():
                raise InvalidSetting(f"FORAGE_KAFKA_PORT is {port}: must be a number; leave it out for 9092")
            if not any((folder / name).exists() for name in ("server.properties", "docker.port")) and ready.answers(int(port)):
                raise Unavailable(f"a broker answers on 127.0.0.1:{port} already: use it, or set FORAGE_KAFKA_PORT to a free port")
            print(start(folder, int(port)))
        else:
            raise InvalidSetting("say what to do: python -m ops.broker start, or python -m ops.broker stop")
    except ForageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
