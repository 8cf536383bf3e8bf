"""Which strategies are asked: one Bayesian linear model per arm, and the selectors that turn it into probabilities."""
