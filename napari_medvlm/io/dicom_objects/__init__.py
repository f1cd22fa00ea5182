"""Read and write DICOM SEG, RTSTRUCT and SR objects; de-identification."""
