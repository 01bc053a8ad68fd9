"""The pipeline in Dagster: assets made from `dvc.yaml`, contracts as asset checks, status per scan."""
