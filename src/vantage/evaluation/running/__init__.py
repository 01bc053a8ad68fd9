"""From a model to predictions: requests out of a benchmark's items, asked in a run that can go on."""
