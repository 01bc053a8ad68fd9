"""A language model behind a server that is slow, wrong, busy, garbled or gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chat_server import Chat, Handler, drips, drops, says, status, stops_half_way, verdict
from vantage.core.errors import ParameterError, ResourceError
from vantage.evaluation.judge.asking import Asker
from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.client import ChatClient, key_for
from vantage.evaluation.judge.rubrics import SCANQA, SQA3D

Make = Callable[..., Asker]
CASE = Case("q", "s", "What is {it}?", "I stand {here}.", ("chair", 'a "seat" {x}'), "chair")


def many(n: int) -> list[Case]:
    return [replace(CASE, id=f"q{i}", question=f"What is {i}?") for i in range(n)]


def test_a_verdict_and_what_was_sent(chat: Chat, asker: Make) -> None:
    ((decision,),) = asker().decide(SCANQA, [CASE])
    assert decision.value is True and decision.reason == "so it is"
    (sent,) = chat.asked
    assert (sent["path"], sent["model"], sent["temperature"], sent["seed"]) == (
        "/v1/chat/completions", "m", 0, 0
    )  # fmt: skip
    assert chat.headers[0]["authorization"] == "Bearer sekret"
    assert json.loads(sent["messages"][-1]["content"]) == {
        "question": CASE.question, "references": list(CASE.references), "answer": "chair"
    }  # fmt: skip


@pytest.mark.parametrize(
    "trouble",
    [
        status(429), status(500), status(503), status(408), drops, stops_half_way,
        status(200, b"<html>"), status(200, b"{}"), status(200, b'{"choices": []}'), status(200, b"\xff"),
        status(200, b'{"choices": [{"message": {"content": 3}}]}'),
    ],
)  # fmt: skip
def test_trouble_that_may_pass_is_tried_again(
    chat: Chat, asker: Make, waits: list[float], trouble: Callable[[Handler], None]
) -> None:
    chat.scripts.extend([trouble, trouble])
    ((decision,),) = asker().decide(SCANQA, [CASE])
    assert decision.value is True
    assert len(chat.asked) == 3
    assert len(waits) == 2 and 0.5 <= waits[0] <= 1 and 1 <= waits[1] <= 2


def test_the_server_says_how_long_to_wait(chat: Chat, asker: Make, waits: list[float]) -> None:
    chat.scripts.append(status(429, Retry_After="7"))
    asker().decide(SCANQA, [CASE])
    assert waits == [7.0]


def test_a_server_that_asks_for_an_hour_is_not_waited_for(
    chat: Chat, asker: Make, waits: list[float]
) -> None:
    chat.scripts.append(status(429, Retry_After="3600"))
    ((decision,),) = asker().decide(SCANQA, [CASE])
    assert decision.value is None and "429" in decision.failure and not waits


@pytest.mark.parametrize("slow", [drips, lambda handler: time.sleep(1.5)])
def test_a_slow_reply_is_a_failure_of_its_own(
    chat: Chat, asker: Make, slow: Callable[[Handler], None]
) -> None:
    chat.scripts.append(slow)
    begun = time.monotonic()
    ((decision,),) = asker(retries=0, timeout_s=0.3).decide(SCANQA, [CASE])
    assert decision.value is None and "0.3 s" in decision.failure
    assert time.monotonic() - begun < 1.4


def test_failures_are_never_verdicts_and_asked_again_next_time(chat: Chat, asker: Make) -> None:
    chat.always = status(500)
    ((decision,),) = asker(retries=1).decide(SCANQA, [CASE])
    assert decision.value is None and "500" in decision.failure and "2 times" in decision.failure
    chat.always = None
    ((decision,),) = asker().decide(SCANQA, [CASE])
    assert decision.value is True


@pytest.mark.parametrize("text", ["correct", "{", "{}", '{"verdict": "correct"} {"x": 1}', "", None])
def test_garbage_is_a_failure_and_not_asked_twice(chat: Chat, asker: Make, text: str | None) -> None:
    chat.always = says(text)
    for _ in range(2):
        ((decision,),) = asker().decide(SCANQA, [CASE])
        assert decision.value is None and decision.failure
    assert len(chat.asked) == 1


def test_a_reply_that_was_cut_off_is_a_failure(chat: Chat, asker: Make) -> None:
    chat.always = says(verdict("correct"), "length")
    ((decision,),) = asker().decide(SCANQA, [CASE])
    assert decision.value is None and "cut off" in decision.failure


def test_a_question_that_the_server_refuses_fails_alone(chat: Chat, asker: Make) -> None:
    chat.scripts.append(status(400, b"too long"))
    first, second = asker().decide(SCANQA, many(2))
    assert first[0].value is None and "too long" in first[0].failure
    assert second[0].value is True
    assert len(chat.asked) == 2


@pytest.mark.parametrize("code", [401, 403, 404, 302])
def test_a_wrong_key_model_or_address_stops_the_run_without_the_key(
    chat: Chat, asker: Make, code: int
) -> None:
    chat.always = status(code, b"bad key sekret", Location="http://127.0.0.1:1/v1")
    with pytest.raises(ParameterError, match=str(code)) as raised:
        asker().decide(SCANQA, many(5))
    assert "sekret" not in str(raised.value) and "***" in str(raised.value)
    assert len(chat.asked) == 1
    assert "sekret" not in repr(asker())


def test_a_server_that_is_gone_stops_the_run(chat: Chat, asker: Make) -> None:
    chat.always = drops
    with pytest.raises(ResourceError, match="in a row"):
        asker(retries=0, workers=4).decide(SCANQA, many(100))
    assert len(chat.asked) < 20


def test_a_rerun_asks_nothing(chat: Chat, asker: Make) -> None:
    cases = many(6)
    first = asker(workers=3).decide(SCANQA, cases, repeats=2)
    assert len(chat.asked) == 12
    assert asker().decide(SCANQA, cases, repeats=2) == first
    assert len(chat.asked) == 12
    assert sorted(asked["seed"] for asked in chat.asked) == [0] * 6 + [1] * 6


def test_what_a_reply_depends_on_is_asked_anew(chat: Chat, asker: Make) -> None:
    asker().decide(SCANQA, [CASE])
    changes = [
        lambda: asker(model="other").decide(SCANQA, [CASE]),
        lambda: replace(asker(), seed=5).decide(SCANQA, [CASE]),
        lambda: asker().decide(replace(SCANQA, name="scanqa-2"), [CASE]),
        lambda: asker().decide(SQA3D, [CASE]),
        lambda: asker().decide(SCANQA, [replace(CASE, said="seat")]),
    ]
    for n, change in enumerate(changes, start=2):
        change()
        assert len(chat.asked) == n
    asker().decide(SCANQA, [replace(CASE, id="another id")])
    assert len(chat.asked) == 6, "the id is not shown to the judge"


def test_the_same_question_is_asked_once(chat: Chat, asker: Make) -> None:
    decisions = asker(workers=4).decide(SCANQA, [CASE] * 8)
    assert len(chat.asked) == 1 and all(row[0].value for row in decisions)


def test_a_killed_run_goes_on(chat: Chat, asker: Make, tmp_path: Path) -> None:
    chat.scripts.extend([says(verdict("correct"))] * 3 + [status(401)])
    with pytest.raises(ParameterError):
        asker().decide(SCANQA, many(5))
    path = tmp_path / "replies.jsonl"
    assert len(path.read_bytes().splitlines()) == 3
    path.write_bytes(path.read_bytes()[:-20])  # the last line as a kill may leave it
    decisions = asker().decide(SCANQA, many(5))
    assert len(decisions) == 5 and len(chat.asked) == 4 + 3
    assert asker().plan(SCANQA, many(5)).missing == []


def test_a_plan_counts_without_asking(chat: Chat, asker: Make) -> None:
    asker().decide(SCANQA, many(2))
    plan = asker().plan(SCANQA, many(5), repeats=3)
    assert (plan.wanted, len(plan.missing)) == (15, 13)
    letters = sum(len(m["content"]) for m in SCANQA.messages(many(1)[0]))
    sent, received = plan.tokens
    assert sent == pytest.approx(13 * letters / 4, rel=0.01) and received == 13 * 60
    assert len(chat.asked) == 2


def test_workers_ask_at_the_same_time_and_change_nothing(chat: Chat, asker: Make, tmp_path: Path) -> None:
    cases = [replace(case, said="chair" if i % 3 else "bed") for i, case in enumerate(many(24))]

    at_once: list[int] = [0]

    def slow(handler: Handler) -> None:
        with chat.lock:
            at_once.append(at_once[-1] + 1)
        time.sleep(0.05)
        with chat.lock:  # before the reply, after which the worker may ask again
            at_once.append(at_once[-1] - 1)
        handler.say(verdict("correct"))

    chat.always = slow
    parallel = asker(workers=8).decide(SCANQA, cases)
    assert 4 <= max(at_once) <= 8
    chat.always = None
    (tmp_path / "replies.jsonl").unlink()
    by_rule = asker(workers=8).decide(SCANQA, cases)
    assert [row[0].value for row in by_rule] == [bool(i % 3) for i in range(24)], "in the order of the cases"
    assert len(parallel) == 24


def test_reasoning_is_kept(chat: Chat, asker: Make, tmp_path: Path) -> None:
    chat.always = says(verdict("correct"), reasoning_content="let me see")
    asker().decide(SCANQA, [CASE])
    (line,) = (tmp_path / "replies.jsonl").read_text().splitlines()
    assert json.loads(line)["thoughts"] == "let me see"


def test_openai_s_key_goes_to_openai_alone() -> None:
    environment = {"OPENAI_API_KEY": "own"}
    assert key_for("https://api.openai.com/v1", environment) == "own"
    assert key_for("http://localhost:8000/v1", environment) == ""
    assert key_for("https://api.openai.com.example.org/v1", environment) == ""
    assert key_for("http://localhost:8000/v1", environment | {"VANTAGE_JUDGE_KEY": " k\n"}) == "k"


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://a:b@host/v1", "rules", ""])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ParameterError, match="--judge"):
        ChatClient(url, "m")
