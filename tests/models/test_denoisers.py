"""What holds for all three denoisers, and what tells them apart."""

import pytest
import torch

from armsight.errors import ConfigError
from armsight.models.denoisers import (
    DENOISERS,
    REGRESSIONS,
    DenoiserConfig,
    FilmDenoiser,
    make_denoiser,
)

TOKENS, DIM, FIXED, CONTEXT = 9, 3, 4, 7


def make(name):
    torch.manual_seed(0)
    denoiser = make_denoiser(DenoiserConfig(name, 16, 2, 2), TOKENS, DIM, FIXED)
    for parameter in denoiser.parameters():  # zero-initialised parts would hide mistakes
        torch.nn.init.normal_(parameter, std=0.3)
    return denoiser


@pytest.mark.parametrize("name", DENOISERS)
def test_hypotheses_of_a_batch_do_not_see_each_other(name):
    denoiser = make(name)
    x, context = torch.randn(2, 3, TOKENS, DIM), torch.randn(2, CONTEXT, 16)
    t = torch.randint(0, 100, (2, 3))
    together = denoiser(x, t, denoiser.prepare(context))
    assert together.shape == x.shape
    for b in range(2):
        prepared = denoiser.prepare(context[b : b + 1])
        for h in range(3):
            alone = denoiser(x[b : b + 1, h : h + 1], t[b : b + 1, h : h + 1], prepared)
            torch.testing.assert_close(alone[0, 0], together[b, h], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", DENOISERS)
def test_only_regression_ignores_noise_and_step(name):
    denoiser = make(name)
    prepared = denoiser.prepare(torch.randn(1, CONTEXT, 16))
    x = torch.randn(1, 1, TOKENS, DIM)
    first = denoiser(x, torch.tensor([[5]]), prepared)
    same = torch.equal(first, denoiser(x + 1, torch.tensor([[80]]), prepared))
    assert same == (name in REGRESSIONS)


@pytest.mark.parametrize("name", DENOISERS)
def test_the_context_matters_and_its_coarse_part_may_be_absent(name):
    denoiser = make(name)
    x, t, context = torch.randn(1, 1, TOKENS, DIM), torch.tensor([[5]]), torch.randn(1, CONTEXT, 16)
    full = denoiser(x, t, denoiser.prepare(context))
    assert not torch.allclose(full, denoiser(x, t, denoiser.prepare(context[:, :FIXED])))


def test_film_is_the_formula_of_the_figure():
    film = make("film")
    assert isinstance(film, FilmDenoiser)
    x, t, context = torch.randn(1, 1, TOKENS, DIM), torch.tensor([[7]]), torch.randn(1, CONTEXT, 16)
    seen = {}
    film.scale_bias.register_forward_hook(lambda m, i, o: seen.update(scale_bias=o[0, 0]))
    out = film(x, t, film.prepare(context))
    scale, bias = seen["scale_bias"].chunk(2)
    h = (film.encode(x[0, 0]) + film.token_embedding).T[None]
    expected = film.conv2(
        torch.nn.functional.silu(film.conv1(h) + (scale[:, None] * h + bias[:, None]))
    )
    torch.testing.assert_close(out[0, 0], expected[0].T, atol=1e-5, rtol=1e-5)


def test_unknown_denoiser_names_the_choices():
    with pytest.raises(ConfigError, match="transformer.*film.*regression"):
        DenoiserConfig("unet")
