"""Depth from a colour image alone: estimators of the transformers library, brought to metres."""
