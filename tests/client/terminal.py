"""Follows a tutorial as a person at a terminal does: its commands in a folder that looks like a checkout, its servers until the end."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALLED = ("make setup", "source .venv/bin/activate")  # the tests themselves run in what these give
STAYS = re.compile(r"(FORAGE_\w+=\S+ )*(forage serve|python3 -m http\.server|forage worker)\b")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
READY = 120  # s that a server may take to answer on a machine that is busy


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


class Terminal:
    """`ports`: those of the page -> those that the test has instead."""

    def __init__(self, folder: Path, *ports: str) -> None:
        self.folder, self.ports, self.servers = folder, {port: free_port() for port in ports}, []
        tools = folder / "bin"
        tools.mkdir()
        for name, what in (("forage", f"{sys.executable} -m ops.cli"), ("python", sys.executable), ("python3", sys.executable)):
            (tools / name).write_text(f'#!/bin/sh\nexec {what} "$@"\n')
            (tools / name).chmod(0o755)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FORAGE_")} | {
            "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
        for page in (folder / "docs" / "examples").glob("search-box.*"):
            page.write_text(self.here(page.read_text("utf-8")), "utf-8")

    def here(self, text: str) -> str:
        """Text of the page with the ports of this test."""
        for page, ours in self.ports.items():
            text = text.replace(page, ours)
        return text

    def follow(self, text: str) -> list[str]:
        """Run the blocks of (a part of) a page in order; what the page says that a command prints must be printed. All that was printed."""
        printed: list[str] = []
        for kind, block in BLOCK.findall(text):
            if kind == "sh":
                lines = re.sub(r"\\\n\s*", "", block).splitlines()
                printed += [self.type(line) for line in lines if line not in INSTALLED]
            elif kind == "python":
                printed.append(self._run([sys.executable, "-c", self.here(block)]))
            elif kind == "" and printed:
                said = re.escape(block.strip()).replace(r"\.", ".")
                wanted = re.sub(r"\d+\.\d", r"\\d+\\.\\d", said)
                assert re.search(wanted, printed[-1]), f"the page says that this is printed:\n{block}\nbut it was:\n{printed[-1]}"
        return printed

    def type(self, line: str) -> str:
        """What a command prints; one that stays is left running, once it answers."""
        line = self.here(line)
        if not STAYS.match(line):
            return self._run(["sh", "-c", line])
        port = re.search(r"http\.server (\d+)", line)
        if port is None:
            line += f" --port {self.ports['8080']}"
        log = self.folder / f"server-{len(self.servers)}.log"
        with log.open("w") as out:
            server = subprocess.Popen(["sh", "-c", f"exec env {line}"], cwd=self.folder, env=self.environment, stdout=out, stderr=out)
        self.servers.append(server)
        end = time.monotonic() + READY
        while True:
            assert server.poll() is None, f"{line} has ended: {log.read_text()}"
            assert time.monotonic() < end, f"{line} does not answer: {log.read_text()}"
            try:
                socket.create_connection(("127.0.0.1", int(port[1] if port else self.ports["8080"])), timeout=1).close()
                return ""
            except OSError:
                time.sleep(0.05)

    def close(self) -> None:
        """Ctrl-C in every terminal."""
        for server in self.servers:
            server.send_signal(2)
        for server in self.servers:
            server.wait(30)

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout
