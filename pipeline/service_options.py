"""The flags that the commands add to those of Beam, for job services; whoever parses flags of Beam must know them."""

from __future__ import annotations

import argparse
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions


class ServiceOptions(PipelineOptions):
    """What the commands add to Beam's flags."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument(
            "--patience_minutes",
            type=_minutes,
            default=5.0,
            help="On a job service, end the job when for so long nothing was heard of it and of its workers.",
        )
        parser.add_argument(
            "--attendance",
            default="",
            help="On a job service, the list that workers sign; a part of a run sets its own.",
        )


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"it takes minutes, more than 0; it is {text!r}")
    return minutes
