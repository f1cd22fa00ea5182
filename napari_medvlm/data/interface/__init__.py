"""Arguments as Python callers give them, and what notebooks show."""
