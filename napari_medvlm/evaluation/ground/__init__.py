"""Evaluation of grounding: where phrases are, against boxes and masks that somebody has drawn."""
