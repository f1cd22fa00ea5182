"""Find phrases in one volume."""
