"""A list of cases, worked through one after the other."""
