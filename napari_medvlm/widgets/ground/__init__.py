"""The Ground dock."""
