"""The real office sequence through the stages up to lift."""

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from vantage.core.tasks import Task
from vantage.lift.config import LiftConfig
from vantage.lift.stage import lift
from vantage.records.patches import read_patches, read_views
from vantage.records.visibility import read_visibility
from vantage.recover.config import RecoverConfig
from vantage.recover.stage import recover
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.stage import download, extract


def test_patch_points_of_different_frames_meet_on_the_same_surfaces(office: Path, tmp_path: Path) -> None:
    inputs: dict[str, Path] = {}

    def task(stage: str) -> Task:
        out, work = tmp_path / stage, tmp_path / f"{stage}.work"
        out.mkdir()
        work.mkdir()
        done, inputs[stage] = dict(inputs), out
        return Task(office.name, done, out, work, 0)

    download(task("download"), DownloadConfig(source="folder", folder=FolderConfig(path=str(office))))
    extract(task("extract"), ExtractConfig())
    facts = lift(task("lift"), LiftConfig())
    assert facts["frames"] == 42

    patches = read_patches(inputs["lift"])
    assert patches.valid.mean() > 0.8  # about 78 % of the pixels are measured
    heights = patches.xyz_aligned[..., 2][patches.valid]
    assert np.quantile(heights, 0.01) > -0.1  # nothing below the floor
    # The points of even frames lie near those of odd frames wherever both have looked.
    points = [patches.xyz_aligned[k::2][patches.valid[k::2]] for k in (0, 1)]
    distance, _ = cKDTree(points[0]).query(points[1])
    assert np.median(distance) < 0.2  # patches are about 0.3 m apart

    views = read_views(inputs["lift"])
    assert len(set(views.frame_ids)) == 8
    assert sum(views.gains) > 0.5 * views.voxels

    recover(task("recover"), RecoverConfig())
    assert read_visibility(inputs["recover"]).scores.shape == (42, 0)
