"""Whose files lie below a folder: a command writes only where it may, and removes only what it wrote.

The law, for every command:

- It writes into a new folder, an empty one, or one whose record shows it to be the command's own.
- It removes only names that its record lists, and these were recorded before they were written. What somebody else puts
  into the folder stays, and a name that is taken is never written over.
- Its inputs do not lie below its output, nor the output below a folder of which it reads all that is there.
- A single file is written over only where it carries the mark of the command that writes it, or by ``--overwrite``.

The record is ``.owner.json`` in the folder: which command it is, and the names. It goes with a copy of the folder, and
is hidden from what reads data sets. A folder of a version without records is known by what that version left there;
each command says how. Nothing here needs Apache Beam, other than for a folder on an object store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.errors import InputError, OutputError, name_a_few
from pipeline.storage.filesystem import (
    create_bytes,
    delete_files,
    exists,
    file_sizes,
    is_remote,
    join,
    open_input,
    read_bytes,
    remove_temporaries,
    write_bytes,
)
from pipeline.storage.locks import hold
from pipeline.storage.objects import list_objects

RECORD = ".owner.json"
FORMAT = 1
MARK_BYTES = 1 << 16  # of a file's head, in which its mark must stand
_LOOKED_AT = 1000  # names in a folder on an object store, which may hold millions
_NOTHING = {"lost+found"}  # what a new disk holds

# Given a folder without a record, gives the names that an earlier version of the command wrote there, or None where the
# folder is none of its.
Earlier = Callable[[str], Iterable[str] | None]


class Owned:
    """A folder that a command may write to.

    Attributes:
        root: The folder.
        command: The command, such as ``pipeline.mix``.
    """

    def __init__(self, root: str, command: str, names: Iterable[str]) -> None:
        """Takes what ``claim_folder`` found."""
        self.root = root
        self.command = command
        self._names = set(names)

    @property
    def names(self) -> frozenset[str]:
        """Names of files below the folder that are its command's, with ``/`` between their parts."""
        return frozenset(self._names)

    def path(self, name: str) -> str:
        """Where a name lies."""
        return join(self.root, *name.split("/"))

    def claim(self) -> None:
        """Writes the record, where there is none.

        Raises:
            OutputError: It cannot be written.
        """
        path = join(self.root, RECORD)
        if exists(path):
            return
        if not is_remote(self.root):
            try:
                os.makedirs(self.root, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot write to {self.root}: {error.strerror}. Choose another --output.") from error
        if not create_bytes(path, record_content(self.command, self._names)):  # another command was faster
            read_record(self.root, self.command)

    def adopt(self, names: Iterable[str]) -> None:
        """Takes names for the command's that are there already: those of a version without records."""
        self._names.update(names)

    def expect(self, names: Iterable[str]) -> None:
        """Records names that the command is about to write.

        Args:
            names: Names of files below the folder, with ``/`` between their parts.

        Raises:
            OutputError: A name is taken by a file that the record does not list; nothing is recorded then.
        """
        wanted = set(names)
        if wanted <= self._names:
            return
        with self._alone():
            new = wanted - self._names
            taken = self._taken(new)
            if taken and is_remote(self.root):  # another process of the command may have recorded, and written, them
                self._names = set(read_record(self.root, self.command) or ())
                taken = sorted(set(taken) - self._names)
            if taken:
                raise OutputError(
                    f"{self.root} holds {name_a_few(taken, whole=True)}, which python -m {self.command} did not write, "
                    "and would write over. Move it away, or choose another --output."
                )
            self._write(self._names | new)

    def remove(self, *names: str) -> None:
        """Removes files that the record lists, and the folders that they leave empty; what it does not list stays.

        Args:
            *names: Names of files, or of folders, of which all is meant that is listed below them.
        """
        wanted = tuple(f"{name}/" for name in names)
        with self._alone():
            listed = sorted(name for name in self._names if name in names or name.startswith(wanted))
            if listed:
                delete_names(self.root, listed)
                self._write(self._names.difference(listed))

    def remove_temporaries(self) -> None:
        """Removes what a killed run of the command left half-written; the names are those of no other files."""
        remove_temporaries(self.root)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Takes in what another process of the command has recorded meanwhile, and keeps others out till the end."""
        with contextlib.ExitStack() as stack:
            if not is_remote(self.root):
                handle = os.open(self.root, os.O_RDONLY)
                stack.callback(os.close, handle)
                hold(handle, wait=True)
            self._names = set(read_record(self.root, self.command) or ())
            yield

    def _taken(self, names: Iterable[str]) -> list[str]:
        if is_remote(self.root):
            return sorted(set(names) & set(file_sizes(self.root, "")))
        return sorted(name for name in names if os.path.lexists(self.path(name)))

    def _write(self, names: set[str]) -> None:
        write_bytes(join(self.root, RECORD), record_content(self.command, names))
        self._names = names


def check_folder(root: str, command: str, earlier: Earlier | None = None) -> Owned:
    """Tells whether a command may write to a folder, and writes nothing.

    Args:
        root: The folder.
        command: The command, such as ``pipeline.mix``.
        earlier: Knows the folders of versions without records.

    Returns:
        The folder, to be claimed.

    Raises:
        OutputError: It holds what the command did not write; says what, and what to do.
    """
    if not is_remote(root) and os.path.lexists(root) and not os.path.isdir(root):
        raise OutputError(f"{root} is no folder. Choose another --output.")
    if (names := read_record(root, command)) is not None:
        return Owned(root, command, names)
    known = earlier(root) if earlier is not None else None
    if known is not None:
        return Owned(root, command, known)
    if found := visible_names(root):
        raise OutputError(
            f"{root} is not empty ({name_a_few(found, whole=True)}), and nothing in it shows that python -m {command} "
            "made it. Choose another --output: a new folder, an empty one, or one that this command wrote."
        )
    return Owned(root, command, ())


def claim_folder(root: str, command: str, earlier: Earlier | None = None) -> Owned:
    """Makes a folder a command's own, by a record in it: see ``check_folder``.

    Raises:
        OutputError: It holds what the command did not write, or cannot be written.
    """
    owned = check_folder(root, command, earlier)
    owned.claim()
    return owned


def record_content(command: str, names: Iterable[str]) -> bytes:
    """The bytes of a record."""
    content = {"format": FORMAT, "command": command, "names": sorted(names)}
    return json.dumps(content, indent=0).encode() + b"\n"


def read_record(root: str, command: str) -> list[str] | None:
    """The names that the record of a folder lists; None where there is no record.

    Raises:
        OutputError: It is another command's, or damaged.
    """
    path = join(root, RECORD)
    return parse_record(read_bytes(path), root, command) if exists(path) else None


def parse_record(data: bytes, root: str, command: str) -> list[str]:
    """The names that a record lists.

    Args:
        data: Its bytes.
        root: The folder that it lies in.
        command: Whose it must be.

    Raises:
        OutputError: It is another command's, or damaged.
    """
    path = join(root, RECORD)
    try:
        record = json.loads(data)
        owner, names = str(record["command"]), [str(name) for name in record["names"]]
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(
            f"{path} is damaged ({type(error).__name__}): nothing tells whose files these are. Choose another --output."
        ) from error
    if owner != command:
        raise OutputError(
            f"{root} is an output of python -m {owner}, not of python -m {command}. Choose another --output."
        )
    if any(name.startswith("/") or ".." in name.split("/") for name in names):
        raise OutputError(f"{path} lists files that do not lie in its folder. Choose another --output.")
    return names


def visible_names(root: str) -> list[str]:
    """Some names right below a folder that are not hidden; empty where there is no folder.

    Raises:
        OutputError: The folder cannot be read.
    """
    if is_remote(root):
        below = join(root, "")
        some = (path[len(below) :] for _, (path, _) in zip(range(_LOOKED_AT), list_objects(below), strict=False))
        found = {name.partition("/")[0] for name in some}
    else:
        try:
            found = set(os.listdir(root))
        except (FileNotFoundError, NotADirectoryError):  # to make it fails, and says so
            return []
        except OSError as error:
            raise OutputError(f"{root} cannot be read: {error.strerror}. Choose another --output.") from error
    return sorted(name for name in found - _NOTHING if name and not name.startswith("."))


def delete_names(root: str, names: Sequence[str]) -> None:
    """Removes files below a folder by their names, and then the folders that are empty through it.

    The names must come from a record of who calls: nothing here asks whose they are.
    """
    delete_files([join(root, *name.split("/")) for name in names])
    remove_empty(
        root, {"/".join(parts[:depth]) for parts in (n.split("/") for n in names) for depth in range(1, len(parts))}
    )


def remove_empty(root: str, folders: Iterable[str]) -> None:
    """Removes those of some folders below a folder that are empty, the deeper ones first."""
    if is_remote(root):
        return
    for folder in sorted(folders, key=lambda name: -name.count("/")):
        with contextlib.suppress(OSError):  # it is not empty, or a link
            os.rmdir(join(root, *folder.split("/")))


def check_apart(output: str, inputs: Iterable[str], flag: str = "--input") -> None:
    """Refuses an output below a folder that is read, and inputs below the output.

    Args:
        output: The folder of the output, all of which the command may write to.
        inputs: Files that are read, and folders of which all is read.
        flag: What names the inputs.

    Raises:
        InputError: One lies below the other; says which.
    """
    folders: dict[str, str] = {}
    outer = _real(output, folders)
    for path in inputs:
        inner = _real(path, folders)
        if inner == outer or _is_below(inner, outer):
            raise InputError(
                f"{flag} {path} lies in {output}, where the command writes. Choose another --output, or move the input."
            )
        if _is_below(outer, inner):
            raise InputError(
                f"the output {output} lies in {flag} {path}, all of which is read: the next run would read what this "
                "one writes. Choose another --output."
            )


def check_file(path: str, command: str, mark: str | Callable[[bytes], bool], overwrite: bool | None) -> None:
    """Tells whether a command may write a single file.

    Args:
        path: The file.
        command: The command.
        mark: What stands in the head of each file that the command writes; or what tells, of all bytes of a file,
            whether the command wrote it.
        overwrite: Whether the user allows it to write over anything; None where the command has no flag for that.

    Raises:
        OutputError: There is a file that the command did not write.
    """
    if overwrite or not (exists(path) or os.path.lexists(path)):
        return
    if not os.path.isdir(path) and (mark(_head(path, -1)) if callable(mark) else mark.encode() in _head(path)):
        return
    allowed = "" if overwrite is None else "; --overwrite writes over it"
    raise OutputError(f"{path} is there, and python -m {command} did not write it. Choose another name{allowed}.")


def sealed(text: str, command: str) -> str:
    """A text with a last line, a comment in Markdown, HTML and SVG, by which ``is_sealed`` knows it."""
    return f"{text.rstrip()}\n{_seal(text, command)}\n"


def is_sealed(data: bytes, command: str) -> bool:
    """Whether a command wrote a text, and nobody has changed it since: what somebody added is not written over."""
    text, _, last = data.decode("utf-8", "replace").rstrip().rpartition("\n")
    return last == _seal(text, command)


def _seal(text: str, command: str) -> str:
    digest = hashlib.sha256(text.rstrip().encode("utf-8", "replace")).hexdigest()[:16]
    return f"<!-- python -m {command} wrote this; {digest} -->"


def _head(path: str, size: int = MARK_BYTES) -> bytes:
    with contextlib.suppress(OSError), open_input(path) as handle:
        return handle.read(size)
    return b""


def _real(path: str, folders: dict[str, str]) -> str:
    """A path without links; those of the folders are looked up once, since there can be many files in one."""
    if is_remote(path):
        return path.rstrip("/")
    path = os.path.abspath(path)
    if os.path.islink(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _is_below(path: str, folder: str) -> bool:
    """Whether a path lies below a folder; a file has nothing below it."""
    return is_remote(path) == is_remote(folder) and path.startswith(folder.rstrip("/") + "/")
