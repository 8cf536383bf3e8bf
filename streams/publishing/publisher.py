"""The publisher's core: add the shares of all partitions, fit, publish when something changed. Kafka and the embedded loop both use it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from learners.definition import Definition
from learners.finals import FinalSet
from learners.fit import Accumulator
from learners.gate import unusable
from learners.models import FinalsModel, fit_models, fits_due
from learners.tallies import Sums, Tallies
from schemas.outcomes import Amendment, Outcome
from schemas.rows import TallyKey, TallyRow
from schemas.snapshots import Array, Content

log = logging.getLogger(__name__)


class Fitted(NamedTuple):
    """Arrays of all models, fitted to one definition."""

    definition: Definition
    arrays: Mapping[str, Array]
    erasures: int  # that the finals had seen


Fit = Callable[[], Fitted]


class Publisher:
    """Takes deltas (`add`) or absolute rows of a source (`put`), and conclusions; `refresh` gives the policy as of now, or None.

    Sums are fitted whenever one changed. `models` are fitted to the finals when 50, 100, 250, 500 and then every 500 of them were seen;
    in between their arrays stay. They are a function of the set of conclusions that were there when they were fitted.
    """

    def __init__(self, definition: Definition, models: Sequence[FinalsModel] = ()) -> None:
        self.finals = FinalSet()
        self.definition, self._models = definition, models
        self._sums = Accumulator(definition)
        self._rows: dict[tuple[int, TallyKey], Sums] = {}
        self._arrays: dict[str, Array] = {}
        self._fits = 0  # of the models
        self._erasures = 0
        self._changed = True

    def add(self, tallies: Tallies) -> None:
        """Add sums to the whole."""
        if tallies:
            self._sums.add(tallies)
            self._changed = True

    def put(self, source: int, rows: Iterable[TallyRow]) -> None:
        """Replace rows of one source partition: what is added is the difference to the row's last value."""
        for row in rows:
            key = (row.kind, row.arm, row.context, row.hour)
            sums = np.array(row.sums, dtype=np.int64)
            old = self._rows.get((source, key))
            if old is not None and np.array_equal(old, sums):
                continue  # sent again: nothing to fit, nothing to publish
            self._rows[source, key] = sums
            if old is not None and len(old) != len(sums):  # nothing to subtract from: the old row is taken back, the new one added
                self.add({key: -old})
                old = None
            self.add({key: sums if old is None else sums - old})

    def conclude(self, conclusions: Iterable[Outcome | Amendment]) -> None:
        """Finals and amendments, in any order, any of them again. Without models they are not kept."""
        if self._models:
            for one in conclusions:
                self.finals.add(one)

    def erase(self, people: Mapping[str, int]) -> None:
        """Finals of these people (keyed hash -> time in ms) up to that time go, and models that have seen them are fitted anew."""
        if self.finals.erase(people):
            self._erasures += 1  # a fit that is under way has seen these people: it is not taken
            self._fits = 0
            if not fits_due(self.finals.count):  # too few are left for a fit
                self._arrays, self._changed = {}, True

    def wants(self, final_id: str, time: int) -> bool:
        """False when the final of this id and time (ms) would change nothing, so that it need not be decoded."""
        return bool(self._models) and self.finals.wants(final_id, time)

    def redefine(self, definition: Definition) -> None:
        """Fit another definition, to the rows that were `put` and to the finals. Arrays of models that were fitted to the old one go."""
        self.definition, self._sums, self._fits, self._arrays = definition, Accumulator(definition), 0, {}
        for (_, key), sums in self._rows.items():
            self._sums.add({key: sums})
        self._changed = True

    def due(self) -> Fit | None:
        """The fit of the models if one is due, each once: it may run in another thread, on what is known now; `take` takes its arrays."""
        due = fits_due(self.finals.count) if self._models else 0
        if due <= self._fits:
            return None
        self._fits = due
        models, finals, definition, last, erasures = self._models, self.finals.sorted(), self.definition, dict(self._arrays), self._erasures
        return lambda: Fitted(definition, fit_models(models, finals, definition, last), erasures)

    def take(self, fitted: Fitted) -> None:
        """Publish these arrays of models from now on, unless the definition has changed or people were erased meanwhile."""
        if fitted.definition is self.definition and fitted.erasures == self._erasures:
            self._take(fitted.arrays)

    def keep(self, content: Content) -> None:
        """Go on with the arrays of our models in what was published, until they are fitted again; not if it has another definition."""
        if content.definition.get("policy") != self.definition.model_dump(mode="json"):
            return
        self._take(content.arrays)

    def refresh(self, *, fit: bool = True) -> Content | None:
        """The fitted policy, or None when nothing changed since the last refresh. Fits the models first if that is due, and `fit`."""
        if fit and (due := self.due()) is not None:
            self.take(due())
        if not self._changed:
            return None
        content = self._sums.content(models=self._arrays)
        self._changed = False
        return content

    def _take(self, arrays: Mapping[str, Array]) -> None:
        """Equal arrays stay the objects that they were, with what is known of their bytes. What makes no policy is not taken."""
        taken: dict[str, Array] = {}
        for prefix in (f"{model.name}." for model in self._models):
            last = {name: array for name, array in self._arrays.items() if name.startswith(prefix)}
            new = {name: last[name] if last.get(name) == one else one for name, one in arrays.items() if name.startswith(prefix)}
            if new != last and (why := unusable(self._sums.content(models=taken | new))):
                log.error("what model %s found is not published, its last arrays stay: %s", prefix[:-1], why)
                new = last
            taken |= new
        self._changed |= taken != self._arrays
        self._arrays = taken
