"""Rooms made and rendered here: the scan source that needs no download and no terms of use."""
