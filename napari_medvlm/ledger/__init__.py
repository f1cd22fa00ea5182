"""The append-only record of a session, and the state that follows from it."""
