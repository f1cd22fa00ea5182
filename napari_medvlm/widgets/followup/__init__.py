"""The Follow-up dock: lesions of a prior study in the current one."""
