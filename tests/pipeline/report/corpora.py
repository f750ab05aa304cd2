"""Small corpora for the tests of what looks into them: real Parquet, stats and manifests, written by the sink."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.corpus.document import Document, Reject
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.manifest import CONFIGURATION, write_manifest
from pipeline.corpus.shard import Layout, write_json
from pipeline.corpus.sink import RejectPolicy, ShardSink

META = pa.struct(
    {
        "title": pa.string(),
        "perplexity": pa.float64(),
        "language_score": pa.float32(),
        "original_lines": pa.int32(),
        "kept_lines": pa.int32(),
        "answer_scores": pa.list_(pa.int32()),
        "checked": pa.bool_(),
    }
)
STEPS = ("read", "length", "perplexity")
RECIPE = {
    "min_characters": 5,
    "language": {"keep": ["en"], "threshold": 0.5},
    "perplexity": {"cutoffs": {"en": [100.0, 300.0]}},
    "rejects": {"keep": "all", "fraction": 0.01},
}
HOSTILE = (
    "<script>document.title = 'gone'</script><img src=x onerror=alert(1)></pre></script><!-- "
    "\x1b[31mred\x07 \u202eabc\u202c {{ 7 * 7 }} &amp; ]]>"
)


@dataclass
class Made:
    """A document, and the step and reason of its end; it is kept where the step is empty."""

    text: str
    step: str = ""
    reason: str = ""
    subset: str = "head"
    fields: dict[str, Any] = field(default_factory=dict)


def document(made: Made, shard: str, number: int, source: str) -> Document:
    values = {"id": f"{shard}/{number}", "url": f"https://{shard}.example/{number}", "language": "en"} | made.fields
    meta = values.pop("meta", {})
    created = values.pop("created", datetime(2026, 3, 1 + number % 28, tzinfo=timezone.utc))
    result = Document(values.pop("id"), made.text, source, f"{shard}.txt", 10 * number, created=created, **values)
    result.meta = {name.name: None for name in META} | meta
    return result


def make_source(
    root: Path,
    shards: dict[str, list[Made]],
    source: str = "commoncrawl",
    *,
    finished: bool = True,
    recipe: dict[str, Any] | None = None,
) -> Path:
    """Writes a source's folder; each shard holds the documents given."""
    layout = Layout(str(root / source))
    configuration = {"source": source, "recipe": RECIPE if recipe is None else recipe}
    write_json(str(root / source / CONFIGURATION), configuration)
    for shard, made in shards.items():
        write_shard(layout, shard, made, source)
    if finished:
        write_manifest(layout, source, configuration, layout.done())
    return root / source


def write_shard(layout: Layout, shard: str, made: list[Made], source: str) -> None:
    ledger = Ledger()
    left = [(one, document(one, shard, number, source)) for number, one in enumerate(made)]
    with ShardSink(layout.root, shard, META, RejectPolicy()) as sink:
        for name in STEPS:
            step = ledger.step(name)
            step.entered.add(len(left), sum(len(one.text) for one, _ in left))
            for one, ended in left:
                if one.step == name:
                    (step.fail if one.reason.startswith("error_") else step.drop)(one.reason, len(one.text))
                    sink.reject(Reject(ended, name, one.reason))
            left = [entry for entry in left if entry[0].step != name]
            step.left.add(len(left), sum(len(one.text) for one, _ in left))
        for one, kept in left:
            ledger.keep(one.subset, len(one.text))
            sink.keep(kept, one.subset)
        outputs, rejects = sink.finish()
    inputs = [{"path": f"{shard}.txt", "bytes": 100, "sha256": None, "records": len(made), "failed": 0}]
    files = {"outputs": [asdict(o) for o in outputs], "rejects": asdict(rejects) if rejects else None}
    write_json(layout.stats(shard), {"shard": shard, "inputs": inputs, "ledger": ledger.as_json(), **files})
    write_json(layout.timing(shard), {"seconds": 1.5, "steps": {"read": 1.0, "length": 0.5}, "peak_bytes": 5_000_000})


def scored(text: str, perplexity: float, **more: Any) -> Made:
    """A document with a perplexity, dropped by it above 300."""
    end = {"step": "perplexity", "reason": "bucket_tail"} if perplexity > 300 else {}
    subset = "head" if perplexity < 100 else "middle"
    return Made(text, **end, subset=subset, fields={"meta": {"perplexity": perplexity}} | more)
