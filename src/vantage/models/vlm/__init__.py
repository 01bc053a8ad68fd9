"""A stock vision-language model made spatial: samples, dialogs, batches, the model that learns."""
