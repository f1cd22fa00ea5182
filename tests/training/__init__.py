"""Tests of the training of the bundled network."""
