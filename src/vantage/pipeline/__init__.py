"""The loader of `dvc.yaml`, the runner, the store of finished work, provenance and freshness."""
