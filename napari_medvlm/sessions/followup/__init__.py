"""Lesions of a prior study followed into a current one."""
