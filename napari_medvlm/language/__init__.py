"""What people write about images: reports, descriptions of findings, names of structures."""
