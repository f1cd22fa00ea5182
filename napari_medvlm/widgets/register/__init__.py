"""The Register dock: two studies of a patient, registered and compared."""
