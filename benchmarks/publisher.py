"""The publisher as a process of its own: `python -m benchmarks.publisher BOOTSTRAP FOLDER`."""

import sys
from pathlib import Path

from ops.definitions import definition, models_of
from streams.publishing.ownership import run

if __name__ == "__main__":
    run(sys.argv[1], definition=definition(), folder=Path(sys.argv[2]), models=models_of())
