"""Domain objects: volumes, prompts, masks, regions, answers. No Qt, no torch, no disk."""
