"""What a stage made, in a few words."""

from __future__ import annotations

from pipeline.build.work import DONE, WITHOUT, Record, Work
from pipeline.corpus.ledger import Ledger, total
from pipeline.corpus.shard import MANIFEST, read_json


def told(work: Work, name: str, record: Record) -> str:
    """What a stage made, in a few words."""
    if record.status == WITHOUT:
        return "left out"
    parts = []
    manifest = work.path("corpus", name, MANIFEST)
    if record.units and manifest.exists():
        ledger = Ledger()
        ledger.add_json(read_json(str(manifest))["ledger"])
        kept = total(ledger.kept.values()).documents
        parts.append(f"{kept:,} document{'s' * (kept != 1)}")
        if failed := sum(total(step.failed.values()).documents for step in ledger.steps.values()):
            parts.append(f"{failed:,} failed")
    if len(record.units) > 1:
        parts.append(f"{len(record.units):,} units")
    if record.passed_over:
        parts.append(f"{len(record.passed_over):,} passed over")
    report = work.path("models", "reference", "reference.json")
    if name == "reference" and record.status == DONE and report.exists():
        found = read_json(str(report))["held_out"]
        parts.append(f"held out: precision {found['precision']:.2f}, recall {found['recall']:.2f}")
    shards = work.path("shards", MANIFEST)
    if name == "mixture" and record.status == DONE and shards.exists():
        mixture = read_json(str(shards))["mixture"]
        parts.append(f"{sum(entry['tokens'] for entry in mixture.values()):,} tokens")
    return ", ".join(parts)
