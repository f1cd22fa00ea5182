"""nnInteractive, in this computer or on a server."""
