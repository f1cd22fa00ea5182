"""Answers to questions from measurements, without a model."""
