"""Where the tables of this package lie."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
"""The folder of the packaged files."""
