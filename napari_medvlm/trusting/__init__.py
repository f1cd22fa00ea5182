"""Whether an answer or a region deserves belief: checks, each of which says so in plain words."""
