"""Putting a scene in the frame of the one who asks."""
