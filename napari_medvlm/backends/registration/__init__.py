"""Registration of two volumes of one patient: rigid, affine and deformable."""
