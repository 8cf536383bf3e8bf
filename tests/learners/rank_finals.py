"""Finals of invented searches whose rate of reward is known, and the rank model's fit written out row by row."""

import numpy as np

from learners.draws import uniform
from learners.finals import Final
from learners.ranking import rank_model
from learners.ranking.features import BY_STRATEGY, RankFeatures
from learners.ranking.rate_model import newton
from schemas.rows import POSITION_BINS

WIDTH = len(BY_STRATEGY)


def bin_of(position):
    return next(at for at, (low, high) in enumerate(POSITION_BINS) if low <= position <= high)


def final_of(name, query, entities, features, *, version, positions=None, rewarded=None, time=0):
    """A final: everything shown in order unless `positions` says otherwise; features in units of 1/256."""
    n = len(entities)
    return Final(
        final_id=name, time=time, query_key=query, segment="", client="", rank_version=version, entities=tuple(entities),
        positions=np.arange(1, n + 1, dtype=np.int32) if positions is None else np.asarray(positions, dtype=np.int32),
        features=np.asarray(features, dtype=np.int16),
        rewards=np.zeros(n, dtype=np.int32) if rewarded is None else np.asarray(rewarded, dtype=np.int32) * 256,
        viewed=np.zeros(n, dtype=np.bool_), modes=np.zeros(n, dtype=np.int8), probabilities=np.ones(n, dtype=np.float32),
        off_page={}, has_viewed=False,
    )  # fmt: skip


def random_rows(rng, n, layout: RankFeatures):
    """Features of n candidates of one search: each strategy asked or not, each candidate found by at least one."""
    asked = rng.random(len(layout.strategies)) < 0.8
    asked[rng.integers(len(asked))] = True
    out = np.zeros((n, len(layout.names)), dtype=np.int16)
    by = out[:, : WIDTH * len(asked)].reshape(n, len(asked), WIDTH)
    first = rng.choice(np.flatnonzero(asked), n)
    found = (rng.random((n, len(asked))) < 0.5) & asked
    found[np.arange(n), first] = True
    by[:, :, 0], by[:, :, 1] = 256 * (asked & ~found), 256 * found
    by[:, :, 2] = np.where(found, 256 // rng.integers(1, 20, found.shape), 0)
    by[:, :, 3] = np.where(found, rng.integers(0, 257, found.shape), 0)
    by[:, :, 4] = np.where(found, rng.integers(-200, 400, found.shape), 0)
    out[:, WIDTH * len(asked) :] = rng.integers(0, 300, (n, 2))
    return out


def written_out(finals, definition, theta, *, balanced=True):
    """(design, V, S, start, ridge) of the fit, one row at a time, from the description."""
    layout = RankFeatures.of(definition)
    finals = sorted(finals, key=lambda one: (one.time, one.final_id))[-rank_model.FINALS :]
    last, rows = {one.query_key: one.final_id for one in finals if 0 in one.positions}, {}
    for one in finals:
        hide = [uniform("sample", name, one.final_id, "hidden") < rank_model.HIDDEN for name in layout.strategies]
        for entity, position, values, reward in zip(one.entities, one.positions, one.features.tolist(), one.rewards, strict=True):
            for at, hidden in enumerate(hide):
                if hidden:
                    values[WIDTH * at : WIDTH * (at + 1)] = [0] * WIDTH
            found = any(values[WIDTH * at + 1] for at in range(len(hide)))
            if found and (position or reward or last.get(one.query_key) == one.final_id):
                sums = rows.setdefault((one.query_key, entity), {}).setdefault(tuple(values), [0.0, 0.0])
                sums[0] += theta[bin_of(position)] if position else float(reward > 0)
                sums[1] += float(reward > 0)
    design, examined, rewarded, start = [], [], [], np.zeros(2 + len(layout.names))
    start[:2] = definition.rank.b0, definition.rank.a0
    for kinds in rows.values():
        seen = sum(v for v, _ in kinds.values())
        most = max(1.0, sum(s for _, s in kinds.values()) / seen) if seen else 1.0  # a rate is at most 1
        share = rank_model.PAIR / seen if balanced and seen > rank_model.PAIR else 1.0
        for values, (v, s) in kinds.items():
            x = np.array([1.0, fusion(values, len(layout.strategies)), *(value / 256 for value in values)])
            doubt = rank_model.DOUBT / len(kinds)
            design.append(x)
            examined.append(v * share + doubt)
            rewarded.append(s / most * share + doubt / (1.0 + np.exp(-(x @ start))))
    ridge = np.array([rank_model.RIDGE_BIAS] + [rank_model.RIDGE] * (len(start) - 1))
    return np.array(design), np.array(examined), np.array(rewarded), start, ridge


def fusion(values, strategies):
    """Mean of the normed scores over who was asked."""
    asked = sum(values[WIDTH * at] + values[WIDTH * at + 1] for at in range(strategies))
    return sum(values[WIDTH * at + 3] for at in range(strategies)) / asked if asked else 0.0


def weights_written_out(finals, definition, theta, *, balanced=True):
    design, examined, rewarded, start, ridge = written_out(finals, definition, theta, balanced=balanced)
    return newton(design, examined, rewarded, start=start, ridge=ridge)
