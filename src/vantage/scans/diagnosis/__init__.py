"""What a capture really is: the conventions of its poses and depth, found by comparing pairs of frames."""
