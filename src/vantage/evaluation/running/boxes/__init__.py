"""Boxes as answers: every view asked in turn, and one set of boxes out of what they say."""
