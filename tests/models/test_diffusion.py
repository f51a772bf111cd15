"""Our schedules and samplers against diffusers', the independent oracle."""

import numpy as np
import pytest
import torch

from armsight.errors import ConfigError
from armsight.models.diffusion import PREDICTION_TYPES, SCHEDULES, Diffusion, DiffusionConfig

diffusers = pytest.importorskip("diffusers", reason="diffusers is the oracle of this test")

COMMON = {"num_train_timesteps": 100, "clip_sample": True, "clip_sample_range": 4.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedule_is_that_of_diffusers(schedule):
    ours = Diffusion(DiffusionConfig(beta_schedule=schedule))
    theirs = diffusers.DDPMScheduler(beta_schedule=schedule, **COMMON)
    np.testing.assert_allclose(ours.alphas_cumprod, theirs.alphas_cumprod, atol=2e-6)


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("steps", [1, 5, 10, 50, 100])
def test_ddim_follows_diffusers_step_by_step(prediction_type, steps):
    ours = Diffusion(DiffusionConfig(prediction_type=prediction_type))
    theirs = diffusers.DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type=prediction_type,
        set_alpha_to_one=True, timestep_spacing="trailing", **COMMON,
    )  # fmt: skip
    theirs.set_timesteps(steps)
    visited = ours.timesteps(steps)
    assert visited == theirs.timesteps.tolist()
    g = torch.Generator().manual_seed(0)
    x = y = torch.randn(4, 5, generator=g, dtype=torch.float64)
    for t, before in zip(visited, [*visited[1:], -1], strict=True):
        output = torch.randn(4, 5, generator=g, dtype=torch.float64)
        x = ours.ddim_step(output, x, t, before)
        # Theirs recomputes epsilon from the clipped x_0 only when asked to, as DDIM eq. 12 needs.
        y = theirs.step(output, t, y, use_clipped_model_output=True).prev_sample
        torch.testing.assert_close(x, y, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
def test_ddpm_mean_and_variance_are_those_of_diffusers(prediction_type, monkeypatch):
    ours = Diffusion(DiffusionConfig(prediction_type=prediction_type))
    theirs = diffusers.DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type=prediction_type,
        variance_type="fixed_large", **COMMON,
    )  # fmt: skip
    g = torch.Generator().manual_seed(1)
    x, output, noise = (torch.randn(6, 3, generator=g, dtype=torch.float64) for _ in range(3))
    monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *a, **k: noise)
    for t in (99, 60, 10, 1):
        expected = theirs.step(output, t, x).prev_sample
        torch.testing.assert_close(
            ours.ddpm_step(output, x, t, t - 1, noise), expected, atol=1e-4, rtol=1e-4
        )


def test_add_noise_is_that_of_diffusers():
    ours, theirs = (
        Diffusion(DiffusionConfig()),
        diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", **COMMON),
    )
    x, noise, t = torch.randn(7, 4), torch.randn(7, 4), torch.randint(0, 100, (7,))
    torch.testing.assert_close(
        ours.add_noise(x, noise, t), theirs.add_noise(x, noise, t), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_a_perfect_network_leads_back_to_the_truth(prediction_type, sampler):
    diffusion = Diffusion(DiffusionConfig(prediction_type=prediction_type))
    x_0 = torch.randn(8, 3).clamp(-3, 3)

    def perfect(x_t, t):
        bar = diffusion.alphas_cumprod[t].float()
        noise = (x_t - bar.sqrt() * x_0) / (1 - bar).sqrt()
        return diffusion.target(x_0, noise, torch.full((8,), t))

    sampled = diffusion.sample(perfect, torch.randn(8, 3), 10, sampler=sampler)
    torch.testing.assert_close(sampled, x_0, atol=1e-3, rtol=1e-3)


def test_impossible_settings_name_the_choices():
    with pytest.raises(ConfigError, match="epsilon"):
        DiffusionConfig(prediction_type="score")
    with pytest.raises(ConfigError, match="1 to 100, not 101"):
        Diffusion(DiffusionConfig()).timesteps(101)
