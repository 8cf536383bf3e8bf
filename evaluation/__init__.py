"""Would it have worked: datasets, metrics, contenders and the loop that replays a real log through the whole system. It gets the
system as callables (see `evaluation.loop.System`), so what is measured is what serves."""
