"""Fills the data card: Hugging Face's YAML header, then the card itself in Markdown.

What comes from data (names, reasons, licences) is escaped: nothing of it becomes markup.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from pipeline.card.origins import ORIGINS, UNKNOWN
from pipeline.corpus.ledger import Tally
from pipeline.mix.shards import LOSS_MASK
from pipeline.recipe import fingerprint
from pipeline.report.budget import Budget
from pipeline.report.content import flat
from pipeline.report.corpus import Corpora, Mixture, SourceCorpus
from pipeline.report.harmless import one_line
from pipeline.report.mixture import Share, shares_of
from pipeline.report.paper import PAPER, in_paper_order, title_of
from pipeline.report.sample import Sample, take_sample
from pipeline.report.units import bytes_, counted, share, short

BUDGET = Budget(files=16, documents=5_000, characters=8_000_000, excerpts=0)
MOST_LISTED = 12
CELL_CHARACTERS = 200
TAGS = ["pretraining", "llama"]
GENERAL_LIMITS = (
    "Names, addresses and other personal data are not removed.",
    "Nothing is judged by what it says, but where a list of words is named above.",
    "Texts that tests of language models use may be in it: nothing was removed to prevent that.",
)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_QUOTE, _BAR = "\u02cb", "\u2502"  # for characters that would end the code, or the cell of the table
_SHARE_ALIKE = re.compile(r"CC BY-SA (\d\.\d)")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
# Hugging Face's size categories: the first whose bound is not reached.
_SIZES = (
    (1e3, "n<1K"),
    (1e4, "1K<n<10K"),
    (1e5, "10K<n<100K"),
    (1e6, "100K<n<1M"),
    (1e7, "1M<n<10M"),
    (1e8, "10M<n<100M"),
    (1e9, "100M<n<1B"),
    (1e10, "1B<n<10B"),
    (1e11, "10B<n<100B"),
    (1e12, "100B<n<1T"),
)


def data_card(corpora: Corpora, title: str, header: Mapping[str, Any] | None = None) -> str:
    """Writes the card.

    Args:
        corpora: The sources, and the mixtures made of them; the first mixture's shares are shown.
        title: The card's title.
        header: Of the YAML header what is to be otherwise, or to be there besides.
    """
    order = in_paper_order([corpus.name for corpus in corpora.sources])
    sources = sorted(corpora.sources, key=lambda corpus: (order.index(corpus.name), corpus.layout.root))
    samples = [take_sample(corpus, corpus.documents, (), BUDGET) for corpus in sources]
    shares = {s.source: s for s in shares_of(corpora.mixtures[0].manifest)} if corpora.mixtures else {}
    card = _template("card.md").render(
        front=Markup(front_matter(sources, samples, title, header)),
        title=title,
        sentence=_sentence(sources),
        mixture=_mixture(corpora, shares),
        sources=[_source(c, s, shares.get(c.name)) for c, s in zip(sources, samples, strict=True)],
        limits=list(_limits(sources)),
        versions=_versions([corpus.manifest for corpus in sources]),
    )
    return _tidy(card)


def shards_card(mixture: Mixture, title: str, header: Mapping[str, Any] | None = None) -> str:
    """Writes the card of token shards that go without their corpus; arguments as for ``data_card``."""
    manifest = mixture.manifest
    shares = shares_of(manifest)
    top = {"pretty_name": one_line(title), "license": ["other"], "task_categories": ["text-generation"]}
    card = _template("shards.md").render(
        front=Markup(_yaml({**top, "tags": TAGS, **(header or {})})),
        title=title,
        tokens=short(sum(share.drawn or 0 for share in shares)),
        rows=f"{manifest.get('rows', 0):,}",
        width=manifest.get("seq_len"),
        tokenizer=code(str(manifest.get("tokenizer_sha256"))),
        shares=[
            [
                title_of(share.source),
                f"{share.reached:.2%}" if share.reached is not None else "–",
                short(share.drawn or 0),
                f"{share.epochs:.3g}" if share.epochs is not None else "–",
            ]
            for share in shares
        ],
        terms=[(title_of(s.source), ORIGINS.get(s.source, UNKNOWN)) for s in shares],
        masked=_masked(manifest),
        versions=_versions([manifest]),
        fingerprint=code(str(manifest.get("fingerprint"))[:16]),
    )
    return _tidy(card)


def _masked(manifest: Mapping[str, Any]) -> str:
    """For how many tokens the loss is off, and why; empty without a loss mask."""
    record = manifest.get(LOSS_MASK)
    if not record:
        return ""
    sets = ", ".join(dict.fromkeys(entry["set"] for entry in record["against"]))
    template = manifest.get("template")
    why = [f"all but answers, as the template {template['name']} has it"] if template else []
    why += [f"those of documents that hold samples of {sets}"] if sets else []
    filled = ""
    if "padding" in manifest:
        filled = (
            f" Conversations stay whole in a row; {manifest['padding']:,} more ids, numbered 2^64 - 1, fill rows up."
        )
    of = f": {'; '.join(why)}" if why else ""
    return f"For {sum(record['tokens'].values()):,} tokens it is not{of}.{filled}"


def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=False,
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _tidy(card: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", card).rstrip("\n") + "\n"


def _yaml(header: Mapping[str, Any]) -> str:
    return f"---\n{yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True)}---"


def escaped(value: Any) -> str:
    """A value as Markdown shows it to the letter, on one line; what is Markup already stays."""
    if isinstance(value, Markup):
        return value
    text = one_line(str(value))
    if len(text) > CELL_CHARACTERS * 4:
        text = f"{text[: CELL_CHARACTERS * 4]}…"
    return _MARKUP.sub(r"\\\1", text)


def code(name: str) -> Markup:
    """A name as code, to the letter."""
    return Markup(f"`{one_line(name).replace('`', _QUOTE).replace('|', _BAR)}`")


def front_matter(
    sources: Sequence[SourceCorpus],
    samples: Sequence[Sample],
    title: str,
    more: Mapping[str, Any] | None = None,
) -> str:
    """The YAML header, which tells Hugging Face languages, licences, size, and the files of each source."""
    documents = sum(corpus.kept.documents for corpus in sources)
    languages = sorted({n for s in samples for n in _counted(s, "language") if _LANGUAGE.fullmatch(n)})
    header = {
        "pretty_name": one_line(title),
        **({"language": languages} if languages else {}),
        "license": sorted({tag for c, s in zip(sources, samples, strict=True) for tag in _license_tags(c, s)}),
        "task_categories": ["text-generation"],
        "size_categories": [next((name for bound, name in _SIZES if documents < bound), "n>1T")],
        "tags": TAGS,
        "configs": [_config(corpus) for corpus in sources if corpus.documents],
    }
    return _yaml({**header, **(more or {})})


def _license_tags(corpus: SourceCorpus, sample: Sample) -> set[str]:
    """Hugging Face's names of a source's licences; the versions of CC BY-SA are those that the documents have."""
    tag = ORIGINS.get(corpus.name, UNKNOWN).tag
    versions = {found[1] for name in _counted(sample, "license") if (found := _SHARE_ALIKE.search(name))}
    return {f"cc-by-sa-{version}" for version in versions} if tag.startswith("cc-by-sa") and versions else {tag}


def split_of(subset: str) -> str:
    """The split that a subset belongs to: ``validation`` is one, all others are for training."""
    return "validation" if subset == "validation" else "train"


def _config(corpus: SourceCorpus) -> dict[str, Any]:
    """The files of a source by split."""
    splits: dict[str, list[str]] = {}
    for subset in sorted({file.subset for file in corpus.documents}):
        splits.setdefault(split_of(subset), []).append(f"{corpus.name}/{subset}/*.parquet")
    return {"config_name": corpus.name, "data_files": [{"split": s, "path": p} for s, p in splits.items()]}


def _sentence(sources: Sequence[SourceCorpus]) -> str:
    documents = sum(corpus.kept.documents for corpus in sources)
    characters = sum(corpus.kept.characters for corpus in sources)
    names = [title_of(corpus.name) for corpus in sources]
    listed = ", ".join(names[:-1]) + (" and " if names[1:] else "") + "".join(names[-1:])
    size = f"{documents:,} documents, {short(characters)} characters"
    return f"A corpus for the training of language models: {size}, from {listed}."


def _mixture(corpora: Corpora, shares: Mapping[str, Share]) -> str:
    if not shares:
        return ""
    drawn = sum(s.drawn or 0 for s in shares.values())
    sha256 = str(corpora.mixtures[0].manifest.get("tokenizer_sha256") or "unknown")[:16]
    return (
        f"Tokens are all those of the tokenizer with SHA-256 {sha256}…; shares and epochs are those of a mixture "
        f"of {short(drawn)} tokens{_held(shares)}."
    )


def _held(shares: Mapping[str, Share]) -> str:
    heldout = sum(share.heldout for share in shares.values())
    return f", which has none of {short(heldout)} tokens that are held out, or copies of what is" if heldout else ""


def _source(corpus: SourceCorpus, sample: Sample, mixed: Share | None) -> dict[str, Any]:
    read, kept = corpus.read, corpus.kept
    inputs = corpus.manifest["inputs"]
    size = sum(entry["bytes"] for entry in inputs if entry["bytes"] and entry["bytes"] > 0)
    whole = sample.size == kept.documents
    return {
        "title": title_of(corpus.name),
        "documents": f"{kept.documents:,}",
        "characters": short(kept.characters),
        "read": f"{read.documents:,}",
        "share": _share(kept, read),
        "tokens": short(mixed.tokens) if mixed and mixed.tokens else "–",
        "reached": f"{mixed.reached:.2%}" if mixed and mixed.reached is not None else "–",
        "epochs": f"{mixed.epochs:.3g}" if mixed and mixed.epochs is not None else "–",
        "origin": ORIGINS.get(corpus.name, UNKNOWN),
        "inputs": f"Raw inputs: {counted(len({entry['path'] for entry in inputs}), 'file')}, {bytes_(size)}.",
        "sampled": "of all documents" if whole else f"of {sample.size:,} sampled documents",
        "licenses": _listed(_counted(sample, "license")),
        "languages": _listed(_counted(sample, "language")),
        "ends": [
            [code(step), Markup(f"{kind}: {code(reason)}"), f"{tally.documents:,}", _share(tally, read)]
            for step, kind, reason, tally in corpus.ends()
        ],
        "subsets": [
            [code(name), f"{tally.documents:,}", _share(tally, read)]
            for name, tally in sorted(corpus.ledger.kept.items())
        ],
        "recipe": [(code(key), value[:CELL_CHARACTERS]) for key, value in flat(corpus.recipe)],
        "fingerprint": Markup(fingerprint(corpus.manifest["configuration"])[:16]),
    }


def _share(tally: Tally, read: Tally) -> str:
    return share(tally.documents / read.documents) if read.documents else "–"


def _counted(sample: Sample, column: str) -> Counter[str]:
    if sample.rows is None or column not in sample.rows.column_names:
        return Counter()
    return Counter(value for value in sample.rows[column].to_pylist() if value)


def _listed(counted: Counter[str]) -> str:
    total = sum(counted.values())
    ranked = sorted(counted, key=lambda name: (-counted[name], name))
    parts = [f"{name} {counted[name] / total:.1%}" for name in ranked[:MOST_LISTED]]
    rest = len(ranked) - MOST_LISTED
    return "; ".join([*parts, *([f"and {rest:,} more"] if rest > 0 else [])])


def _limits(sources: Sequence[SourceCorpus]) -> Iterator[str]:
    """What a user should know: of the sources, of this run of them, and of all text from people."""
    for corpus in sources:
        title = title_of(corpus.name)
        for limit in ORIGINS.get(corpus.name, UNKNOWN).limits:
            yield f"{title}: {limit}"
        if not corpus.finished:
            yield f"{title}: the run has not ended; done so far: {counted(corpus.manifest['shards'], 'shard')}."
        if small := [m for m in corpus.manifest["configuration"].get("models") or {} if m.startswith("samples/")]:
            yield f"{title}: made with small models that ship for a first run, not for real work: {', '.join(small)}."
        failed = sum(tally.documents for _, kind, _, tally in corpus.ends() if kind == "failed")
        if failed:
            yield f"{title}: {counted(failed, 'record')} could not be read."
        rejects = corpus.recipe.get("rejects") or {}
        if rejects.get("keep") == "sample":
            yield f"{title}: of what was dropped, only a sample ({rejects['fraction']:.0%}) is kept as text."
    missing = [PAPER[name].title for name in PAPER if name not in {corpus.name for corpus in sources}]
    if missing:
        yield f"Of the paper's sources it lacks {', '.join(missing)}."
    yield from GENERAL_LIMITS


def _versions(manifests: Sequence[Mapping[str, Any]]) -> str:
    found: dict[str, set[str]] = {}
    for manifest in manifests:
        for name, version in (manifest.get("versions") or {}).items():
            found.setdefault(name, set()).add(version)
    parts = [f"{name} {' and '.join(sorted(versions))}" for name, versions in found.items()]
    return f"Versions: {', '.join(part for part in parts if not part.endswith('not installed'))}."
