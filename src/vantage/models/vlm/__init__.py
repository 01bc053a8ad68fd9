"""A stock vision-language model made spatial: samples, dialogs, batches, and the model that learns from them."""
