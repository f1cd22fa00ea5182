"""Grounding without a model: names of label images, and a brain atlas."""
