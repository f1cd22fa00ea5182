"""The process in which backends live, and the ways to reach it."""
