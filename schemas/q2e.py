"""The formula that page scores and the memory share: what was expected, replaced smoothly by what happened."""


def q2e(prior: float, reward: float, examined: float, kappa: float) -> float:
    """(kappa * prior + S) / (kappa + V): the expected reward per examination of an entity under a query.

    `prior` is the expectation before anything happened (0 to 1), `kappa` > 0 its weight in examinations, `reward` the decayed
    reward S and `examined` the decayed examinations V, both at least 0. It is not clipped: a purchase pays more than 1, and an action
    off the page adds to S but not to V, so S may exceed V; a ceiling would tie the most wanted entities and lose their order.

    >>> q2e(0.5, 0.0, 0.0, 2.0), q2e(0.5, 3.0, 2.0, 2.0)
    (0.5, 1.0)
    """
    return (kappa * prior + reward) / (kappa + examined)
