"""Names that options of `vantage predict` take; nothing heavy is imported for its help."""

from __future__ import annotations

from typing import Final

TRAINED_MAJORITY: Final = "majority"
OWN_MAJORITY: Final = "majority_of_references"
CONTROLS: Final = (
    "blind", "other_sample", "random_yaw", "random_pose", TRAINED_MAJORITY, OWN_MAJORITY,
)  # fmt: skip
POSE_SOURCES: Final = (
    "annotated", "first_view", "random", "none",
    "recovered_top", "recovered_clip", "recovered_top_target", "recovered_clip_target",
)  # fmt: skip
