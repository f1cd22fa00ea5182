"""Docks: they build parts and connect them."""
