import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vantage.geometry.zbuffer import z_buffer


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 10)), min_size=1, max_size=50))
def test_each_pixel_keeps_its_nearest_point(hits: list[tuple[int, float]]) -> None:
    pixel, z = np.array([p for p, _ in hits]), np.array([z for _, z in hits])
    expected = [min((d for p, d in hits if p == i), default=np.inf) for i in range(10)]
    assert z_buffer(pixel, z, 10).tolist() == expected
