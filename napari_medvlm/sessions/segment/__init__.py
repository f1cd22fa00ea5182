"""The session of the Segment dock."""
