"""Arguments of Python callers and what notebooks show."""
