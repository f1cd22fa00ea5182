"""Export of masks, measurements, conversations and reports."""
