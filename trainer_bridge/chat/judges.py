"""The reward models that judge answers: one for helpfulness, and one for safety where it is given."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from trainer_bridge.chat.dialogue import Dialogues
from trainer_bridge.chat.objective import combined_scores
from trainer_bridge.chat.prompts import Prompt
from trainer_bridge.chat.scalar import RewardModel, load_reward
from trainer_bridge.errors import TrainerError


@dataclass(frozen=True)
class Judges:
    """Reward models on one device.

    Attributes:
        helpfulness: judges answers.
        safety: judges them where it counts; None: nowhere.
        threshold: the reward below which it does.
        at_once: answers that are computed at a time.
    """

    helpfulness: RewardModel
    safety: RewardModel | None
    threshold: float
    at_once: int

    @property
    def identities(self) -> list[str | None]:
        """What tells that scores are of the same models."""
        return [self.helpfulness.identity, self.safety.identity if self.safety else None]

    def scores(self, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> list[float]:
        """The score of each answer to its prompt: logit(R_c) of the paper, see ``objective.combined_scores``.

        Raises:
            TrainerError: a score is not finite.
        """
        texts = [[*prompt.ids, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        found = []
        for judge in filter(None, (self.helpfulness, self.safety)):
            scores = judge.model.scores(texts, self.at_once)
            broken = [prompt.id for prompt, score in zip(prompts, scores, strict=True) if not math.isfinite(score)]
            if broken:
                raise TrainerError(
                    f"the reward model {judge.path} gives {len(broken):,} scores that are not finite, the first for an "
                    f"answer to the prompt {broken[0]}: train it anew, with a lower reward.lr"
                )
            found.append(torch.tensor(scores, dtype=torch.float64))
        is_safety = torch.tensor([prompt.is_safety for prompt in prompts])
        combined = combined_scores(found[0], found[1] if len(found) > 1 else None, is_safety, self.threshold)
        return [float(score) for score in combined]


def load_judges(
    reward: Path,
    safety: Path | None,
    like: Dialogues,
    device: torch.device,
    dtype: torch.dtype,
    threshold: float,
    at_once: int,
) -> Judges:
    """Reads the reward models of a command line.

    Raises:
        TrainerError: one is none, or of another tokenizer or template than the model that is judged.
    """
    models = [None if path is None else load_reward(path, device, dtype, like) for path in (reward, safety)]
    assert models[0] is not None
    return Judges(models[0], models[1], threshold, at_once)
