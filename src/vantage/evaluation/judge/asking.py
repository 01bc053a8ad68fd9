"""Asking a language model about many cases: planned, concurrent, patient, and never twice."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from vantage.core.errors import ResourceError
from vantage.core.patience import LONGEST_ASKED_S, FaultError, Patience
from vantage.core.progress import Progress, Silent
from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.client import ChatClient, RefusalError, Reply
from vantage.evaluation.judge.replies import ReplyFile, reply_key
from vantage.evaluation.judge.rubrics import Messages, Rubric
from vantage.evaluation.judge.verdict import Decision, parse

_LETTERS_A_TOKEN = 4
_TOKENS_A_REPLY = 60
_MANY_FAILURES = 10


@dataclass(frozen=True)
class Question:
    """A conversation with its seed, and the name it is kept under."""

    key: str
    messages: Messages
    seed: int


@dataclass(frozen=True)
class Plan:
    """What a run would ask.

    Attributes:
        questions: for every case, one for each repeat.
        missing: those without a kept reply, each once.
    """

    questions: list[list[Question]]
    missing: list[Question]

    @property
    def wanted(self) -> int:
        """Different questions in all."""
        return len({question.key for row in self.questions for question in row})

    @property
    def tokens(self) -> tuple[int, int]:
        """About how many tokens would be sent and received (four letters each; 60 a reply, no thoughts)."""
        letters = sum(len(m["content"]) for question in self.missing for m in question.messages)
        return math.ceil(letters / _LETTERS_A_TOKEN), _TOKENS_A_REPLY * len(self.missing)


@dataclass(frozen=True)
class Asker:
    """A language model as a judge.

    Attributes:
        client: the model.
        replies: where its replies are kept.
        workers: questions at a time.
        patience: how often a question is asked again after a failure that may pass, and how to wait.
        seed: of the first repeat; the others follow it.
    """

    client: ChatClient
    replies: ReplyFile
    workers: int = 8
    patience: Patience = field(default_factory=lambda: Patience(retries=5))
    seed: int = 0

    def plan(self, rubric: Rubric, cases: Sequence[Case], repeats: int = 1) -> Plan:
        """What deciding these cases takes."""
        settings = self.client.settings()
        rows = []
        for case in cases:
            messages = rubric.messages(case)
            seeds = range(self.seed, self.seed + repeats)
            rows.append([Question(reply_key(settings, rubric.name, messages, s), messages, s) for s in seeds])
        missing = {q.key: q for row in rows for q in row if self.replies.get(q.key) is None}
        return Plan(rows, list(missing.values()))

    def decide(
        self, rubric: Rubric, cases: Sequence[Case], repeats: int = 1, progress: Progress | None = None
    ) -> list[list[Decision]]:
        """The decisions on each case, one for each repeat; failures among them.

        Raises:
            ParameterError: the server refuses the model, the key or the address.
            ResourceError: the first ten questions, or ten in a row, found no answer; or the disk is full.
        """
        plan = self.plan(rubric, cases, repeats)
        failures = _Rounds(self, progress or Silent()).ask(plan.missing)
        return [
            [self._decision(rubric, question.key, failures.get(question.key, "")) for question in row]
            for row in plan.questions
        ]

    def _decision(self, rubric: Rubric, key: str, failure: str) -> Decision:
        reply = self.replies.get(key)
        if reply is None:
            return Decision(None, failure=failure)
        if reply.cut:
            return Decision(None, failure=f"cut off after {self.client.max_tokens} tokens")
        return parse(reply.text, rubric.yes, rubric.no)

    def try_until(self, question: Question, stop: threading.Event) -> Reply | str:
        """The reply to a question, or why there is none after every try."""
        failures = 0
        while True:
            try:
                return self.client.complete(question.messages, question.seed)
            except RefusalError as error:
                return str(error)
            except FaultError as fault:
                failures += 1
                asked = fault.wait_s or 0.0
                if failures > self.patience.retries or asked > LONGEST_ASKED_S or stop.is_set():
                    return f"{fault.reason} ({failures} times)"
                self.patience.sleep(self.patience.delay_s(question.key, failures - 1, fault.wait_s))


class _Rounds:
    """One run of questions: at most `workers` under way, each reply kept as it comes."""

    def __init__(self, asker: Asker, progress: Progress) -> None:
        self._asker, self._progress = asker, progress
        self._stop = threading.Event()
        self._failures: dict[str, str] = {}
        self._in_a_row = 0

    def ask(self, questions: Sequence[Question]) -> dict[str, str]:
        """Ask them all; why there is no reply, by key, for those that failed."""
        todo = iter(questions)
        under_way: dict[Future[Reply | str], Question] = {}
        done = 0
        pool = ThreadPoolExecutor(self._asker.workers, thread_name_prefix="judge")
        try:
            while True:
                for question in todo:
                    under_way[pool.submit(self._asker.try_until, question, self._stop)] = question
                    if len(under_way) >= self._asker.workers:
                        break
                if not under_way:
                    return self._failures
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    done += 1
                    self._settle(under_way.pop(future), future.result())
                self._progress.step(done, len(questions), f"{len(self._failures)} failed")
        finally:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _settle(self, question: Question, found: Reply | str) -> None:
        if isinstance(found, Reply):
            self._in_a_row = 0
            self._asker.replies.keep(question.key, found)
            return
        self._failures[question.key] = found
        self._in_a_row += 1
        if self._in_a_row >= _MANY_FAILURES:
            raise ResourceError(
                f"{self._in_a_row} questions in a row found no answer",
                where=self._asker.client.base_url,
                found=found,
                hint="run the same command again later: replies that came are kept",
            )
