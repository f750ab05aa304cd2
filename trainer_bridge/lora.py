"""LoRA (Hu et al. 2021): a small change of rank r beside matrices that stay as they are.

Beside a matrix W [O, I] stand A [r, I] and B [O, r], and y = W x + (alpha / r) B A x. B is zero at first, so the model
begins as the one that it starts from. Merged, W + (alpha / r) B A is a matrix like any other. The trainer's model joins
matrices (wq, wk, wv in one; w1, w3 in one): each keeps its own A and B, of the same values as if it stood alone.
"""

# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer_bridge.config import LoraConfig
from trainer_bridge.model import Attention, FeedForward, Linear

PART = "adapter."  # in the names of what is added
Join = Callable[..., Tensor]


class Adapter(nn.Module):
    """The change of one matrix, or of several that are joined to one."""

    def __init__(
        self, inputs: int, outputs: dict[str, int], join: Join, targets: Sequence[str], lora: LoraConfig
    ) -> None:
        """Holds A and B for each adapted matrix; not yet set.

        Args:
            inputs: of the joined matrix.
            outputs: outputs of each matrix in it.
            join: makes one matrix of theirs, in that order.
            targets: those that are adapted.
            lora: rank and scale.
        """
        super().__init__()
        self.scale = lora.alpha / lora.rank
        self.outputs, self.join, self.rank = outputs, join, lora.rank
        self.a = nn.ParameterDict({name: nn.Parameter(torch.empty(lora.rank, inputs)) for name in targets})
        self.b = nn.ParameterDict({name: nn.Parameter(torch.empty(outputs[name], lora.rank)) for name in targets})

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> what is added to the outputs of the joined matrix."""
        a = torch.cat([self.a[name] for name in self.outputs if name in self.a]).to(x.dtype)
        columns = len(self.a) * self.rank
        parts, at = [], 0
        for name, rows in self.outputs.items():
            part = x.new_zeros(rows, columns)
            if name in self.b:
                part = functional.pad(self.b[name].to(x.dtype), (at, columns - at - self.rank))
                at += self.rank
            parts.append(part)
        return functional.linear(functional.linear(x, a), self.join(*parts)) * self.scale

    def change(self) -> Tensor:
        """What merging adds to the joined matrix [outputs, inputs], fp32."""
        like = next(iter(self.a.values()))
        parts = [
            self.b[name].float() @ self.a[name].float()
            if name in self.b
            else torch.zeros(rows, like.shape[1], device=like.device)
            for name, rows in self.outputs.items()
        ]
        return self.join(*parts) * self.scale


def _matrices(module: nn.Module) -> Iterator[tuple[Linear, dict[str, int], Join]]:
    """The matrices of a layer's part, each with the outputs of those joined in it, and how they are joined."""
    if isinstance(module, Attention):
        keys = module.wqkv.out_features // (module.group + 2)
        yield module.wqkv, {"wq": keys * module.group, "wk": keys, "wv": keys}, module.join
        yield module.wo, {"wo": module.wo.out_features}, _alone
    elif isinstance(module, FeedForward):
        half = module.w13.out_features // 2
        yield module.w13, {"w1": half, "w3": half}, module.join
        yield module.w2, {"w2": module.w2.out_features}, _alone


def _alone(matrix: Tensor) -> Tensor:
    return matrix


def add_adapters(module: nn.Module, lora: LoraConfig) -> None:
    """Freezes a model, or a block of one, and puts adapters beside the matrices that the recipe names, not yet set."""
    if not lora.rank:
        return
    module.requires_grad_(False)
    for part in list(module.modules()):
        for matrix, outputs, join in _matrices(part):
            targets = [name for name in outputs if name in lora.targets]
            if targets:
                matrix.adapter = Adapter(matrix.in_features, outputs, join, targets, lora)


@torch.no_grad()
def changes(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The name of each matrix that has an adapter, and what merging adds to it [outputs, inputs], fp32."""
    for name, matrix in module.named_modules():
        if isinstance(matrix, Linear) and isinstance(matrix.adapter, Adapter):
            yield name, matrix.adapter.change()


@torch.no_grad()
def merge_adapters(module: nn.Module) -> None:
    """Adds what the adapters have learned to the matrices beside them, and takes the adapters away."""
    for name, change in changes(module):
        matrix: Any = module.get_submodule(name)
        matrix.weight.add_(change)
        matrix.adapter = None


def is_adapter(name: str) -> bool:
    """Whether a parameter's name is that of an adapter."""
    return PART in name
