"""Evaluation of answers: questions about images whose answers are known."""
