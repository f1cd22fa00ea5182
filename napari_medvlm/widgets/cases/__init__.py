"""The Cases dock."""
