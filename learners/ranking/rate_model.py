"""The maximum of the rank model's likelihood. Rows are kinds of showings: candidates with equal features, added up.

    minimise   sum over rows of (V * softplus(z) - S * z)  +  1/2 sum over parameters of ridge * (parameter - start)^2     z = x'parameters

S of V examinations were rewarded, so the gradient is V * sigmoid(z) - S: the likelihood of the position-based click model with the
examinations known. It is strictly convex: the result does not depend on the path.
"""

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

STEPS, HALVINGS, CLOSE = 30, 20, 1e-7  # Newton steps at most, halvings of one, and the largest change of a parameter at which it ends


def newton(rows: Reals, examined: Reals, rewarded: Reals, *, start: Reals, ridge: Reals) -> Reals:
    """Parameters (d,) for rows (n, d) with V and S of shape (n,). A step that would raise the loss is halved."""
    at, offset = start.copy(), np.zeros_like(start)
    z = rows @ at
    loss = _loss(z, examined, rewarded)
    for _ in range(STEPS):
        rate = 1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0)))
        gradient = rows.T @ (examined * rate - rewarded) + ridge * offset
        curvature = (rows * (examined * rate * (1.0 - rate))[:, None]).T @ rows
        step = np.linalg.solve(curvature + np.diag(ridge), gradient)
        for _ in range(HALVINGS):
            new_z = rows @ (at - step)
            new = _loss(new_z, examined, rewarded) + 0.5 * float(ridge @ (offset - step) ** 2)
            if new <= loss:
                break
            step = step / 2.0
        else:
            break
        at, offset, z, loss = at - step, offset - step, new_z, new
        if np.abs(step).max() < CLOSE:
            break
    return at


def _loss(z: Reals, examined: Reals, rewarded: Reals) -> float:
    return float((examined * np.logaddexp(0.0, z) - rewarded * z).sum())
