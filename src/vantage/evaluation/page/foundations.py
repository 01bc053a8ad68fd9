"""What each score rests on, as sections."""

from __future__ import annotations

from collections.abc import Mapping

from vantage.evaluation.page.sections import Section, Table
from vantage.evaluation.report import Evaluation
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.significance import ALPHA, POWER

CONTROLS: Mapping[str, str] = {
    "blind": "grey pictures and no coordinates: only the words of the question are left",
    "other_sample": "coordinates of another room",
    "random_yaw": "an ego that looks somewhere at random",
    "random_pose": "an ego that stands and looks as another kept frame of the scan does",
    "no_pose": "no ego: coordinates in the room's own frame",
    "majority": "no model: the family's commonest answer of the training split",
}
_SHORT = 16  # digits of a digest that are shown


def foundation_sections(evaluation: Evaluation) -> list[Section]:
    """Questions, scorers, intervals and tests; controls; weights and answers by digest."""
    return [
        Section("What each score rests on", [_facts(evaluation)]),
        Section("Scorers", [Table(["scorer", "version", "rule"], _scorers(), words=True)], 3),
        *_controls(evaluation),
        Section("Items", [_items(evaluation)], 3),
    ]


def _facts(evaluation: Evaluation) -> Table:
    basis, head = evaluation.basis, evaluation.groups[0]
    sources = ", ".join(f"`{name}` {n}" for name, n in basis.pose_sources.items())
    rows = [
        ["questions", f"{basis.questions} held out, in {basis.scans} scans of {basis.rooms} rooms"],
        ["their digest", f"`{basis.questions_digest}`"],
        ["headline", f"{head.name}: {head.n} questions in {head.rooms} rooms"],
        ["scorer of every headline and gate", f"`{HEADLINE}` version {SCORERS[HEADLINE].version}"],
        ["poses of the egos", sources],
        ["interval of a score", "Wilson, 95 %"],
        [
            "interval of a difference",
            f"paired bootstrap over rooms, percentiles, {basis.resamples} draws, seed {basis.seed}",
        ],
        ["test", f"McNemar, exact, two-sided; Holm; detectable at {ALPHA} with a power of {POWER}"],
        ["base", f"{basis.base}: weights {_base(evaluation)}"],
    ]
    return Table(["what", "which"], rows, words=True)


def _base(evaluation: Evaluation) -> str:
    digests = sorted({arm.base_sha256 for arm in evaluation.basis.arms.values()})
    return ", ".join(f"`{digest}`" for digest in digests) or "unknown"


def _scorers() -> list[list[str]]:
    return [[f"`{name}`", str(s.version), s.summary] for name, s in SCORERS.items()]


def _controls(evaluation: Evaluation) -> list[Section]:
    if not evaluation.controls:
        return [Section("Controls at test time", ["None was evaluated: no gain here can be trusted."], 3)]
    names = [item.partition("@")[2] for item in evaluation.controls]
    rows = [[f"`{name}`", CONTROLS.get(name, "see the stage's parameters")] for name in names]
    return [Section("Controls at test time", [Table(["control", "what is left"], rows, words=True)], 3)]


def _items(evaluation: Evaluation) -> Table:
    rows = []
    for item in evaluation.items:
        arm = evaluation.basis.arms.get(item.partition("@")[0])
        site, coordinates = (arm.site, arm.coordinates) if arm else ("-", "-")
        answers = evaluation.basis.answers.get(item, "")[:_SHORT]
        rows.append([f"`{item}`", site, coordinates, f"`{answers}`"])
    head = ["item", "3D position enters at", "trained with coordinates", "digest of its answers"]
    return Table(head, rows, words=True)
