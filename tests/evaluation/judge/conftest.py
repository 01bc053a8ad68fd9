"""A chat server for each test, and a judge that talks to it without long waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat_server import Chat, chatting
from vantage.core.patience import Patience
from vantage.evaluation.judge.asking import Asker
from vantage.evaluation.judge.client import ChatClient
from vantage.evaluation.judge.replies import ReplyFile


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting() as chat:
        yield chat


@pytest.fixture
def waits() -> list[float]:
    """What the judge was to wait between tries."""
    return []


@pytest.fixture
def asker(chat: Chat, tmp_path: Path, waits: list[float]) -> Callable[..., Asker]:
    def make(workers: int = 1, retries: int = 3, timeout_s: float = 5.0, model: str = "m") -> Asker:
        client = ChatClient(chat.url, model, "sekret", timeout_s=timeout_s)
        replies = ReplyFile(tmp_path / "replies.jsonl")
        return Asker(client, replies, workers, Patience(retries, sleep=waits.append))

    return make
