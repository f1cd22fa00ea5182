"""Servers that speak the OpenAI-compatible chat API."""
