"""Programs in the sandbox: what comes to its end, and what it cannot do."""

import pytest

from trainer_bridge.benchmark.sandbox import Sandbox
from trainer_bridge.errors import TrainerError


def holds():
    try:
        Sandbox().check()
    except TrainerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not holds(), reason="this machine offers no sandbox")

PASS = {
    "right": "assert 1 + 1 == 2",
    "the libraries": "import collections, heapq, itertools, math, random, re, string",
    "a file of its own": "open('/tmp/x', 'w').write('a'); assert open('/tmp/x').read() == 'a'",
    "nothing of the environment": "import os; assert 'HOME' not in os.environ and len(os.environ) < 7",
    "no network but its own": "import socket; assert [name for _, name in socket.if_nameindex()] == ['lo']",
    "no other process": "import os; assert [n for n in os.listdir('/proc') if n.isdigit()] == ['1']",
    "no files of users": "import os; assert not {'home', 'etc', 'var'} & set(os.listdir('/')) - {'etc'}",
}
FAIL = {
    "wrong": "assert 1 + 1 == 3",
    "no Python": "def f(:",
    "null": "\0",
    "leaves before its end": "import sys; sys.exit(0)",
    "leaves at once": "import os; os._exit(0)",
    "writes to the system": "open('/usr/x', 'w')",
    "reads the secrets": "open('/etc/shadow')",
    "memory": "'a' * (1 << 31)",
    "a large file": "open('/tmp/x', 'w').write('a' * (1 << 25))",
    "connects": "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
    "another process": "import subprocess; subprocess.run(['true'])",
    "a thread": "import threading; threading.Thread(target=print).start()",
    "makes the system writable": "import ctypes; assert not ctypes.CDLL(None).mount(None, b'/usr', None, 0x1020, None)",
    "mounts a folder in memory": "import ctypes; assert ctypes.CDLL(None).mount(b'', b'/tmp', b'tmpfs', 0, None) == 0",
    "unmounts": "import ctypes; assert ctypes.CDLL(None).umount2(b'/proc', 2) == 0",
    "a namespace of its own": "import ctypes; assert ctypes.CDLL(None).unshare(0x10020000) == 0",
    "has capabilities": "assert 'CapEff:\\t' + '0' * 16 not in open('/proc/self/status').read()",
    "can have capabilities": "assert 'CapBnd:\\t' + '0' * 16 not in open('/proc/self/status').read()",
    "says that it passed": "print('passed'); raise SystemExit",
}


def test_what_comes_to_its_end():
    programs = {**PASS, **FAIL}
    found = dict(zip(programs, Sandbox().run(list(programs.values())), strict=True))
    assert found == {**dict.fromkeys(PASS, True), **dict.fromkeys(FAIL, False)}


def test_no_end():
    endless = ["while True: pass", "import time; time.sleep(100)"]
    assert Sandbox(seconds=1).run(endless) == [False, False]


def test_a_machine_without_one_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TrainerError, match=r"this machine offers none \(no unshare, mount"):
        Sandbox().check()
