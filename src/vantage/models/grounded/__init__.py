"""The `grounded` recipe: boxes first, as text; then reasoning over them whose arithmetic is checked."""
