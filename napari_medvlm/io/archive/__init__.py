"""Archives of DICOM studies: DICOMweb servers and folders."""
