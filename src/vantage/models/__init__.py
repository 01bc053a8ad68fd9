"""The pocket vision-language model, its 3D position embedding, and the recipe of its base."""
