"""Networks that segment whole images by name or phrase."""
