"""What an experiment would make, share and train, on paper: nothing is made, and no server asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.ablate.arms import ENCODE, Arm, batch_tokens, length_of, model_shape
from pipeline.ablate.folder import Folder
from pipeline.ablate.heldout import counts
from pipeline.ablate.recipe import AblationRecipe
from pipeline.ablate.run import RUN
from pipeline.mix.recipe import parse_tokens
from pipeline.terminal import print_whole

FLOPS_PER_WEIGHT = 6  # and token: forward and backward
# Of what machines do when they train, for an estimate within some times: one core of a server, and one A100 or H100.
CORE_FLOPS, GPU_FLOPS = 2e10, 1.5e14
START_SECONDS = 8.0  # of a command that trains


def paper(experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder, jobs: int, console: Console) -> None:
    """Prints what each arm touches, how many runs there are, and about how long they take."""
    table = Table(title="arms", title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    for heading in ("arm", "what differs", "made", "shared", "token shards", "runs"):
        table.add_column(heading, justify="right" if heading == "runs" else "left", no_wrap=True)
    for arm in arms:
        stages = [stage.name for stage in arms[0].stages if stage.name in arms[0].touched]
        shared = [name for name in stages if name not in arm.touched and name in _kept(arm, stages)]
        table.add_row(
            arm.name,
            ", ".join(arm.overrides) or ("another data seed" if arm.data_seed else ""),
            _made(arm),
            "all" if shared == stages else ", ".join(name for name in shared if name != ENCODE),
            "the baseline's" if arm.shares_data else "own",
            str(experiment.seeds),
        )
    print_whole(console, table)
    for line in _sentences(experiment, arms, folder, jobs):
        console.print(line, markup=False, soft_wrap=True)


def _made(arm: Arm) -> str:
    damaged = ["damaged copies of all sources"] if arm.damage is not None else []
    return ", ".join([*damaged, *arm.touched]) or "nothing"


def _kept(arm: Arm, stages: Sequence[str]) -> list[str]:
    """The stages of the baseline that an arm has, too."""
    if arm.damage is not None:
        return ["tokenizer"]
    own = {stage.name for stage in arm.stages} | {"tokenizer"}
    return [name for name in stages if name in own]


def _sentences(experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder, jobs: int) -> list[str]:
    runs = len(arms) * experiment.seeds
    done = sum((folder.seed(arm.name, n) / RUN).exists() for arm in arms for n in range(experiment.seeds))
    lines = [
        f"Before: all sources of the baseline once more, out of which {experiment.heldout.share:.0%} of each source, "
        f"{experiment.heldout.documents:,} documents at the most, are held out.",
        f"{runs:,} runs of {experiment.seeds} seeds, {done:,} of them begun or done; {jobs} at a time.",
    ]
    tokens = _tokens(experiment, arms, folder)
    if tokens is None:
        lines.append(
            "Tokens: auto, as many as the epoch limits of all arms allow, which is known when their tokens are counted."
        )
        return lines
    hours = [_hours(arm, tokens) for arm in arms]
    core, gpu = (experiment.seeds * sum(hour[kind] for hour in hours) for kind in (0, 1))
    steps = tokens // batch_tokens(arms[0])
    lines.append(
        f"Each trains on {tokens:,} tokens, {steps:,} steps of {batch_tokens(arms[0]):,}. All runs take about "
        f"{_time(core)} of a CPU core, or {_time(gpu)} of a GPU such as an A100, by 6 operations a weight and token."
    )
    return lines


def _tokens(experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder) -> int | None:
    settled = folder.record("length")
    if settled:
        return int(settled["tokens"])
    asked = parse_tokens(experiment.tokens)
    if asked is None and (path := _counts(folder)).exists():
        asked = int(counts(path)["tokens"])
    return None if asked is None else length_of(arms, asked).tokens


def _counts(folder: Folder) -> Path:
    return folder.baseline / "_build" / "counts.json"


def _hours(arm: Arm, tokens: int) -> tuple[float, float]:
    """Hours of a run on a core, and on a GPU."""
    weights = model_shape(arm)
    operations = FLOPS_PER_WEIGHT * weights * tokens
    return tuple((START_SECONDS + operations / speed) / 3600 for speed in (CORE_FLOPS, GPU_FLOPS))  # type: ignore[return-value]


def _time(hours: float) -> str:
    if hours * 60 < 1:
        return f"{hours * 3600:,.0f} seconds"
    return f"{hours * 60:,.0f} minutes" if hours < 2 else f"{hours:,.1f} hours"
