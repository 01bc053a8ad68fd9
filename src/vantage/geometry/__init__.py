"""Rigid transforms, cameras, projection, depth buffers, oriented boxes and their IoU, voxels, in float64."""
