"""Figures of runs: curves with bands, and files for a paper."""
