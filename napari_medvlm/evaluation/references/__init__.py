"""Reference (ground-truth) regions of data sets."""
