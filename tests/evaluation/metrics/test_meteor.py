"""METEOR through its jar: known oddities, the published wrapper's numbers, and what is told without it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import make_caption_golden
import pytest
from score_files import rows, scored, values

from vantage.core.errors import ResourceError
from vantage.evaluation.metrics import meteor as module
from vantage.evaluation.metrics.meteor import SWITCH, lacks, meteor
from vantage.evaluation.metrics.tokens import ptb_tokens

SAID = ["a brown chair", "chairs", "two chairs", "", "the table is left of the sofa"]
GIVEN = [
    ["a brown chair"],
    ["chair"],
    ["two chair"],
    ["a b"],
    ["the desk stands left of the couch", "table left"],
]
KNOWN = [1.0, 0.0, 0.7, 0.0, 0.8044692737430167]


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH)


@pytest.mark.slow
def test_the_variant_gives_the_published_wrappers_numbers(tmp_path: Path) -> None:
    """One start of the jar each: it takes seconds."""
    if lack := lacks():
        pytest.skip(f"METEOR is not tested, it needs {lack}")
    from pycocoevalcap.meteor.meteor import Meteor

    more_said, more_given = make_caption_golden.cases(31, 60)
    said, given = [*SAID, *more_said], [*GIVEN, *more_given]
    wrapper = Meteor()
    texts = {k: [ptb_tokens(text)] for k, text in enumerate(said)}
    references = {k: [ptb_tokens(text) for text in listed] for k, listed in enumerate(given)}
    corpus, each = wrapper.compute_score(references, texts)
    wrapper.meteor_p.kill()
    wrapper.meteor_p.wait()
    assert each[:5] == pytest.approx(KNOWN, abs=1e-9), "a stem alone is nothing"

    asked = [{"question_id": str(k), "question": "?", "answers": listed} for k, listed in enumerate(given)]
    replies = [{"question_id": str(k), "text": text} for k, text in enumerate(said)]
    result = scored(tmp_path, "scanqa", replies, asked, variant="meteor")
    found = values(result)["meteor"]
    assert found["meteor"] == pytest.approx(corpus, abs=1e-12) and 0 < corpus < 1
    assert rows(result, "meteor.meteor_mean") == pytest.approx(each, abs=1e-12)
    assert found["meteor_mean"] != pytest.approx(corpus, abs=0.01), "the corpus value is not the mean"


def test_what_is_missing_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "meteor" / "meteor-1.5.jar"
    monkeypatch.setattr(module, "_jar", lambda: jar)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lacks() == "Java on the path"
    with pytest.raises(ResourceError, match="Java on the path"):
        meteor(SAID, GIVEN)
    (tmp_path / "java").write_text("#!/bin/sh\n")
    (tmp_path / "java").chmod(0o755)
    assert shutil.which("java") == os.fspath(tmp_path / "java") and lacks() is None
    monkeypatch.setattr(module, "_jar", lambda: None)
    assert lacks() == 'its jar: pip install "vantage[meteor]"'
    monkeypatch.setenv("PATH", "")
    assert "Java on the path and its jar" in (lacks() or "")
    monkeypatch.setenv(SWITCH, "off")
    assert SWITCH in (lacks() or "")
