import pytest

from vantage.core.errors import ContractError
from vantage.core.frames import FRAMES, require_frame


def test_frames_do_not_mix() -> None:
    assert FRAMES == ("raw", "aligned", "camera", "ego_camera", "ego_level")
    require_frame("raw", "raw", "record 1")
    with pytest.raises(ContractError, match="wrong frame") as caught:
        require_frame("raw", "aligned", "record 1")
    assert caught.value.where == "record 1"
