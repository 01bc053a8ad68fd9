"""Small functions that return pictures as PNG bytes; the same input gives the same bytes."""
