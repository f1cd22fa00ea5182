"""What the user is doing, without a window."""
