"""Segmentation measured on labelled cases: a simulated user, its scores, the report of a run."""
