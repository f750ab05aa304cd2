"""Where nearly all documents went, if they went at one step: what a reader of the funnel must not miss."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.corpus.ledger import Ledger, StepLedger, total
from pipeline.steps import READ_STEP, Step

NEARLY_ALL = 0.9
HANDFUL = 5  # so few documents can all go by chance


def great_losses(manifest: Mapping[str, Any], root: str, keys: Mapping[str, str]) -> list[str]:
    """Says of each step at which nearly all went that reached it: how many, why, and what to do.

    Args:
        manifest: A source's manifest.
        root: The source's folder.
        keys: For steps, the keys of the recipe that decide them; the others are told by the section of their name.
    """
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    recipe = manifest["configuration"].get("recipe", {})
    found = []
    for name, step in ledger.steps.items():
        gone = step.entered.documents - step.left.documents
        if gone <= HANDFUL or gone <= NEARLY_ALL * step.entered.documents:
            continue
        share = f"{gone:,} of the {step.entered.documents:,} {'records' if name == READ_STEP else 'documents'}"
        advice = []
        if manifest["rejects"]:
            advice.append(f"read some: python -m pipeline.inspect {shlex.quote(root)} --dropped-by {name}")
        decisive = keys.get(name, f"{name}.*" if name in recipe else "")
        if name == READ_STEP:
            _, most = max((t.documents, r) for reasons in (step.dropped, step.failed) for r, t in reasons.items())
            said = next(iter(manifest.get("messages", {}).get(f"{name}: {most}", ())), "")
            advice.append(
                "see that the inputs are what this source reads" + (f" (the first says: {said})" if said else "")
            )
        elif decisive:
            advice.append(f"what decides it in the recipe: {decisive}")
        found.append(f"Nearly all went at step {name}: {share} that reached it ({_reasons(step)}). {_joined(advice)}")
    return found


def _reasons(step: StepLedger) -> str:
    counts = [(tally.documents, reason) for reasons in (step.dropped, step.failed) for reason, tally in reasons.items()]
    return ", ".join(f"{reason} {count:,}" for count, reason in sorted(counts, key=lambda c: (-c[0], c[1])))


def _joined(advice: list[str]) -> str:
    text = "; ".join(advice)
    return text[:1].upper() + text[1:]


def nothing_kept(manifest: Mapping[str, Any]) -> str:
    """Says that there were records and none of them was kept; empty where one was, or none was read."""
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    read = ledger.step(READ_STEP).entered.documents
    if not read or total(ledger.kept.values()).documents:
        return ""
    failed = total(tally for step in ledger.steps.values() for tally in step.failed.values()).documents
    if failed == read:
        return "nothing was kept: every record failed"
    gone = [(name, step.entered.documents - step.left.documents) for name, step in ledger.steps.items()]
    where = ", ".join(f"{count:,} at step {name}" for name, count in gone if count)
    return f"nothing was kept of {read:,} records read: {where}"


def decisive_keys(steps: Iterable[Step]) -> dict[str, str]:
    """The recipe keys that steps name as theirs, in an attribute ``keys``."""
    return {step.name: keys for step in steps if (keys := getattr(step, "keys", ""))}
