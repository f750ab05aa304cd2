"""Ranks, devices, and how a model is laid over them (paper, section 2.4). The model's own code knows none of it.

Data parallel: FSDP2 shards every parameter over the ranks of the "data" dimension, gathers a block's weights while
the block before it computes, and scatters its gradients while the next one computes. Tensor parallel: each matrix is
cut over the ranks of the "tensor" dimension, and what lies between two matrices is cut along the sequence.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from trainer_bridge.activations import apply_checkpointing
from trainer_bridge.config import EfficiencyConfig, LoraConfig, ModelConfig
from trainer_bridge.errors import SaidElsewhere, TrainerError
from trainer_bridge.lora import PART, add_adapters, is_adapter
from trainer_bridge.model import BLOCK, Transformer, rotary_table

T = TypeVar("T")
NO_LORA = LoraConfig()
CPU_ATTENTION = ("auto", "flash", "math")
TIMEOUT = timedelta(minutes=30)  # of a collective: the first step compiles, and not equally fast everywhere


@dataclass(frozen=True)
class World:
    """This process among the others.

    Attributes:
        rank: number of this process.
        ranks: of all processes.
        device: what it computes on.
        mesh: dimensions "data" and "tensor"; None for a single process.
    """

    rank: int
    ranks: int
    device: torch.device
    mesh: DeviceMesh | None

    @property
    def tensor_ranks(self) -> int:
        """Ranks that share one sample."""
        return self.mesh["tensor"].size() if self.mesh is not None else 1

    @property
    def data_ranks(self) -> int:
        """Ranks that read different samples."""
        return self.ranks // self.tensor_ranks

    @property
    def data_rank(self) -> int:
        """Which of them this is."""
        return self.mesh["data"].get_local_rank() if self.mesh is not None else 0

    def own_positions(self, x: Tensor) -> Tensor:
        """The positions of [B, T] whose loss this rank computes: all, or with tensor parallelism its stretch."""
        if self.mesh is None or self.tensor_ranks == 1:
            return x
        return x.chunk(self.tensor_ranks, dim=1)[self.mesh["tensor"].get_local_rank()].contiguous()

    def from_first(self, function: Callable[[], T]) -> T:
        """What a function gives on the first rank, for all; an error there ends every rank, and is said once."""
        answer: list[Any] = [None, False]
        if self.rank == 0:
            try:
                answer[0] = function()
            except TrainerError:
                if self.ranks > 1:
                    dist.broadcast_object_list([None, True], src=0)
                raise
        if self.ranks > 1:
            dist.broadcast_object_list(answer, src=0)
        if answer[1]:
            raise SaidElsewhere
        value: T = answer[0]
        return value

    def sum(self, x: Tensor) -> Tensor:
        """Adds a small tensor over all ranks, in place."""
        if self.ranks > 1:
            dist.all_reduce(x)
        return x


def start_world(tensor_parallel: int) -> World:
    """Joins the process group that torchrun prepared, if it did, and picks the device.

    Raises:
        TrainerError: ranks that tensor parallelism does not divide.
    """
    ranks, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if ranks % tensor_parallel:
        raise TrainerError(f"efficiency.tensor_parallel = {tensor_parallel} does not divide the {ranks} ranks")
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if ranks == 1:
        return World(0, 1, device, None)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    shape = (ranks // tensor_parallel, tensor_parallel)
    mesh = init_device_mesh(device.type, shape, mesh_dim_names=("data", "tensor"))
    return World(rank, ranks, device, mesh)


def check_layout(efficiency: EfficiencyConfig, world: World, positions: int) -> None:
    """Refuses what the devices and the shards' rows cannot have.

    Args:
        efficiency: the choices.
        world: this process among the others.
        positions: of a row.
    """
    if positions % world.tensor_ranks:
        raise TrainerError(
            f"efficiency.tensor_parallel = {efficiency.tensor_parallel} does not divide the {positions} positions of "
            "the shards' rows (sequence parallel); choose a divisor, or make shards of another seq_len"
        )
    if world.device.type == "cpu" and efficiency.attention not in CPU_ATTENTION:
        raise TrainerError(
            f"efficiency.attention = {efficiency.attention!r} needs a CUDA device; allowed here: "
            + ", ".join(CPU_ATTENTION)
        )


def compute_dtype(choice: str, device: torch.device) -> torch.dtype:
    """The type of the computation: bf16 on a GPU and fp32 on a CPU, unless told otherwise."""
    if choice == "auto":
        choice = "bf16" if device.type == "cuda" else "fp32"
    return torch.bfloat16 if choice == "bf16" else torch.float32


def build_model(
    config: ModelConfig, efficiency: EfficiencyConfig, world: World, lora: LoraConfig = NO_LORA
) -> Transformer:
    """A model on this rank's device, cut, checkpointed, compiled and sharded as asked; weights not yet set.

    It is made on the meta device first, so no rank ever holds the whole of it. Matrices beside which LoRA trains are
    stored in the type of the computation.
    """
    dtype = compute_dtype(efficiency.dtype, world.device)
    with torch.device("meta"):
        model = Transformer(config, dtype, efficiency.loss_chunk)
        add_adapters(model, lora)
    for parameter in model.parameters():
        if not parameter.requires_grad and parameter.dim() > 1:
            parameter.data = parameter.data.to(dtype)
    if world.mesh is not None and world.tensor_ranks > 1:
        _cut_tensors(model, world.mesh["tensor"], efficiency)
    apply_checkpointing(model.layers, efficiency.checkpointing)
    if efficiency.compile == "on" or (efficiency.compile == "auto" and world.device.type == "cuda"):
        compile_blocks(model.layers)
    if world.mesh is not None:
        _shard(model, world.mesh["data"], dtype, efficiency.reshard_after_forward)
    model.to_empty(device=world.device)
    model.rope = rotary_table(config, world.device)
    return model


def compile_blocks(layers: nn.ModuleList) -> None:
    """Compiles the forward pass of each block as one graph; all blocks share the code, so it is compiled once.

    The function is compiled and not the module, so that FSDP's hooks stay outside.
    """
    for layer in layers:
        layer.forward = torch.compile(layer.forward, fullgraph=True, dynamic=False)


def _shard(model: Transformer, mesh: DeviceMesh, dtype: torch.dtype, reshard: bool) -> None:
    """FSDP2: each block, then the rest; weights gathered in the type of the computation, gradients summed in fp32."""
    # The rotary tables are arguments of the blocks and must stay fp32, so inputs are not cast.
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for layer in model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    blocks: list[Any] = list(model.layers)
    for block, following in pairwise(blocks):
        block.set_modules_to_forward_prefetch([following])
        following.set_modules_to_backward_prefetch([block])


def _cut_tensors(model: Transformer, mesh: DeviceMesh, efficiency: EfficiencyConfig) -> None:
    """Tensor and sequence parallelism (Korthikanti et al. 2022, as DTensor plans)."""
    config, ranks = model.config, mesh.size()
    blocks = config.hidden // math.gcd(config.hidden, BLOCK)
    for key, count in (("kv_heads", config.key_value_heads), ("ffn_hidden (in blocks)", blocks)):
        if count % ranks:
            raise TrainerError(f"efficiency.tensor_parallel = {ranks} does not divide model.{key} = {count}")
    whole, by_position = Replicate(), Shard(1)
    plan = {
        "attention_norm": SequenceParallel(),
        "attention": PrepareModuleInput(
            input_layouts=(by_position, None, None, None), desired_input_layouts=(whole, None, None, None)
        ),
        "attention.wqkv": ColwiseParallel(),
        "attention.wo": RowwiseParallel(output_layouts=by_position),
        "ffn_norm": SequenceParallel(),
        "feed_forward": PrepareModuleInput(input_layouts=(by_position,), desired_input_layouts=(whole,)),
        "feed_forward.w13": ColwiseParallel(),
        "feed_forward.w2": RowwiseParallel(output_layouts=by_position),
    }
    for layer in model.layers:
        parallelize_module(layer, mesh, plan)
    outer = {
        "tok_embeddings": RowwiseParallel(input_layouts=whole, output_layouts=by_position),
        "norm": SequenceParallel(use_local_output=True),
    }
    parallelize_module(model, mesh, outer)
    # The embedding's output is still being communicated when it is returned. A compiled block that takes such a tensor
    # gives it no gradient (seen in PyTorch 2.13: the embedding's is 0); an ordinary operator waits for it.
    model.tok_embeddings.register_forward_hook(lambda _, __, output: output.clone())
    # Each rank computes the loss of its own positions, so it needs the whole output matrix and adds to its gradient.
    output = DTensor.from_local(model.output.weight.data, mesh, [whole], run_check=False)
    model.output.weight = nn.Parameter(output)
    loss = model.loss_function

    def loss_of_own_positions(h: Tensor, weight: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
        return loss(h, weight.to_local(grad_placements=[Partial()]), targets)

    model.loss_function = loss_of_own_positions
    if efficiency.async_tensor_parallel:
        _overlap_tensor_communication(mesh)


def _overlap_tensor_communication(mesh: DeviceMesh) -> None:
    """Lets the compiler split matrix products so that they hide the communication around them."""
    if mesh.device_type != "cuda":
        raise TrainerError("efficiency.async_tensor_parallel needs CUDA devices")
    torch._inductor.config._micro_pipeline_tp = True
    torch.distributed._symmetric_memory.enable_symm_mem_for_group(mesh.get_group().group_name)


@torch.no_grad()
def set_weights(model: nn.Module, name: str, value: Tensor) -> None:
    """Copies a whole tensor into a parameter, of which this rank may hold a part."""
    parameter = model.get_parameter(name)
    parameter.copy_(_own_part(parameter, value))


@torch.no_grad()
def add_weights(model: nn.Module, name: str, value: Tensor) -> None:
    """Adds a whole tensor to a parameter, of which this rank may hold a part."""
    parameter = model.get_parameter(name)
    parameter.add_(_own_part(parameter, value))


def _own_part(parameter: Any, value: Tensor) -> Tensor:
    if not isinstance(parameter, DTensor):
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


@torch.no_grad()
def initialise(model: Transformer, seed: int) -> None:
    """Draws the weights: truncated normal; norms are ones.

    Each parameter has its own generator, keyed by the seed and its name, so the weights do not depend on the number of
    ranks or on the order of the layers. Not published for LLaMA: see ``ModelConfig.init_std``.
    """
    config = model.config
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            nn.init.ones_(parameter)
            continue
        std = config.init_std
        if config.init_depth_scaled and name.endswith(("wo.weight", "w2.weight")):
            std /= (2 * config.layers) ** 0.5
        generator = torch.Generator(parameter.device).manual_seed(_name_seed(seed, name))
        whole = torch.empty(parameter.shape, device=parameter.device)
        nn.init.trunc_normal_(whole, 0.0, std, -3 * std, 3 * std, generator=generator)
        set_weights(model, name, whole)


@torch.no_grad()
def initialise_adapters(model: Transformer, seed: int) -> None:
    """Draws what LoRA trains: A uniform, B zero (microsoft/LoRA, layers.py)."""
    for name, parameter in model.named_parameters():
        if not is_adapter(name):
            continue
        whole = torch.zeros(parameter.shape, device=parameter.device)
        if f"{PART}a." in name:
            generator = torch.Generator(parameter.device).manual_seed(_name_seed(seed, name))
            bound = parameter.shape[1] ** -0.5
            whole.uniform_(-bound, bound, generator=generator)
        set_weights(model, name, whole)


def _name_seed(seed: int, name: str) -> int:
    """A generator's seed from the run's and a parameter's name (FNV-1a, 64 bits)."""
    value = 0xCBF29CE484222325
    for byte in f"{seed}/{name}".encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value % 2**63
