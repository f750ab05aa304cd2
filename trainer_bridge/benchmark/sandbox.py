"""Programs that a model wrote, run where they can reach nothing.

Each runs in a process of its own, in new Linux namespaces (user, network, mounts, processes, IPC, host name): there is
no network, no other process to be seen, and no file but the system's libraries and this Python, which are read-only,
and an empty folder in memory. Time, memory and file size have limits; no process or thread can be started, nothing
mounted and no namespace entered (seccomp), and what root may do in a namespace of its own is given up (capabilities):
else a program could make the system's folders writable again. Where the machine has no such means, nothing is run.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trainer_bridge.errors import TrainerError

TOOLS = ("unshare", "mount", "umount", "pivot_root", "sh")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives")
REFUSED = (
    "programs that a model wrote are run only in a sandbox, and this machine offers none ({}). It takes Linux with "
    "util-linux and user namespaces (kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; in a "
    "container, one that is started with them). Run it elsewhere, or without --run-code"
)
# A root of its own in memory, with what Python needs bound into it read-only; then the old root is let go.
_ENTER = """
set -e
root="$1"; python="$2"; driver="$3"; shift 3
mount --make-rprivate /
mount -t tmpfs -o size=64m,mode=755,nosuid,nodev none "$root"
for each in "$@"; do
  if [ -L "$each" ]; then mkdir -p "$root$(dirname "$each")"; cp -d "$each" "$root$each"
  elif [ -d "$each" ]; then
    mkdir -p "$root$each"; mount --bind "$each" "$root$each"; mount -o remount,bind,ro,nosuid "$root$each"
  fi
done
mkdir -p "$root/tmp" "$root/proc" "$root/dev" "$root/old"
mount -t proc -o ro none "$root/proc"
for each in null zero urandom; do touch "$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
cd "$root"
pivot_root . old
umount -l /old
cd /tmp
exec "$python" -I -S -c "$driver"
"""
# The program may not say for itself that it came to its end: the word for that is read before it, and said after it.
_DRIVER = """
import ctypes, os, platform, resource, struct, sys
word = sys.stdin.buffer.readline()
seconds, memory = map(int, sys.stdin.buffer.readline().split())
program = sys.stdin.buffer.read()
said = os.dup(1)
nowhere = os.open('/dev/null', os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(nowhere, number)
limits = {'CPU': seconds, 'AS': memory, 'FSIZE': 1 << 24, 'NOFILE': 64, 'CORE': 0, 'STACK': 1 << 26}
for name, value in limits.items():
    resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (value, value))
machine, calls = {  # fork, vfork, clone; unshare, setns, mount, umount2, pivot_root
    'x86_64': (0xC000003E, (57, 58, 56, 272, 308, 165, 166, 155)),
    'aarch64': (0xC00000B7, (220, 97, 268, 40, 39, 41)),
}[platform.machine()]
calls += (435, 428, 429, 430, 431, 432, 433, 442)  # clone3; open_tree to fspick, mount_setattr
kill, allow, again = (struct.pack('=HBBI', 6, 0, 0, what) for what in (0x80000000, 0x7FFF0000, 0x5000B))
steps = [struct.pack('=HBBI', 32, 0, 0, 4), struct.pack('=HBBI', 21, 1, 0, machine), kill]
steps += [struct.pack('=HBBI', 32, 0, 0, 0)]
for number, call in enumerate(calls):
    steps.append(struct.pack('=HBBI', 21, len(calls) - number, 0, call))
code = b''.join([*steps, allow, again])
held = ctypes.create_string_buffer(code, len(code))
filters = ctypes.create_string_buffer(struct.pack('HP', len(code) // 8, ctypes.addressof(held)))
library = ctypes.CDLL(None)
nothing = ctypes.create_string_buffer(struct.pack('=Ii', 0x20080522, 0)), ctypes.create_string_buffer(24)
for number in range(64):
    library.prctl(24, number, 0, 0, 0)  # the bounding set, as far as this kernel has capabilities
if library.prctl(38, 1, 0, 0, 0) or library.capset(*nothing) or library.prctl(22, 2, filters, 0, 0):
    os._exit(1)
del ctypes, library
try:
    exec(compile(program, 'program', 'exec'), {'__name__': '__main__'})
except BaseException:
    os._exit(1)
os.write(said, word)
os._exit(0)
"""


@dataclass(frozen=True)
class Sandbox:
    """How programs are run.

    Attributes:
        seconds: of each program, by the clock and of the processor (Chen et al. 2021: 3 seconds).
        memory: bytes of address space of each.
        workers: programs at one time.
    """

    seconds: int = 3
    memory: int = 1 << 30
    workers: int = os.cpu_count() or 1

    def check(self) -> None:
        """Raises TrainerError where this machine has no sandbox, or one that does not hold."""
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise TrainerError(REFUSED.format(f"no {', '.join(missing)}"))
        if not self._passes("assert 1 + 1 == 2"):
            raise TrainerError(REFUSED.format("namespaces are not allowed, or take too long"))
        if any(self.run(_FORBIDDEN)):
            raise TrainerError(REFUSED.format("its files, its network or new processes can be had from inside"))

    def run(self, programs: Sequence[str]) -> list[bool]:
        """Which programs come to their end, without an exception and in time."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._passes, programs))

    def _passes(self, program: str) -> bool:
        word = secrets.token_hex(16).encode()
        head = b"%s\n%d %d\n" % (word, self.seconds, self.memory)
        with tempfile.TemporaryDirectory(prefix="sandbox-") as root:
            command = [*_NAMESPACES, "sh", "-c", _ENTER, "sh", root, sys.executable, _DRIVER, *_readable()]
            try:
                done = subprocess.run(
                    command,
                    input=head + program.encode("utf-8", "replace"),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                    timeout=self.seconds + 2,  # to set up
                    check=False,
                )
            except subprocess.TimeoutExpired:  # which has killed unshare, and with it all that ran inside
                return False
        return done.returncode == 0 and done.stdout == word + b"\n"


_NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--uts"),
    *("--fork", "--kill-child"),
)
_FORBIDDEN = (
    "open('/usr/probe', 'w')",
    "import socket; assert [name for _, name in socket.if_nameindex()] != ['lo']",
    "import os; os.fork()",
    "import ctypes; assert ctypes.CDLL(None).mount(None, b'/usr', None, 0x1020, None) == 0",  # writable again
)


def _readable() -> list[str]:
    """Folders that Python needs: the system's, and where this interpreter and its library lie."""
    real = Path(sys.executable).resolve()
    own = {Path(sys.base_prefix), Path(sys.prefix) / "bin", real.parent}
    outside = [
        str(path)
        for path in sorted(own)
        if not str(path).startswith(("/usr/", "/bin/", "/lib")) and str(path) != "/usr"
    ]
    return [*SYSTEM, *outside]
