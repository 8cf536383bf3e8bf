"""The publisher that a worker keeps beside it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_attached_publisher_ends_when_its_parent_is_gone(tmp_path):
    words = ["worker", "--role", "publisher", "--attached", "--bootstrap", "127.0.0.1:1", "--folder", str(tmp_path)]
    child = subprocess.Popen([sys.executable, "-m", "ops.cli", *words], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stderr is not None
    first = child.stderr.readline()  # it says that there is no broker, and goes on trying
    assert child.poll() is None, first
    child.communicate(timeout=30)  # closes the pipe, as the death of the parent does
    assert child.returncode == 0
