"""One submission: the files in it that are not figures, as bytes; whatever it is packed in, within limits.

arXiv packs a submission as a gzipped tar, or, when it is one file, as that file gzipped. In the bulk tars both are
named ``.gz``; some members of that name are plain tars, HTML, PostScript, or not packed at all. The bytes tell.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field

from filters.latex.assemble import TEX_SUFFIXES, normal_path
from pipeline.formats.inflate import GZIP_MAGIC, Window, inflated
from pipeline.formats.tar import BLOCK, Fault, is_tar, tar_members
from sources.arxiv.recipe import SubmissionLimits

HEAD_BYTES = 1024  # held of a figure: enough to know what it is
MOST_LAYERS = 2  # a gzip in a gzip occurs, where an author uploaded one
# Never read as TeX, and nine tenths of a submission's bytes.
FIGURES = (
    ".eps", ".ps", ".epsf", ".epsi", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".tif", ".tiff", ".bmp", ".fig",
    ".jp2", ".mp4", ".avi", ".mov", ".mpg", ".zip", ".gz", ".bz2", ".xz", ".7z", ".h5", ".hdf5", ".fits", ".npy",
    ".npz", ".pkl", ".mat", ".root", ".pfb", ".ttf", ".otf", ".pk", ".dvi", ".doc", ".docx", ".xls", ".xlsx",
)  # fmt: skip


class BadSubmission(ValueError):
    """A submission that gives no files; ``reason`` says why in a word, the message in a sentence.

    ``failed`` tells whether it is damaged, as opposed to sound but without a source.
    """

    def __init__(self, reason: str, message: str, *, failed: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.failed = failed


@dataclass
class Submission:
    """The files of a submission, and what was left out.

    Attributes:
        files: Path to bytes; of figures the first kilobyte.
        left_out: Why files were left out, counted: ``unsafe_name``, ``link``, ``too_large``.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        """The bytes held, by which a batch of documents is measured (``Document.weight``)."""
        return sum(map(len, self.files.values()))


class Collector:
    """Takes the files of one submission, within its limits."""

    def __init__(self, limits: SubmissionLimits) -> None:
        self.submission = Submission()
        self._limits = limits
        self._held = 0
        self._files = 0

    def add(self, path: str, data: bytes) -> None:
        """Takes a file; the later of two of one name stays, as in a folder.

        Raises:
            BadSubmission: There are more files, or more TeX, than the limits allow.
        """
        if self._held + len(data) > self._limits.text_megabytes << 20:
            self.leave_out("too_large", path, f"with it, it has more than {self._limits.text_megabytes} MB of text")
            return
        self._count()
        self._held += len(data)
        self.submission.files[path] = data

    def leave_out(self, reason: str, path: str, message: str) -> None:
        """Counts a file that is left out.

        Raises:
            BadSubmission: It is TeX, and too large: the paper would not be whole without it.
        """
        self._count()
        if reason == "too_large" and path.lower().endswith(TEX_SUFFIXES):
            raise BadSubmission(reason, f"{path!r}: {message}")
        self.submission.left_out[reason] += 1

    def _count(self) -> None:
        self._files += 1
        if self._files > self._limits.files:
            raise BadSubmission("too_many_files", f"it has more than {self._limits.files} files (limits.files)")


def wanted_bytes(path: str) -> int | None:
    """How many of a file's first bytes are held; None for all."""
    return HEAD_BYTES if path.lower().endswith(FIGURES) else None


def unpack(data: bytes, name: str, limits: SubmissionLimits) -> Submission:
    """Unpacks a submission.

    Args:
        data: A tar or a single file, plain or gzipped.
        name: What to call it where it is a single file.
        limits: What it may ask for.

    Raises:
        BadSubmission: It is damaged, or beyond the limits.
    """
    for _ in range(MOST_LAYERS):
        window = inflated(io.BytesIO(data))
        window.fill(BLOCK)
        if is_tar(window.data[window.at : window.at + BLOCK]):
            return _untar(window, limits)
        packed = data[:2] == GZIP_MAGIC
        data = _single(window, limits)
        if not packed or data[:2] != GZIP_MAGIC:
            break
    return Submission({name: data})


def _untar(window: Window, limits: SubmissionLimits) -> Submission:
    collector = Collector(limits)
    total = limits.unpacked_megabytes << 20
    for item in tar_members(window, limits.file_megabytes << 20, total=total, wanted=wanted_bytes):
        if not isinstance(item, Fault):
            collector.add(normal_path(item.name), item.data)
        elif item.name:
            collector.leave_out(item.reason, item.name, item.message)
        elif not (window.damage and window.member_ends(window.at)):  # else the damage stands behind the whole gzip
            raise BadSubmission(item.reason, item.message)
    return collector.submission


def _single(window: Window, limits: SubmissionLimits) -> bytes:
    limit = limits.file_megabytes << 20
    data = window.take(limit + 1)
    if len(data) > limit:
        raise BadSubmission("too_large", f"it is one file of more than {limit >> 20} MB (limits.file_megabytes)")
    # What stands behind a whole gzip member is no part of the paper; a member that breaks off is one that lost some.
    if window.damage and not window.member_ends(window.at):
        raise BadSubmission(window.damage.reason, "its gzip is damaged or cut")
    return data
