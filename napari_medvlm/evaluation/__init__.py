"""Found regions beside a reference: what a file says is there, and how well both agree."""
