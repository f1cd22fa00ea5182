"""The Ask dock."""
