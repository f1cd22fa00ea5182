"""CLIP-like models: similarity heatmaps and zero-shot classification."""
