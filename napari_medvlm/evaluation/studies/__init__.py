"""Studies of several runs: comparisons, seeds, strata."""
