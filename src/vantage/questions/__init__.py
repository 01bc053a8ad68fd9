"""Questions about scans: words, scenes, families of relations, situations, balance and splits."""
