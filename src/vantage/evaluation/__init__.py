"""Scores nobody disputes: named scorers, paired intervals by room, controls beside every headline."""
