"""Rigid transforms, cameras, projection, depth buffers, oriented boxes and voxels, in float64 NumPy."""
