"""CLIP-like models in the files of their authors: FLAIR, BioViL, ConceptCLIP, MedImageInsight."""
