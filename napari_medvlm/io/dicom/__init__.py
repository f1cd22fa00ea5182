"""Read DICOM images."""
