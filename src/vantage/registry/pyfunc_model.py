"""The registered model's entry: MLflow runs this file, from the model's folder, when it loads the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class VantageModel(PythonModel):  # type: ignore[misc]
    """Takes a request, a list of requests or a table with one request a row; gives a record per question."""

    def load_context(self, context: Any) -> None:
        """Load base and adapter from the model's folder."""
        base, adapter = (Path(context.artifacts[name]) for name in ("base", "adapter"))
        # The module of the other kind of model is not in this model's folder.
        if (base / "served.json").is_file():
            from vantage.registry.vlm_serving import VlmAnswerer

            self._answerer: Any = VlmAnswerer.load(base, adapter)
        else:
            from vantage.registry.serving import Answerer

            self._answerer = Answerer.load(base, adapter)

    # MLflow takes a hint here for a schema and warns about most; this one it leaves alone.
    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """See `vantage.registry.serving.Answerer.answer` for the keys of a request and of a record; of a
        vision-language model's record, `vantage.registry.vlm_serving.VlmAnswerer.answer`."""
        if isinstance(model_input, dict):
            requests = [model_input]
        elif hasattr(model_input, "to_dict"):  # a pandas table; None and NaN stand for keys not given
            rows: list[dict[str, Any]] = model_input.to_dict(orient="records")
            requests = [{k: v for k, v in row.items() if not _absent(v)} for row in rows]
        else:
            requests = list(model_input)
        return [record for request in requests for record in self._answerer.answer(request)]


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


set_model(VantageModel())
