"""Questions that can be answered by measuring and reading, without a model."""
