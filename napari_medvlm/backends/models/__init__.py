"""Model files: the catalogue, downloads, verification and trust."""
