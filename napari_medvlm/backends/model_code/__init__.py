"""Models that bring their own code: which folders, when it may run, and how they are asked."""
