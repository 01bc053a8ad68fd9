"""What flows between stages: typed records, their file names and versions."""
