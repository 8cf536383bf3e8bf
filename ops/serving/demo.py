"""The demo as a service: a made-up catalogue, made-up people who search in real time, and an experiment that says whether it helps."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from evaluation.people.catalogue import catalogue
from evaluation.people.drift import drift
from evaluation.people.listeners import people
from ops.commands.options import rules_of
from ops.definitions import definition
from ops.demo import STRATEGIES
from ops.serving.crowd import Listeners
from ops.serving.embedded import EmbeddedBackend
from ops.serving.opening import makers_of, opened, try_out
from ops.settings import Settings
from serving.outcomes import OutcomeSums
from serving.site import Site

SETTLE = 15_000  # ms: a made-up person has clicked at once, and whoever looks on does not wait ten minutes for a search to count
TRIAL = "interleave:rrf:0.2"
CANDIDATES_P = 0.25  # of pages that log what was not shown: a demo that runs overnight must not fill the disk
LINE_EVERY = 30.0  # s
SLOT = 5 * 60_000  # ms of one point of the difference over time: a visitor sees a line after a quarter of an hour


@contextmanager
def opened_demo(
    config: Settings, *, seed: int, speed: float, folder: Path, tell: Callable[[str], None] = lambda line: None
) -> Iterator[Site]:
    """The demo's site with its people in it; `tell` hears a line now and then. What was learned stays in `folder`.

    One click counts for everybody (min_clients 1), so that a visitor sees the effect of his own.
    """
    music, outcomes = catalogue(seed), OutcomeSums(every=SLOT)
    crowd = Listeners(people(drift(music, seed), seed), speed=speed, rng=Random(time.time_ns()))
    backend = EmbeddedBackend(
        music.entities, definition(STRATEGIES, min_clients=1), folder=folder, makers=makers_of(STRATEGIES, config),
        rules=replace(rules_of(config), settle=SETTLE), on_conclusion=outcomes.add,
    )  # fmt: skip
    try_out(backend, TRIAL)
    with opened(backend, config, name="demo", outcomes=outcomes, crowd=crowd, candidates_p=CANDIDATES_P) as site:
        ended = threading.Event()
        teller = threading.Thread(target=_tell, args=(site, crowd, tell, ended), name="forage-lines", daemon=True)
        teller.start()
        try:
            yield site
        finally:
            ended.set()


def _tell(site: Site, crowd: Listeners, tell: Callable[[str], None], ended: threading.Event) -> None:
    while not ended.wait(LINE_EVERY):
        troubles = " ".join(one.said for one in site.backend.troubles())
        versions = site.backend.versions()
        tell(f"{crowd.said} Version {versions[-1].seq if versions else 0} is in use. {troubles}".rstrip())
