"""Objects from what stands out around the prompts: proposals, their choice, corrections."""
