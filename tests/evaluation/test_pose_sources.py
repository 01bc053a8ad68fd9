"""Sources of poses compared, on predictions made with a leak in them and without one."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from vantage.core.hashing import canonical_json
from vantage.evaluation.pose_sources import Gap, SourceComparison, compare_sources
from vantage.evaluation.poses import Source
from vantage.records.predictions import Prediction
from vantage.records.questions import Question

TOP, CLIP, RANDOM = Source("top", True), Source("clip"), Source("random")
ROOMS, TEXTS = 30, 4


def a_question(room: int, text: int, source: Source, family: str = "direction", ego: int = 0) -> Question:
    scan, asked = f"room{room:04d}_00", f"where is thing {text} from me?"
    name = f"{scan}-{source.label}-{ego}-{family}-{text}"
    return Question(
        name, scan, scan[:8], "heldout", family, "", asked, "yes", "", {}, ego,
        source.name, source.uses_target, np.eye(4), [ego], True,
    )  # fmt: skip


def answers(questions: list[Question], chance: dict[Source, float], seed: int = 0) -> list[Prediction]:
    """Right as often as the source of a question's pose says."""
    draw = random.Random(seed)
    said = []
    for q in sorted(questions, key=lambda q: q.question_id):
        right = draw.random() < chance[Source(q.pose_source, q.pose_uses_target)]
        given = (q.question_id, q.scan_id, q.room_id, q.family, q.slice, q.question, q.answer)
        said.append(Prediction(*given, "yes" if right else "no"))
    return said


def asked_from(*sources: Source, family: str = "direction") -> list[Question]:
    return [
        a_question(room, text, source, family)
        for source in sources
        for room in range(ROOMS)
        for text in range(TEXTS)
    ]


def compared(questions: list[Question], predictions: dict[str, list[Prediction]]) -> SourceComparison:
    found = compare_sources("arm", predictions, questions, 0, 500)
    assert found is not None
    return found


def gap(found: SourceComparison, first: Source, second: Source, family: str = "", same: bool = True) -> Gap:
    (one,) = [g for g in found.gaps if (g.first, g.second, g.family, g.same) == (first, second, family, same)]
    return one


def test_a_leak_shows_between_the_sources_and_nowhere_else() -> None:
    """The pose that knows the target answers 90 %, the two that do not answer 50 %."""
    questions = asked_from(TOP, CLIP, RANDOM)
    found = compared(questions, {"arm": answers(questions, {TOP: 0.9, CLIP: 0.5, RANDOM: 0.5})})
    assert list(found.scores) == [RANDOM, CLIP, TOP], "what knows the target stands last, whatever its name"
    for free in (RANDOM, CLIP):
        leak = gap(found, free, TOP)
        assert leak.gain.points > 25 and leak.gain.low > 15
        assert (leak.n_first, leak.gain.rooms) == (ROOMS * TEXTS, ROOMS)
        assert leak.test is not None and leak.test.p_holm < 0.001
    none = gap(found, RANDOM, CLIP)
    assert none.gain.low < 0 < none.gain.high
    assert none.test is not None and none.test.p_holm > 0.05


def test_without_a_leak_knowing_the_target_makes_no_difference() -> None:
    inside = 0
    for seed in range(20):
        questions = asked_from(TOP, CLIP)
        found = compared(questions, {"arm": answers(questions, {TOP: 0.6, CLIP: 0.6}, seed)})
        only = gap(found, CLIP, TOP)
        inside += only.gain.low <= 0 <= only.gain.high
        assert only.test is not None and only.test.p_holm > 0.001
    assert inside >= 17, "a 95 % interval"


def test_the_same_source_with_and_without_the_target_is_two_sources() -> None:
    known, unknown = Source("top", True), Source("top")
    questions = asked_from(known, unknown)
    found = compared(questions, {"arm": answers(questions, {known: 1.0, unknown: 0.0})})
    assert gap(found, unknown, known).gain.points == 100
    assert [source.label for source in found.scores] == ["top", "top, knows the target"]


def test_pairs_are_the_same_questions_counted_by_hand() -> None:
    questions = asked_from(TOP, CLIP)[: ROOMS * TEXTS + 10]  # ten questions of CLIP, of all TOP's
    said = answers(questions, {TOP: 0.7, CLIP: 0.4})
    by_text: dict[tuple[str, str], dict[str, float]] = {}
    for p in said:
        kind = "top" if "top" in p.question_id else "clip"
        by_text.setdefault((p.scan_id, p.question), {})[kind] = float(p.prediction == "yes")
    both = [row for row in by_text.values() if len(row) == 2]
    one = gap(compared(questions, {"arm": said}), CLIP, TOP)
    assert one.n_first == one.n_second == len(both) == 10
    assert one.gain.points == pytest.approx(100 * np.mean([row["top"] - row["clip"] for row in both]))
    only = sum(r["top"] > r["clip"] for r in both), sum(r["top"] < r["clip"] for r in both)
    assert one.test is not None and (one.test.ours_only, one.test.theirs_only) == only
    assert one.test.p == pytest.approx(binomtest(only[0], sum(only)).pvalue if sum(only) else 1)
    every = gap(compared(questions, {"arm": said}), CLIP, TOP, "direction", same=False)
    means = [
        np.mean([p.prediction == "yes" for p in said if kind in p.question_id]) for kind in ("top", "clip")
    ]
    assert every.gain.points == pytest.approx(100 * (means[0] - means[1]))
    assert (every.n_first, every.n_second, every.test) == (10, ROOMS * TEXTS, None)


def test_a_text_asked_from_several_poses_counts_once() -> None:
    """Of one source it is asked four times, right three times: 75 % against 100 %, one pair, no coin."""
    often = [a_question(0, 0, CLIP, ego=i) for i in range(4)]
    questions = [*often, a_question(0, 0, TOP), a_question(1, 0, TOP), a_question(1, 0, CLIP)]
    said = answers(questions, {TOP: 1.0, CLIP: 1.0})
    said = [replace(p, prediction="no") if p.question_id == often[2].question_id else p for p in said]
    one = gap(compared(questions, {"arm": said}), CLIP, TOP)
    assert one.n_first == 2 and one.gain.points == pytest.approx(12.5) and one.test is None


def test_other_families_and_other_questions_are_not_mixed() -> None:
    """TOP asks easy questions of another family: over the same questions nothing differs."""
    easy = asked_from(TOP, family="exist")
    questions = [*asked_from(CLIP, TOP), *easy]
    chance = {TOP: 0.5, CLIP: 0.5}
    said = answers([q for q in questions if q.family == "direction"], chance)
    said += answers(easy, {TOP: 1.0})
    said.sort(key=lambda p: p.question_id)
    found = compared(questions, {"arm": said})
    assert found.scores[TOP].percent > 65, "the easy questions lift the plain score"
    assert {g.family for g in found.gaps} == {"", "direction"}
    pooled = gap(found, CLIP, TOP)
    assert pooled.n_first == ROOMS * TEXTS and pooled.gain == replace(
        gap(found, CLIP, TOP, "direction").gain, low=pooled.gain.low, high=pooled.gain.high
    )


def test_poses_given_at_test_time_are_paired_by_question() -> None:
    questions = [*asked_from(TOP), *asked_from(CLIP)]
    own = answers(questions, {TOP: 1.0, CLIP: 0.5})
    turned = answers(questions, {TOP: 0.0, CLIP: 0.0})
    found = compared(
        questions, {"arm": own, "arm@random_pose": turned, "arm@no_pose": turned, "arm@blind": own}
    )
    labels = [source.label for source in found.scores]
    assert labels == ["none, at test", "random, at test", "clip", "top, knows the target"]
    given = Source("random", at_test=True)
    assert found.scores[given].n == 2 * ROOMS * TEXTS
    knows = gap(found, given, TOP)
    assert (knows.n_first, knows.gain.points) == (ROOMS * TEXTS, 100)
    assert [g.same for g in found.gaps if given in (g.first, g.second)] == [True] * 6, "all of one family"


def test_a_text_asked_from_two_poses_is_two_questions_at_test_time() -> None:
    """Right from the one pose and wrong from the other: no mean over poses may hide the coin's two sides."""
    questions = [a_question(room, 0, CLIP, ego=ego) for room in range(4) for ego in (0, 1)]
    own = [replace(p, prediction="yes") for p in answers(questions, {CLIP: 0.0})]
    own = [replace(p, prediction="no") if "-clip-1-" in p.question_id else p for p in own]
    given = [replace(p, prediction="no" if p.prediction == "yes" else "yes") for p in own]
    one = gap(
        compared(questions, {"arm": own, "arm@random_pose": given}), Source("random", at_test=True), CLIP
    )
    assert (one.n_first, one.gain.points) == (8, 0)
    assert one.test is not None and (one.test.ours_only, one.test.theirs_only) == (4, 4)


def test_one_source_alone_is_not_compared_and_the_record_is_plain() -> None:
    questions = asked_from(TOP)
    assert compare_sources("arm", {"arm": answers(questions, {TOP: 1})}, questions, 0, 100) is None
    questions = asked_from(TOP, RANDOM)
    said = {"arm": answers(questions, {TOP: 0.9, RANDOM: 0.5})}
    record = compared(questions, said).record()
    assert json.loads(canonical_json(record)) == record == compared(questions, said).record()
    assert record["scores"][1]["uses_target"] and record["gaps"][0]["same_questions"]
