"""MLflow: the store, runs, the packaged model, promotion and its model card."""
