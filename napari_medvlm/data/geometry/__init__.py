"""Frames, grids and transforms: the only code that flips, permutes or resamples."""
