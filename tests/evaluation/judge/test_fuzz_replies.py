"""Whatever a judge says, and whatever became of the file of its replies: a decision, or a failure told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import Chat, Handler, verdict
from damaged import TEXTS, as_json, changed_bytes, changed_trees, examples, values
from vantage.evaluation.judge.asking import Asker
from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.client import Reply
from vantage.evaluation.judge.replies import ReplyFile
from vantage.evaluation.judge.rubrics import SCANQA
from vantage.evaluation.judge.verdict import Decision, parse

GOOD = verdict("correct", 'a {chair} is "a" seat')
PIECES = st.sampled_from(
    [GOOD, "<think>", "</think>", "```", "```json\n", "\n```", "{", "}", '"', "\n", *TEXTS]
)


def require_told(found: Decision) -> None:
    assert (found.value is None) == bool(found.failure)
    json.dumps([found.reason, found.failure], ensure_ascii=False).encode()


@examples(500)
@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join))
def test_any_text(text: str) -> None:
    found = parse(text, "correct", "incorrect")
    require_told(found)
    if found.value is not None:
        assert '"verdict"' in text


@examples(300)
@given(changed_trees(json.loads(GOOD)) | values)
def test_any_json(tree: Any) -> None:
    text = as_json(tree).decode()
    found = parse(text, "correct", "incorrect")
    require_told(found)
    if found.value is not None:
        assert set(tree) == {"reason", "verdict"} and tree["verdict"] in ("correct", "incorrect")


LINES = b"".join(
    as_json({"key": f"k{i}", "text": GOOD, "thoughts": "", "cut": bool(i)}) + b"\n" for i in range(3)
)


@examples(300)
@given(changed_bytes(LINES))
def test_the_file_of_replies(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "replies.jsonl"
    path.write_bytes(data)
    kept = ReplyFile(path)
    for key in ("k0", "k1", "k2"):
        reply = kept.get(key)
        assert reply is None or (isinstance(reply.text, str) and isinstance(reply.cut, bool))
    kept.keep("new", Reply("a", "b", True))
    assert ReplyFile(path).get("new") == Reply("a", "b", True), "whatever stood before it"
    assert path.read_bytes().startswith(data)


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b'{"key": "k", "text": null, "thoughts": "", "cut": false}', b"\xff", b"5", b"{}"],
)
def test_a_line_that_is_no_reply_counts_as_not_there(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(line + b"\n" + LINES)
    assert ReplyFile(path).get("k") is None and ReplyFile(path).get("k2") is not None


ANSWER = {"choices": [{"message": {"content": GOOD, "reasoning": "hm"}, "finish_reason": "stop"}]}


def test_any_answer_of_a_server(chat: Chat, asker: Callable[..., Asker]) -> None:
    """Through a real server: bodies of every kind are a reply, or a failure that is counted."""
    judge = asker(retries=0)

    @examples(100)
    @given(changed_trees(ANSWER).map(as_json) | changed_bytes(as_json(ANSWER)))
    def ask(body: bytes) -> None:
        def script(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        chat.always = script
        case = Case(f"q{len(chat.asked)}", "", f"What {len(chat.asked)}?", "", ("chair",), "seat")
        ((found,),) = judge.decide(SCANQA, [case])
        require_told(found)

    ask()
