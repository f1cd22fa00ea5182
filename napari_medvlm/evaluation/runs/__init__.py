"""Evaluation runs: workers, run folders, provenance and reports."""
