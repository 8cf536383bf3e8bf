"""The brokers of the fault runs: the node of `ops.broker` with a listener for the proxy and an authorizer, and more nodes beside it."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from proxy import Proxy

from ops import broker
from ops.kafka import ready

AUTHORIZER = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
BESIDE = """process.roles=broker
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{other}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""


def start(folder: Path) -> str:
    """Start the node of `folder`, host:port: everyone may do everything until an ACL says otherwise, and a proxy can stand before it."""
    bootstrap, settings = broker.start(folder), folder / "server.properties"
    text = settings.read_text()
    if "PROXIED" not in text:
        front, back = ready.free_ports(2)
        text = text.replace("PLAINTEXT:PLAINTEXT", "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT")
        lines = [_listening(line, front, back) for line in text.splitlines()]
        broker.stop(folder)
        settings.write_text("\n".join(lines) + "\n" + AUTHORIZER)
        broker.start(folder)
    return bootstrap


def _listening(line: str, front: int, back: int) -> str:
    name = line.partition("=")[0]
    return f"{line},PROXIED://127.0.0.1:{front if name[0] == 'a' else back}" if name in ("listeners", "advertised.listeners") else line


@contextmanager
def proxied(folder: Path) -> Iterator[Proxy]:
    """A proxy before the node; who connects to its address stays behind it."""
    settings = _settings(folder)
    front, back = (int(settings[name].rpartition(":")[2]) for name in ("advertised.listeners", "listeners"))
    proxy = Proxy(front, back)
    try:
        yield proxy
    finally:
        proxy.close()


@contextmanager
def beside(folder: Path, numbers: Sequence[int]) -> Iterator[dict[int, Path]]:
    """More brokers of the node's cluster, by node id; the node stays the only controller."""
    made = {number: folder.with_name(f"{folder.name}-{number}") for number in numbers}
    try:
        for number, path in made.items():
            if not (path / "server.properties").exists():
                _format(path, folder, number)
            broker.start(path)
        yield made
    finally:
        for path in made.values():
            broker.kill(path)


def _format(path: Path, folder: Path, number: int) -> None:
    port, other = ready.free_ports(2)
    path.mkdir(parents=True, exist_ok=True)
    conf = path / "new.properties"
    conf.write_text(
        BESIDE.format(
            number=number, voters=_settings(folder)["controller.quorum.voters"], port=port, other=other, data=path.resolve() / "data"
        ) + AUTHORIZER
    )  # fmt: skip
    cluster = dict(line.split("=", 1) for line in (folder / "data/meta.properties").read_text().splitlines() if "=" in line)["cluster.id"]
    words = ["java", "-cp", f"{broker.jars()}/*", "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(conf)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    conf.rename(path / "server.properties")


def _settings(folder: Path) -> dict[str, str]:
    lines = (folder / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
