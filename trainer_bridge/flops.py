"""Model FLOPs utilisation, in two conventions, each with its formula (Chowdhery et al. 2022, appendix B)."""

from trainer_bridge.config import ModelConfig

# Dense bf16 FLOP/s of a device by a part of its name, from the vendor's data sheets.
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}


def flops_per_token_full(config: ModelConfig, parameters: int, seq_len: int, trained: int | None = None) -> float:
    """6 N + 12 L d T: every parameter, and attention as if it were not causal. The paper-comparable convention.

    Of the 6, two are the gradient of the parameters themselves: only ``trained`` ones (None: all) have it.
    """
    products = 4.0 * parameters + 2.0 * (parameters if trained is None else trained)
    return products + 12.0 * config.layers * config.dim * seq_len


def flops_per_token_causal(config: ModelConfig, parameters: int, seq_len: int, trained: int | None = None) -> float:
    """6 (N - V d) + 6 L d T: without the embedding, which is a look-up, and only the scores a causal model needs."""
    embedding = config.vocab * config.dim
    products = 4.0 * (parameters - embedding)
    products += 2.0 * (parameters - embedding if trained is None else trained)
    return products + 6.0 * config.layers * config.dim * seq_len


def peak_flops(device_name: str) -> float | None:
    """Dense bf16 peak of a device, or None where it is not known (a CPU, say); then no utilisation is reported."""
    return next((peak for name, peak in PEAKS.items() if name in device_name), None)
