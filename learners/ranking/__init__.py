"""The order of the union: a prediction as prior, memory as evidence."""
