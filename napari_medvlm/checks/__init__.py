"""Checks of whether an answer or a region can be trusted."""
