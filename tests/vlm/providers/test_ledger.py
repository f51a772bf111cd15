"""Money: prices, reserves, and that the limit is never passed whatever comes back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from armsight.errors import ConfigError
from armsight.vlm.providers.engine import Reply
from armsight.vlm.providers.ledger import Ledger, OverBudget
from armsight.vlm.providers.prices import Prices

PRICES = Prices({"m": {"input": 2, "output": 10, "input_cache_read": 1, "input_cache_write": 3}})


def test_every_kind_of_token_has_its_price() -> None:
    reply = Reply(input_tokens=1000, output_tokens=100, cached_tokens=300, cache_write_tokens=200)
    assert PRICES.of("m", [reply]) == pytest.approx((500 * 2 + 300 * 1 + 200 * 3 + 100 * 10) / 1e6)
    assert PRICES.of("other", [reply]) is None


@pytest.mark.parametrize("text", ["[]", '{"m": {"input": 1}}', '{"m": {"input": -1, "output": 1}}'])
def test_broken_prices_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match="prices"):
        Prices.read(tmp_path / "p.json")


def test_prices_are_read_with_defaults_for_the_cache(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"m": {"input": 2, "output": 8}}))
    assert Prices.read(tmp_path / "p.json").by_model["m"]["input_cache_read"] == 2


def test_concurrent_requests_of_unknown_cost_never_pass_the_limit() -> None:
    """Each sample costs anything up to its bound; nobody knows before it is back."""
    import random

    random.seed(1)

    async def run() -> tuple[Ledger, int]:
        ledger = Ledger(PRICES, 2.0)
        asked = 0

        async def one() -> None:
            nonlocal asked
            try:
                amount = await ledger.reserve(lambda: ledger.bound("m", 500, 2, 1000))
            except OverBudget:
                return
            asked += 1
            await asyncio.sleep(random.random() / 200)
            used = Reply(input_tokens=800, output_tokens=random.randint(1, 1000))
            await ledger.settle("m", amount, [used], 2)
            assert ledger.spent <= 2.0

        await asyncio.gather(*(one() for _ in range(400)))
        return ledger, asked

    ledger, asked = asyncio.run(run())
    assert ledger.stopped
    # It stops late, too: less than the bound of one more sample is left.
    assert 2.0 - ledger.spent < ledger.bound("m", 500, 2, 1000)
    assert asked >= 30


def test_what_may_have_been_charged_counts() -> None:
    async def run() -> float:
        ledger = Ledger(PRICES, 1.0)
        await ledger.reserve(lambda: 0.25)
        await ledger.settle("m", 0.25, [], 2, lost=True)
        return ledger.spent

    assert asyncio.run(run()) == 0.25
