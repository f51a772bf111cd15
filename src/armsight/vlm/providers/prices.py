"""What requests cost. Prices come from the user's file: they change too often to be in a package.

The file has the form of inspect_ai's `--model-cost-config`, in USD per million tokens:
`{"openai/gpt-5": {"input": ..., "output": ..., "input_cache_read": ..., "input_cache_write": ...}}`
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from armsight.errors import ConfigError
from armsight.vlm.providers.engine import Reply

FIELDS = ("input", "output", "input_cache_read", "input_cache_write")
PER = 1e6


@dataclass(frozen=True)
class Prices:
    """USD per million tokens, by model."""

    by_model: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path | None) -> Prices:
        """Read a file of prices; None has none.

        Raises:
            ConfigError: it is not such a file.
        """
        if path is None:
            return cls()
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            table = {
                model: {name: float(values.get(name, values["input"])) for name in FIELDS}
                for model, values in document.items()
            }
            if any("output" not in values for values in document.values()):
                raise ValueError("a model has no 'output' price")
            if any(not 0 <= v < float("inf") for row in table.values() for v in row.values()):
                raise ValueError("a price is negative or infinite")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"cannot read prices {path} ({error!r}); give JSON "
                '{"PROVIDER/NAME": {"input": USD per million tokens, "output": ...}}'
            ) from error
        return cls(table)

    def known(self, model: str) -> bool:
        return model in self.by_model

    def of(self, model: str, replies: Iterable[Reply]) -> float | None:
        """USD of some replies; None where the model has no price."""
        if model not in self.by_model:
            return None
        price = self.by_model[model]
        return sum(
            (
                (reply.input_tokens - reply.cached_tokens - reply.cache_write_tokens)
                * price["input"]
                + reply.cached_tokens * price["input_cache_read"]
                + reply.cache_write_tokens * price["input_cache_write"]
                + reply.output_tokens * price["output"]
            )
            / PER
            for reply in replies
        )

    def most(self, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """USD that a request of at most so many tokens can cost."""
        if model not in self.by_model:
            return None
        price = self.by_model[model]
        dearest = max(price["input"], price["input_cache_write"], price["input_cache_read"])
        return (input_tokens * dearest + output_tokens * price["output"]) / PER
