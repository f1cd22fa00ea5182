"""The Checks panel."""
