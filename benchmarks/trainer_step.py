"""A training step of a small LLaMA on the CPU beside others': python -m benchmarks.trainer_step [--threads 1].

Compares CPU seconds of forward, backward, clipping and AdamW, on the same shape, ids and settings, with transformers'
LlamaForCausalLM and with litgpt's GPT, each where it is installed. The loss of the first step is printed with random
weights of each one's own, so it only has to be near ln V.
"""

import argparse
import importlib
import json
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer_bridge.config import ModelConfig, OptimizerConfig
from trainer_bridge.convert import hf_config
from trainer_bridge.model import Transformer
from trainer_bridge.optimizer import apply_step, build_optimizer, gradient_norm
from trainer_bridge.parallel import initialise

Step = Callable[[Tensor, Tensor], Tensor]


def ours(config: ModelConfig) -> Step:
    """The trainer's own step."""
    model = Transformer(config)
    initialise(model, 0)
    optimizer = build_optimizer(model, OptimizerConfig())

    def step(x: Tensor, y: Tensor) -> Tensor:
        total, _ = model(x, y)
        (total / y.numel()).backward()
        clip = (1.0 / (gradient_norm(model) + 1e-6)).clamp(max=1.0)
        apply_step(optimizer, 1e-4, clip, torch.zeros(()))
        optimizer.zero_grad()
        return total.detach() / y.numel()

    return step


def plain(model: nn.Module, logits: Callable[[Tensor], Tensor]) -> Step:
    """The usual step around another model."""
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, (0.9, 0.95), 1e-8, 0.1, fused=True)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = functional.cross_entropy(logits(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def transformers_step(config: ModelConfig) -> Step:
    library = importlib.import_module("transformers")
    model = library.LlamaForCausalLM(
        library.LlamaConfig(**hf_config(config, 1, 2, "float32"), attn_implementation="sdpa")
    )
    return plain(model, lambda x: model(x, use_cache=False).logits)


def litgpt_step(config: ModelConfig) -> Step:
    library = importlib.import_module("litgpt")
    model = library.GPT(
        library.Config(
            block_size=config.context,
            padded_vocab_size=config.vocab,
            n_layer=config.layers,
            n_head=config.heads,
            n_embd=config.dim,
            rotary_percentage=1.0,
            parallel_residual=False,
            bias=False,
            norm_class_name="RMSNorm",
            norm_eps=config.norm_eps,
            mlp_class_name="LLaMAMLP",
            intermediate_size=config.hidden,
        )
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, 0.0, 0.02)
    return plain(model, model)


BUILDERS = {"ours": ours, "transformers": transformers_step, "litgpt": litgpt_step}


def print_json(step: Step, x: Tensor, y: Tensor, rounds: int) -> None:
    """One step to warm up, then some, by the wall clock: the threads of a step wait for each other."""
    step(x, y)
    best = math.inf
    for _ in range(rounds):
        began = time.perf_counter()
        loss = step(x, y)
        best = min(best, time.perf_counter() - began)
    made = {"loss": round(loss.item(), 2)}
    print(json.dumps({"seconds": best, "amount": y.numel(), "made": made}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=6, help="steps of each, in turn, so that a slow moment hits all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=BUILDERS, help="whose step alone")
    parser.add_argument("--json", action="store_true", help="for benchmarks.beside: a LLaMA of 35M, and a line of JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.json:
        options.dim, options.layers, options.positions, options.rounds = 512, 6, 1024, 4
    config = ModelConfig(
        dim=options.dim,
        layers=options.layers,
        heads=options.dim // (64 if options.json else 32),
        vocab_size=options.vocab,
        context=options.positions,
    )
    ids = torch.randint(0, options.vocab, (options.batch, options.positions + 1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    steps: dict[str, Step] = {}
    for name, build in BUILDERS.items():
        if options.only not in (None, name):
            continue
        try:
            steps[name] = build(config)
        except ImportError as error:
            print(f"{name}: not installed ({error})")
    if options.json:
        print_json(next(iter(steps.values())), x, y, options.rounds)
        return
    for name, step in steps.items():
        print(f"{name}: first loss {step(x, y).item():.3f} (ln V = {math.log(options.vocab):.3f})")
    spent = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            began = time.process_time()
            step(x, y)
            spent[name].append(time.process_time() - began)
    for name, seconds in spent.items():
        best, middle = min(seconds), sorted(seconds)[len(seconds) // 2]
        print(
            f"{name:>12}: {best:.3f} s CPU a step at best, {middle:.3f} in the middle; {y.numel() / best:,.0f} tokens/s"
        )


if __name__ == "__main__":
    main()
