"""A vision-language model of any supported family as something that can be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_file, digest_files, digest_tree
from vantage.evaluation.benchmarks.interface import Benchmark
from vantage.evaluation.running.ask import MARK, Answer, Ask, SetAside, answer_of, require_answers_with
from vantage.evaluation.running.boxes.answering import answers_with_boxes
from vantage.evaluation.running.boxes.reading import read_json, saying, told_camera
from vantage.records.box_json import box_request

_SMALL = ("*.json", "*.jinja", "*.txt", "*.model")

if TYPE_CHECKING:
    from vantage.geometry.warp import ImageWarp
    from vantage.models.loading import LoadedBase
    from vantage.models.loading.load import Precision
    from vantage.models.prompts import Preparer
    from vantage.models.vlm.generate import Decoding
    from vantage.models.vlm.request import Request
    from vantage.models.vlm.trained import TrainedVlm


class VlmAnswerer:
    """Answers by greedy decoding, in batches.

    Args:
        base: the model.
        preparer: with its tokenizer and image processor.
        decoding: how answers are made.
        precision: that its weights were loaded in.
        trained: what was trained on it, and the digest of that.
    """

    def __init__(
        self, base: LoadedBase, preparer: Preparer, decoding: Decoding, precision: str,
        trained: tuple[TrainedVlm, str] | None = None,
    ) -> None:  # fmt: skip
        from vantage.models.vlm.generate import Generator

        self._base, self._preparer, self._decoding, self._precision = base, preparer, decoding, precision
        self._digest = "" if trained is None else trained[1]
        self._injector = None if trained is None else trained[0].model.injector
        self._generator = Generator(preparer, decoding, self._injector)
        self._own = None
        if trained is not None and not trained[0].plain:
            from vantage.evaluation.running.ask_trained import AskedAsTrained

            self._own = AskedAsTrained(trained[0], decoding, self._warp)

    @classmethod
    def load(
        cls, base: str | os.PathLike[str], revision: str | None, precision: Precision, device: str,
        decoding: Decoding, adapter: Path | None = None,
    ) -> VlmAnswerer:  # fmt: skip
        """From a folder or a name on the hub, and the folder of what was trained on it.

        Raises as `load_vlm`, `Preparer.load` and `vantage.models.vlm.checkpoint.load_adapter` do.
        """
        from vantage.models.loading import load_vlm
        from vantage.models.prompts import Preparer

        loaded = load_vlm(base, revision, precision)
        if adapter is None:
            loaded.model.to(device)
            return cls(loaded, Preparer.load(loaded.model, loaded.folder), decoding, precision)
        from vantage.models.vlm.trained import TrainedVlm

        trained = TrainedVlm.on(loaded, adapter)
        trained.model.to(device)
        return cls(loaded, trained.prepare, decoding, precision, (trained, digest_tree(adapter)))

    def identity(self) -> Mapping[str, Any]:
        """Its weights by their fingerprint, and the files that say how it reads and writes."""
        who, folder = self._base.identity, self._base.folder
        small = [path for ending in _SMALL for path in folder.rglob(ending)]
        read = {path.relative_to(folder).as_posix(): digest_file(path) for path in small}
        found = {"type": who.model_type, "weights": who.fingerprint, "files": digest_files(read)}
        return {**found, "adapter": self._digest}

    def settings(self) -> Mapping[str, Any]:
        """What may change an answer; not the sizes of batches."""
        d = self._decoding
        return {"max_new_tokens": d.max_new_tokens, "stop": list(d.stop), "precision": self._precision}

    def uses_coordinates(self) -> bool:
        """Where it was trained with them, or with cameras or boxes, which poses place."""
        return self._injector is not None or (self._own is not None and self._own.uses_cameras())

    def prompt(self, benchmark: Benchmark[Any, Any], content: Any) -> str:
        """The benchmark's own; of a model that was trained on other words, what it is told of it.

        A stock model is asked for boxes in JSON. Raises `ParameterError` for a benchmark that wants what the
        model does not give.
        """
        if self._own is not None:
            return self._own.prompt(benchmark, content)
        if benchmark.boxes is not None and not self._digest:
            return box_request(benchmark.prompt(content), benchmark.boxes.several)
        require_answers_with("text", benchmark)
        return benchmark.prompt(content)

    def answers(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        """In batches of like length."""
        if self._own is not None:
            yield from self._own.answers(asks)
        elif asks and asks[0].wanted == "boxes":
            yield from answers_with_boxes(asks, saying(self._worded, read_json, told_camera))
        else:
            yield from self._worded(asks)

    def _worded(self, asks: Sequence[Ask]) -> Iterator[list[Answer | SetAside]]:
        requests, aside = [], []
        for ask in asks:
            try:
                requests.append(self._request(ask))
            except VantageError as error:
                aside.append(SetAside(ask.id, error.one_line()))
        if aside:
            yield list(aside)
        for batch in self._generator.answers(requests):
            yield [answer_of(one) for one in batch]

    def _request(self, ask: Ask) -> Request:
        """With a point for every patch where the model was trained with coordinates and the views are posed.

        Other views are shown as pictures about which nothing is known.
        """
        request = request_of(ask, self._preparer.family.placeholder)
        if self._injector is None:
            return request
        frame = self._injector.config.frame
        if ask.scan is None:
            return replace(request, frame=frame)
        from vantage.evaluation.running.located import located

        return replace(request, frame=frame, views=located(ask.scan, frame, self._warp))

    def _warp(self, width: int, height: int, together: int) -> ImageWarp:
        from vantage.lift.processors.table import processor_warp

        return processor_warp(self._base.folder, width, height, together)


def request_of(ask: Ask, placeholder: str) -> Request:
    """The request: views where the prompt marks them, or all before it.

    Raises `ParameterError` for another number of marks than of views.
    """
    from vantage.models.vlm.request import Request

    marks = ask.prompt.count(MARK)
    if marks and marks != len(ask.views):
        raise ParameterError(
            "the prompt and its pictures differ", where=f"item {ask.id}",
            expected=f"{len(ask.views)} x {MARK}, or none", found=marks,
        )  # fmt: skip
    text = ask.prompt.replace(MARK, placeholder) if marks else placeholder * len(ask.views) + ask.prompt
    return Request(ask.id, text, ask.views, ask.sizes)
