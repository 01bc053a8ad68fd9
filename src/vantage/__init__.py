"""Vantage: from raw RGB-D scans to a registered, direction-aware 3D vision-language model."""

__version__ = "0.1.0"
