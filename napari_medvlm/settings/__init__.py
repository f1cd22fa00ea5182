"""User settings: where files go, which hosts may be reached, privacy."""
