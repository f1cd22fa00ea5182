"""Images as InternVL's ``chat`` takes them: tiles of a square, and the image as a whole.

Source: Chen et al., *How Far Are We to GPT-4V?*, arXiv:2404.16821, section 3.3 (dynamic high
resolution).
"""

from __future__ import annotations

from typing import Any

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

DEFAULT_SIZE = 448
"""Side of a tile in pixels, where the configuration states none."""


def grid_of(width: int, height: int, size: int, most: int) -> tuple[int, int]:
    """Columns and rows of tiles for an image: those whose aspect ratio is nearest to its own.

    Of two that are as near, the larger is taken if the image has more than half of its pixels.

    Parameters
    ----------
    size
        Side of a tile in pixels.
    most
        Number of tiles at most.
    """
    grids = sorted(
        ((c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most),
        key=lambda grid: (grid[0] * grid[1], grid),
    )
    best, nearest = (1, 1), float("inf")
    for columns, rows in grids:
        distance = abs(width / height - columns / rows)
        larger = distance == nearest and width * height > 0.5 * size * size * columns * rows
        if distance < nearest or larger:
            best, nearest = (columns, rows), distance
    return best


def tiles_of(image: Any, config: Any) -> Any:
    """The tiles of a PIL image as a tensor ``(tiles, 3, side, side)``, float32.

    Parameters
    ----------
    config
        Of the model: ``force_image_size``, ``max_dynamic_patch`` and ``use_thumbnail``.
    """
    import numpy as np
    import torch

    vision = getattr(config, "vision_config", None)
    stated = getattr(config, "force_image_size", None) or getattr(vision, "image_size", None)
    size = int(stated or DEFAULT_SIZE)
    dynamic = getattr(config, "dynamic_image_size", True)
    most = int(getattr(config, "max_dynamic_patch", 12)) if dynamic else 1
    width, height = image.size
    columns, rows = grid_of(width, height, size, most)
    large = image.convert("RGB").resize((size * columns, size * rows), 3)  # bicubic
    tiles = [
        large.crop((c * size, r * size, (c + 1) * size, (r + 1) * size))
        for r in range(rows)
        for c in range(columns)
    ]
    if len(tiles) > 1 and getattr(config, "use_thumbnail", True):
        tiles.append(image.convert("RGB").resize((size, size), 3))
    mean, deviation = (np.array(values, np.float32) for values in IMAGENET)
    arrays = [(np.asarray(tile, np.float32) / 255 - mean) / deviation for tile in tiles]
    return torch.from_numpy(np.stack(arrays).transpose(0, 3, 1, 2).copy())
