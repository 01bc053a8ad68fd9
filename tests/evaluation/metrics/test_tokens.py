"""Our tokenizer beside Stanford's: on hard strings that were kept, on real questions where Java is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_token_golden import FILE, jar, stanford

from vantage.evaluation.metrics.tokens import _PLAIN, DROPPED, _tokens, ptb_tokens

GOLDEN = json.loads(FILE.read_text())


def kept(line: str) -> str:
    return " ".join(token for token in line.rstrip().split(" ") if token not in DROPPED)


def agreement(lines: list[str], tokens: list[str]) -> float:
    same = [ptb_tokens(line) == kept(row) for line, row in zip(lines, tokens, strict=True)]
    return sum(same) / len(same)


@pytest.mark.parametrize(("name", "least"), [("first", 0.97), ("fresh", 0.97)])
def test_agrees_on_hard_strings(name: str, least: float) -> None:
    lines, tokens = zip(*GOLDEN[name], strict=True)
    assert agreement(list(lines), list(tokens)) >= least


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's NOT there, can't be.", "it 's not there ca n't be"),
        ("a (brown) chair", "a -lrb- brown -rrb- chair"),
        ("$5, \u00a35 and \u00bd", "$ 5 # 5 and 1/2"),
        ("what?! A.", "what ?! a."),
        ("chair \U0001f642", "chair"),
        ("\u6905\u5b50", "\u6905\u5b50"),
        ("two. three...", "two three"),
        ("10 o'clock; left-most", "10 o'clock left-most"),
        ("", ""),
    ],
)
def test_the_rules(text: str, tokens: str) -> None:
    assert ptb_tokens(text) == tokens


@given(st.text(max_size=40))
def test_tokens_have_no_space_and_none_of_the_dropped(text: str) -> None:
    tokens = ptb_tokens(text).split(" ")
    assert tokens == [""] or all(token and token not in DROPPED for token in tokens)


@given(st.text(alphabet=st.characters(max_codepoint=126), max_size=40))
def test_case_does_not_matter(text: str) -> None:
    assert ptb_tokens(text.lower()) == ptb_tokens(text.upper()) == ptb_tokens(text)


@pytest.mark.parametrize("name", ["first", "fresh"])
def test_a_text_is_the_sum_of_its_words(name: str) -> None:
    for line, _ in GOLDEN[name]:
        whole = _tokens(line.translate(_PLAIN))
        assert ptb_tokens(line) == " ".join(whole.split()), line
    assert ptb_tokens("see no. 5") == "see no. 5", "but this period depends on the next word"
    assert ptb_tokens("he says no. five") == "he says no five"


def test_agrees_on_real_questions_and_answers(shared_data: Path) -> None:
    if jar() is None:
        pytest.skip('the reference is a jar of pycocoevalcap: pip install "vantage[meteor]"')
    if shutil.which("java") is None:
        pytest.skip("the reference tokenizer needs Java on the path")
    texts, answers = set(), set()
    for split in ("val", "test"):
        folder = shared_data / "sqa3d"
        asked = json.loads((folder / f"v1_balanced_questions_{split}_scannetv2.json").read_text())
        noted = json.loads((folder / f"v1_balanced_sqa_annotations_{split}_scannetv2.json").read_text())
        texts |= {f"{q['situation']} {q['question']}" for q in asked["questions"]}
        answers |= {a["answers"][0]["answer"] for a in noted["annotations"]}
    assert agreement(sorted(answers), stanford(sorted(answers))) == 1.0
    assert agreement(sorted(texts), stanford(sorted(texts))) >= 0.999
