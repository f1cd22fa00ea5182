"""The embedded way from words to places: names of label images, and an atlas of the brain."""
