"""The loss: overlap and cross-entropy of the mask, error of the predicted Dice."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dice(masks: Tensor, targets: Tensor) -> Tensor:
    """Dice of bool masks ``(B, N, N, N)``, 1 where both are empty: ``(B,)``."""
    common = (masks & targets).flatten(1).sum(1)
    total = masks.flatten(1).sum(1) + targets.flatten(1).sum(1)
    return torch.where(total > 0, 2 * common / total.clamp_min(1), 1.0)


def contact(masks: Tensor) -> Tensor:
    """Voxels in the outermost layer, in parts of volume to the power 2/3: ``(B,)``, 0 to 1."""
    total = masks.flatten(1).sum(1)
    inner = masks[:, 1:-1, 1:-1, 1:-1].flatten(1).sum(1)
    return ((total - inner) / total.clamp_min(1) ** (2 / 3)).clamp_max(1)


def loss(logits: Tensor, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss over the batch elements with a target, and their mean Dice.

    Soft Dice (Milletari et al. 2016) plus cross-entropy, in which a voxel near the surface or of a
    small target counts more, plus the squared error of the predicted Dice.

    Parameters
    ----------
    logits
        ``(B, N, N, N)``.
    scores
        ``(B,)``; logit of the predicted Dice.
    targets
        ``(B, N, N, N)`` bool.
    """
    logits, scores = logits.float(), scores.float()
    truth = targets.float()
    probabilities = torch.sigmoid(logits)
    common = (probabilities * truth).flatten(1).sum(1)
    total = (probabilities + truth).flatten(1).sum(1)
    overlap = 1 - (2 * common + 1) / (total + 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    size = truth.flatten(1).sum(1).clamp_min(1)
    share = (entropy.flatten(1).sum(1) / (4 * size + 200)).clamp_max(5)
    reached = dice(logits > 0, targets)
    wanted = reached * (1 - contact(targets))
    score = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    valid = targets.flatten(1).any(1).float()
    per_sample = overlap + 0.5 * share + 0.2 * score
    count = valid.sum().clamp_min(1)
    return (per_sample * valid).sum() / count, ((reached * valid).sum() / count).detach()
