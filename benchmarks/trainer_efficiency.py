"""The paper's recomputation methods side by side: python -m benchmarks.trainer_efficiency.

For one block in each mode: bytes kept for the backward pass per token, FLOPs of the backward over the forward pass, and
tokens per second of CPU (or GPU) time, eager.
"""

import argparse
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer_bridge.activations import KEPT_OPERATORS, apply_checkpointing
from trainer_bridge.config import ModelConfig
from trainer_bridge.model import Transformer

MODES = ("none", "linear", "full")


class KeptOutputs(torch.utils._python_dispatch.TorchDispatchMode):
    """Adds up the outputs of the operators that the policy keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        out = func(*args, **(kwargs or {}))
        if func in KEPT_OPERATORS:
            self.bytes += sum(t.nbytes for t in (out if isinstance(out, tuple) else (out,)) if torch.is_tensor(t))
        return out


def kept_bytes(model: Transformer, x: torch.Tensor, mode: str) -> int:
    """Bytes that one block keeps between the passes, weights not counted."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    storages: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), KeptOutputs() as kept:
        model.layers[0](x, model.rope)
    total = sum(size for pointer, size in storages.items() if pointer not in weights)
    return total + (kept.bytes if mode == "linear" else 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = ModelConfig(dim=options.dim, layers=1, heads=options.dim // 64, vocab_size=256, context=options.positions)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    print("mode    kept bytes/token  backward/forward FLOPs  tokens/s")
    for mode in MODES:
        model = Transformer(config, dtype).to(device)
        apply_checkpointing(model.layers, mode)
        x = torch.randn(4, options.positions, options.dim, device=device, dtype=dtype, requires_grad=True)
        size = kept_bytes(model, x, mode) / x[..., 0].numel()
        with FlopCounterMode(display=False) as counter:
            out = model.layers[0](x, model.rope)
            forward = counter.get_total_flops()
            out.float().square().mean().backward()
            ratio = (counter.get_total_flops() - forward) / forward
        tokens, began = 0, time.perf_counter()
        while time.perf_counter() - began < options.seconds:
            model.layers[0](x, model.rope).float().square().mean().backward()
            tokens += x[..., 0].numel()
        speed = tokens / (time.perf_counter() - began)
        print(f"{mode:<7} {size:>16,.0f}  {ratio:>22.3f}  {speed:>8,.0f}")


if __name__ == "__main__":
    main()
