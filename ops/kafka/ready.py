"""Free ports, and whether a broker answers. Standard library only: start.sh runs it as a script."""

import os
import socket
import struct
import sys
import time

_ASK = struct.pack(">hhih", 18, 0, 1, 1) + b"x"  # ApiVersions v0: a real answer, not only an open port


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(port: int) -> bool:
    """Whether a Kafka broker answers on the port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(struct.pack(">i", len(_ASK)) + _ASK)
            return len(connection.recv(4)) > 0
    except OSError:
        return False


def wait(port: int, *, pid: int | None = None, seconds: float = 60.0) -> bool:
    """Wait until the broker answers; False when its process died or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers(port):
            return True
        if pid is not None:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    if sys.argv[1] == "ports":
        print(*free_ports(2))
    elif wait(int(sys.argv[2]), pid=int(sys.argv[3])):
        print(f"127.0.0.1:{sys.argv[2]}")
    else:
        sys.exit("the broker did not answer; see kafka.log in its folder")
