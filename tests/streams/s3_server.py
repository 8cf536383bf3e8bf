"""An S3-compatible server (moto) as a process that can be killed. It keeps objects in memory and checks no signatures, unless told to."""

import os
import subprocess
import sys

_SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


class S3Server:
    """`refusing`: every request is refused, as one with wrong keys is."""

    def __init__(self, *, refusing: bool = False) -> None:
        self._environment = dict(os.environ) | ({"INITIAL_NO_AUTH_ACTION_COUNT": "0"} if refusing else {})
        self.port = 0
        self.start()

    def start(self) -> None:
        """At the same port as before; nothing of what was stored is left."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(self.port)], env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[1])

    def url(self, path: str) -> str:
        return f"s3://{path}?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=us-east-1"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
