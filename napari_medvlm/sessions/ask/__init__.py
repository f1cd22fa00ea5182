"""The session of the Ask dock."""
