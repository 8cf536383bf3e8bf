"""A small world with known truth: a generated music catalogue, and people whose taste, patience and clicks follow from a seed, so that
what was learned can be compared with what was there to learn."""
