"""Raw scans: readers and writers of ScanNet's formats, sources, frame quality, and the room generator."""
