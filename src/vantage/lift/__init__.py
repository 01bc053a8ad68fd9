"""From depth to 3D: a point for every image patch, and sets of views that cover a room."""
