"""`--max-cost`: money is set aside before a request is made, so that the limit is never passed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from armsight.errors import ConfigError
from armsight.vlm.providers.engine import Reply
from armsight.vlm.providers.prices import Prices

IMAGE_TOKENS = 40_000
"""Most that one picture is taken for, until the first answer tells: providers differ greatly"""
TEXT_BYTES_PER_TOKEN = 1.0
"""No tokenizer makes more tokens than there are bytes"""
HEADROOM = 1.25
"""Over the largest request seen so far, once there is one"""


class OverBudget(Exception):
    """The next request could pass the limit."""


class Ledger:
    """What was spent, and what requests under way may still cost [USD]."""

    def __init__(self, prices: Prices, limit: float | None, spent: float = 0.0) -> None:
        """`spent` counts what an earlier run with the same report folder paid."""
        self.prices, self.limit, self.spent = prices, limit, spent
        self.set_aside = 0.0
        self.stopped = False
        self._seen: dict[tuple[str, int], int] = {}
        self._settled = asyncio.Condition()

    def check(self, models: Iterable[str]) -> None:
        """A limit needs prices.

        Raises:
            ConfigError: a model has none.
        """
        unknown = [model for model in models if not self.prices.known(model)]
        if self.limit is not None and unknown:
            raise ConfigError(
                f"--max-cost needs the price of {', '.join(unknown)}; add it to the --prices file "
                "(a model that costs nothing: input 0, output 0)"
            )

    def bound(self, model: str, text_bytes: int, images: int, max_tokens: int) -> float:
        """Most that one sample can cost: a request, and one more with the repair."""
        tokens = int(text_bytes / TEXT_BYTES_PER_TOKEN) + IMAGE_TOKENS * images
        if (model, images) in self._seen:
            tokens = int(HEADROOM * self._seen[model, images])
        first = self.prices.most(model, tokens, max_tokens) or 0.0
        repair = self.prices.most(model, tokens + max_tokens + 1000, max_tokens) or 0.0
        return first + repair

    async def reserve(self, bound: Callable[[], float]) -> float:
        """Set money aside, and say how much; waits while others may still turn out cheaper.

        Args:
            bound: most that the sample can cost, by what is known when it is called.

        Raises:
            OverBudget: it could pass the limit, and nothing is under way.
        """
        amount = bound()
        if self.limit is None:
            return amount
        async with self._settled:
            while not self.stopped and self.spent + self.set_aside + amount > self.limit:
                if self.set_aside <= 1e-12:
                    self.stopped = True
                    self._settled.notify_all()
                    break
                await self._settled.wait()
                amount = bound()
            if self.stopped:
                raise OverBudget
            self.set_aside += amount
        return amount

    async def settle(
        self,
        model: str,
        amount: float,
        replies: Iterable[Reply],
        images: int,
        lost: bool = False,
    ) -> float | None:
        """Book what a sample really cost, in place of what was set aside for it.

        Args:
            lost: no answer came in time, but the provider may charge for it: all counts as spent.
        """
        replies = list(replies)
        cost = self.prices.of(model, replies)
        for reply in replies[:1]:
            if reply.input_tokens:
                seen = self._seen.get((model, images), 0)
                self._seen[model, images] = max(seen, reply.input_tokens)
        async with self._settled:
            if self.limit is not None:
                self.set_aside = max(0.0, self.set_aside - amount)
            self.spent += amount if lost and self.limit is not None else (cost or 0.0)
            self._settled.notify_all()
        return cost
