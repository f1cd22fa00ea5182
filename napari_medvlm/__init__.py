"""Ask questions of medical images, by click and by word. Not a medical device."""
