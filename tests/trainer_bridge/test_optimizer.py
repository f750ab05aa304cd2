"""Schedule, decay, clipping, and the steps that are left out."""

import math

import pytest
import torch

from tests.trainer_bridge import runs, tiny
from trainer_bridge.config import OptimizerConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.guard import StepGuard
from trainer_bridge.optimizer import apply_step, build_optimizer, gradient_norm, learning_rate
from trainer_bridge.signals import StopSignal

CPU = torch.device("cpu")
GO, SKIP = torch.tensor(0.0), torch.tensor(1.0)


def test_the_papers_schedule():
    config, steps = OptimizerConfig(lr=3e-4), 250_000
    rates = [learning_rate(config, step, steps) for step in (0, 999, 1999, 2000, 126_000 - 1, steps - 1)]
    assert rates[:3] == pytest.approx([1.5e-7, 1.5e-4, 3e-4])
    assert rates[3] < 3e-4
    assert rates[4] == pytest.approx(1.65e-4)  # half of the way: the mean of the peak and a tenth of it
    assert rates[5] == pytest.approx(3e-5)
    assert learning_rate(config, steps + 1000, steps) == pytest.approx(3e-5)


def test_the_schedule_rises_then_falls():
    config = OptimizerConfig(lr=1.0, warmup_steps=10)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert (max(rates), min(rates[10:])) == pytest.approx((1.0, 0.1))


def test_a_run_shorter_than_its_warm_up():
    assert learning_rate(OptimizerConfig(lr=1.0, warmup_steps=10), 3, 5) == pytest.approx(0.4)


@pytest.mark.parametrize("norms", [False, True])
def test_decay_is_for_matrices(norms):
    model = tiny.model()
    optimizer = build_optimizer(model, OptimizerConfig(decay_norms=norms))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    apply_step(optimizer, 0.5, torch.tensor(1.0), GO)
    for name, parameter in model.named_parameters():
        factor = 1 - 0.5 * 0.1 if parameter.dim() == 2 or norms else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * factor)


def test_a_skipped_step_changes_nothing_whatever_the_gradient():
    model = tiny.model()
    optimizer = build_optimizer(model, OptimizerConfig())
    for gradient, factor in ((1.0, 0.5), (math.nan, math.nan), (math.inf, 0.0)):
        skip = SKIP if gradient != 1.0 else GO
        before = [parameter.detach().clone() for parameter in model.parameters()]
        moments = [state["exp_avg"].clone() for state in optimizer.state.values()]
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        apply_step(optimizer, 0.1, torch.tensor(factor), skip)
        same = [torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
        assert all(same) if skip is SKIP else not any(same)
        kept = [torch.equal(a, s["exp_avg"]) for a, s in zip(moments, optimizer.state.values(), strict=True)]
        assert all(kept) if skip is SKIP else not any(kept)
        assert {state["step"].item() for state in optimizer.state.values()} == {1.0}


def test_the_factor_multiplies_the_gradient():
    one, other = tiny.model(), tiny.model()
    for model, gradient, factor in ((one, 6.0, 0.5), (other, 3.0, 1.0)):
        optimizer = build_optimizer(model, OptimizerConfig(eps=1.0))
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        apply_step(optimizer, 0.1, torch.tensor(factor), GO)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_gradient_norm():
    model = torch.nn.Linear(3, 1)
    model.weight.grad, model.bias.grad = torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([4.0])
    assert gradient_norm(model).item() == 5.0


def test_bf16_moments_are_refused_on_a_cpu():
    with pytest.raises(TrainerError, match=r"optimizer\.moment_dtype = 'bf16' needs a CUDA device"):
        build_optimizer(tiny.model(), OptimizerConfig(moment_dtype="bf16"))


def judge(guard, loss, norm=1.0):
    return guard.judge(torch.tensor(loss), torch.tensor(norm)).item()


def test_the_guard_skips_what_is_six_deviations_out():
    guard = StepGuard(6.0, 16, CPU)
    values = [2.0 + 0.1 * (-1) ** i for i in range(20)]  # mean 2.0, deviation 0.103
    assert [judge(guard, value) for value in values] == [0.0] * 20
    assert judge(guard, 2.5) == 0.0
    assert judge(guard, 4.0) == 1.0
    assert judge(guard, 0.1) == 0.0  # a lower loss is welcome
    assert guard.skipped.item() == 1


def test_the_guard_watches_the_gradient_norm_too():
    guard = StepGuard(6.0, 16, CPU)
    for i in range(20):
        judge(guard, 2.0 + 0.01 * (i % 2), 1.0 + 0.1 * (i % 2))
    assert judge(guard, 2.0, 5.0) == 1.0


def test_the_guard_waits_until_it_knows_half_a_window():
    guard = StepGuard(6.0, 16, CPU)
    assert [judge(guard, value) for value in (2.0, 2.0, 2.0, 50.0, 2.0)] == [0.0] * 5


def test_what_is_not_finite_is_always_skipped_and_never_remembered():
    for sigma in (0.0, 6.0):
        guard = StepGuard(sigma, 4, CPU)
        assert [judge(guard, value) for value in (math.nan, 2.0, math.inf)] == [1.0, 0.0, 1.0]
        assert judge(guard, 2.0, math.nan) == 1.0
        assert guard.history.isfinite().all()
        assert guard.count.item() == 1
    assert judge(StepGuard(0.0, 4, CPU), 1e9) == 0.0


def test_a_lasting_change_is_accepted():
    guard = StepGuard(6.0, 8, CPU)
    for i in range(8):
        judge(guard, 2.0 + 0.01 * (i % 2))
    answers = [judge(guard, 9.0) for _ in range(6)]
    assert (answers[0], answers[-1]) == (1.0, 0.0)


def test_a_poisoned_step_is_skipped_and_its_samples_are_named(tmp_path):
    """A weight is made so large that the loss overflows in one step, then put back."""
    data = runs.shards(tmp_path / "data")
    trainer = runs.trainer(data, tmp_path / "run", run={"steps": 6, "log_every": 2})
    weight = trainer.model.output.weight
    step = trainer.train_step

    def poisoned_step():
        if trainer.step != 3:
            return step()
        good = weight.detach().clone()
        with torch.no_grad():
            weight.fill_(math.inf)
        before = trainer.model.norm.weight.detach().clone()
        statistics = step()
        assert torch.equal(before, trainer.model.norm.weight)
        with torch.no_grad():
            weight.copy_(good)
        return statistics

    trainer.train_step = poisoned_step
    assert trainer.train(runs.StopSignal(1))
    records = runs.steps(tmp_path / "run")
    assert [record.get("skipped_samples") for record in records] == [None, None, None, [24, 32], None, None]
    assert records[3]["loss"] is None
    assert trainer.guard.skipped.item() == 1


def rates(steps=20, **changes):
    config = OptimizerConfig(lr=1.0, warmup_steps=4, final_lr_fraction=0.1, **changes)
    return [round(learning_rate(config, step, steps), 4) for step in range(steps)]


def test_the_schedules():
    line = [0.25, 0.5, 0.75, 1.0, *(round(1 - 0.9 * i / 16, 4) for i in range(1, 17))]
    assert rates(schedule="linear") == pytest.approx(line, abs=1e-4)
    decay = [0.775, 0.55, 0.325, 0.1]
    assert rates(schedule="wsd", decay_fraction=0.2) == [0.25, 0.5, 0.75, *[1.0] * 13, *decay]
    assert rates(schedule="wsd", decay_fraction=0.0)[3:] == [1.0] * 17
    assert rates(schedule="wsd", decay_fraction=1.0) == rates(schedule="linear")
    assert rates(schedule="cosine")[-1] == rates(schedule="linear")[-1] == 0.1
    assert len({rates(schedule=name)[3] for name in ("cosine", "linear", "wsd")}) == 1
    assert rates(steps=3, schedule="wsd") == [0.25, 0.5, 0.75]  # shorter than the warm-up


def test_ordinary_steps_are_not_skipped_after_steps_that_hardly_differ():
    guard = StepGuard(6.0, 32, CPU)
    for _ in range(32):
        judge(guard, 2.0)
    assert judge(guard, 2.05) == 0.0  # 2.5 %: half a per cent is taken as the deviation
    assert judge(guard, 2.3) == 1.0


def test_a_run_whose_steps_are_skipped_says_so_and_ends_with_an_error(tmp_path, capsys):
    """The learning rate is so large that every loss after the first step is infinite."""
    data = runs.shards(tmp_path / "data")
    changes = {"optimizer": {"lr": 1e30, "warmup_steps": 0, "clip": 1e9}}
    message = r"the last 8 steps, from 2 to 9, were skipped: .*--resume-from STEP"
    for folder, keys in (("few", {"steps": 16}), ("many", {"steps": 1000})):
        limit = {"optimizer": {**changes["optimizer"], "skip_limit": 8}}
        with pytest.raises(TrainerError, match=message):
            runs.train(data, tmp_path / folder, run={**keys, "log_every": 9}, **limit)
        errors = capsys.readouterr().err
        assert "  8 skipped" in errors
        assert "skipped 8 of 9 steps (2, 3, 4, 5, 6, 7, 8, 9): loss or gradient norm" in errors
        assert len(runs.steps(tmp_path / folder)) == 9
    with pytest.raises(TrainerError, match="the last 8 steps"):  # half of the run, where that is fewer than the limit
        runs.train(data, tmp_path / "half", run={"steps": 15, "log_every": 9}, **changes)


def test_the_end_says_how_many_steps_were_skipped(tmp_path):
    from trainer_bridge.training import summary

    trainer = runs.trainer(runs.shards(tmp_path / "data"), tmp_path / "run", run={"steps": 4, "log_every": 2})
    trainer._waiting.append((1, 0.1, trainer.train_step()))
    weight = trainer.model.output.weight
    good = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(1e38)
    trainer._waiting.append((2, 0.1, trainer.train_step()))
    with torch.no_grad():
        weight.copy_(good)
    assert trainer.train(StopSignal(1))
    assert summary(trainer, True).endswith("run; 1 of 4 steps were skipped, see metrics.jsonl")
