"""TRL's RewardTrainer with what the paper has besides: a loss on safety labels, where pairs have them.

TRL's own are the loss -log sigmoid(chosen - rejected - margin) (its column ``margin``), batches, AdamW, the schedule
and checkpoints.
"""

# mypy: disable-error-code="no-untyped-call, misc"
# (transformers and TRL leave much untyped.)

import warnings
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForSequenceClassification,
    PrinterCallback,
    TrainerCallback,
)
from transformers.utils import logging as transformers_logging
from trl.trainer.reward_config import RewardConfig as Arguments
from trl.trainer.reward_trainer import DataCollatorForPreference, RewardTrainer

from tokenizer.encode import Encoder
from trainer_bridge.chat.config import DeviceConfig, RewardConfig
from trainer_bridge.chat.pairs import UNKNOWN
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import hf_config, to_hf

LABELS = ("chosen_safe", "rejected_safe")


class PairCollator(DataCollatorForPreference):
    """TRL's collator, which keeps the safety labels: ``safe`` [2B], those of the chosen answers first."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Pairs to a padded batch."""
        batch: dict[str, Any] = super().torch_call(examples)
        batch["safe"] = torch.tensor([example[label] for label in LABELS for example in examples])
        return batch


class SafetyRewardTrainer(RewardTrainer):
    """Adds the cross-entropy of sigmoid(score) against whether an answer is safe (Llama 2, section 3.2.2)."""

    safety_weight: float = 0.0

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch, and the model's outputs where asked for."""
        safe: Tensor = inputs.pop("safe")
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        labelled = safe != UNKNOWN
        if self.safety_weight and bool(labelled.any()):
            scores = outputs.logits.squeeze(-1)[labelled].float()
            # The share of labelled answers, so that the sum over micro-batches is the mean over the batch.
            share = labelled.float().mean()
            loss = loss + self.safety_weight * share * functional.binary_cross_entropy_with_logits(
                scores, safe[labelled].float()
            )
        return (loss, outputs) if return_outputs else loss


def build_classifier(
    weights: dict[str, Tensor], config: ModelConfig, encoder: Encoder, seed: int
) -> LlamaForSequenceClassification:
    """transformers' model with one label: the trunk's weights, and a head drawn by the seed.

    Its pad is the id of unknown pieces, which no dialogue ends with: transformers takes the score of the last other id.

    Args:
        weights: of the chat model, in Meta's names; its output matrix is left out.
        config: its shape.
        encoder: its tokenizer.
        seed: of the head.
    """
    bos, eos = (number if number >= 0 else None for number in (encoder.bos_id, encoder.eos_id))
    values = hf_config(config, bos, eos, "float32")
    torch.manual_seed(seed)
    shape: Any = LlamaConfig(**{**values, "num_labels": 1})
    shape.pad_token_id = encoder.unk_id
    shape.architectures = ["LlamaForSequenceClassification"]
    model = LlamaForSequenceClassification(shape)
    trunk = {name: weight for name, weight in weights.items() if name != "output.weight"}
    found = model.load_state_dict(to_hf(trunk, config), strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["score.weight"], [])
    return model


def arguments(folder: Path, config: RewardConfig, device: DeviceConfig, steps: int, on_gpu: bool) -> Arguments:
    """TRL's arguments for the recipe's choices."""
    warmup = max(config.warmup_least, round(config.warmup_fraction * steps))
    return Arguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.batch_pairs // config.micro_batch,
        num_train_epochs=config.epochs,
        learning_rate=config.lr,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": config.final_lr_fraction},
        warmup_steps=min(warmup, steps),
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        adam_epsilon=config.eps,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        max_length=None,  # longer ones were left out, and counted
        save_steps=config.save_every,
        save_total_limit=None,  # it would remove what others put there, too
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
        data_seed=config.seed,
        bf16=on_gpu and device.dtype != "fp32",
        use_cpu=not on_gpu,
        gradient_checkpointing=on_gpu,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        pad_to_multiple_of=None,
    )


def build_trainer(
    model: LlamaForSequenceClassification,
    tokenizer: Path,
    data: Dataset,
    config: RewardConfig,
    device: DeviceConfig,
    folder: Path,
    callback: TrainerCallback,
) -> SafetyRewardTrainer:
    """The trainer, ready to begin or to go on.

    Args:
        model: from ``build_classifier``.
        tokenizer: a folder with its Hugging Face form.
        data: the pairs.
        config: the recipe.
        device: how it computes.
        folder: of the checkpoints.
        callback: what is told of steps.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)  # of names that TRL itself gives to transformers
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    words = AutoTokenizer.from_pretrained(str(tokenizer))
    words.pad_token = words.unk_token
    steps = config.epochs * max(1, -(-len(data) // config.batch_pairs))
    on_gpu = torch.cuda.is_available()
    trainer = SafetyRewardTrainer(
        model=model,
        args=arguments(folder, config, device, steps, on_gpu),
        train_dataset=data,
        processing_class=words,
        data_collator=PairCollator(pad_token_id=words.pad_token_id),
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.safety_weight = config.safety_weight
    return trainer
