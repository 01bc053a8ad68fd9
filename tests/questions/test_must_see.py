"""Views that are chosen for a question, so that they show what its answer rests on."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from question_rooms import CAMERA, look_from, random_scene, scan_task
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.questions.config import SynthesizeConfig
from vantage.questions.must_see import MustSee
from vantage.questions.recorded import Recorded, read_recorded
from vantage.questions.scene import RoomObject, Scene
from vantage.questions.situations import situate
from vantage.questions.stage import synthesize
from vantage.questions.views import choose_views, shown_by
from vantage.records.questions import read_questions
from vantage.records.visibility import read_visibility, write_visibility

CONFIG = SynthesizeConfig(held_out_share=0.0, must_see=True, views_per_question=2)


def recorded(sees: np.ndarray) -> Recorded:
    frames, objects = sees.shape
    poses = np.array([look_from(0.0, 0.0, 0.5 * i) for i in range(frames)]).reshape(-1, 4, 4)
    scores = sees.astype(np.float32)
    return Recorded(
        "scan", tuple(range(frames)), poses, tuple(range(objects)), sees, scores, (CAMERA,) * frames
    )


def sparse(folder: Path) -> Task:
    """A scan of which each frame shows about a third of the objects."""
    task = scan_task(folder, "room0001_00", random_scene(np.random.default_rng(1)))
    seen = read_visibility(task.inputs["recover"])
    pixels = np.where(np.random.default_rng(4).random(seen.visible_px.shape) < 0.3, np.float32(40), 0)
    write_visibility(task.inputs["recover"], replace(seen, visible_px=pixels.astype(np.float32)))
    return task


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(1, 8), st.integers(1, 5), st.integers(0, 9999))
def test_every_set_of_objects_is_shown_or_refused(frames: int, objects: int, n: int, seed: int) -> None:
    scan = recorded(np.random.default_rng(seed).random((frames, objects)) < 0.35)
    scene = Scene(RoomObject(i, "chair", "red", (2.0, 0.0, 0.5), (0.4, 0.4, 1.0)) for i in range(objects))
    must_see, usual = MustSee(scan, n, 0), choose_views(scan, 0, n, 0)
    situation = situate(scan, scene, usual)
    assert must_see.reach(situation).views == shown_by(scan, range(frames))
    assert must_see.reach(situation).first == situation.seen.first
    for size in range(4):
        for ids in combinations(sorted(must_see.reach(situation).views), size):
            views = must_see.views(situation, ids)
            assert views[0] == 0 and len(set(views)) == len(views) == min(n, frames)
            assert must_see.can_show(situation, ids) == (set(ids) <= shown_by(scan, views))
            if set(ids) <= shown_by(scan, usual):
                assert views == usual, "views that show everything stay as they are"
            if len(set(ids) - shown_by(scan, [0])) < n:
                assert must_see.can_show(situation, ids)


def test_the_views_show_what_the_answer_rests_on_and_more_can_be_asked(tmp_path: Path) -> None:
    task = sparse(tmp_path / "must")
    synthesize(task, CONFIG)
    questions = read_questions(task.out)
    scan = read_recorded(task.inputs["extract"], task.inputs["recover"], CONFIG.min_visible_px)
    hidden = 0
    for q in questions:
        ids = set(q.evidence["object_ids"])
        assert ids <= shown_by(scan, q.views)
        assert q.views[0] == q.ego_frame_id and len(q.views) == 2
        usual = choose_views(scan, q.ego_frame_id, 2, task.seed)
        if ids <= shown_by(scan, usual):
            assert tuple(q.views) == usual
        else:
            hidden += 1
    assert hidden > 0.1 * len(questions), "the usual two views miss many of the objects"
    plain = sparse(tmp_path / "plain")
    synthesize(plain, replace(CONFIG, must_see=False))
    more, fewer = (
        sum(q.family == "direction" for q in rows) for rows in (questions, read_questions(plain.out))
    )
    assert more > fewer
    dropped = json.loads((task.out / "dropped.json").read_text())
    assert sum(reasons.get("about more objects than the views can show", 0) for reasons in dropped.values())


def test_nothing_changes_where_the_usual_views_show_all(tmp_path: Path) -> None:
    digests = set()
    for must_see in (False, True):
        task = scan_task(tmp_path / str(must_see), "a_00", random_scene(np.random.default_rng(1)), frames=4)
        synthesize(task, replace(CONFIG, must_see=must_see, views_per_question=4))
        digests.add(digest_tree(task.out))
    assert len(digests) == 1
