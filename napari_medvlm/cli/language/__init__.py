"""Commands that take words: phrases to locate, questions, and labels to classify."""
