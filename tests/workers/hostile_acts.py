"""The acts of a worker process that a picture has taken over. Each raises OSError or MemoryError if it is refused."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.confinement.system_calls import FIRST_COMMON_NUMBER

REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS}
"""The reasons of a refusal by the system. Any other reason shows that the kernel began with the act."""


@dataclass(frozen=True, slots=True)
class Target:
    """The things to attack: a folder with the store, the gateway's process, and another worker process."""

    folder: str
    parent: int
    sibling: int


# Numbers for x86-64 and arm64. From 424 on they are the same.
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "unshare": (272, 97),
    "pidfd_open": (434, 434),
    "io_uring_setup": (425, 425),
    "clone3": (435, 435),
    "openat2": (437, 437),
}


def call(name: str, *arguments: object) -> None:
    """Make a system call, without the C library's own function."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = _NUMBERS[name]
    number = numbers[os.uname().machine == "aarch64"] if numbers[0] < FIRST_COMMON_NUMBER else numbers[0]
    if libc.syscall(number, *arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _signal_by_a_file(target: Target) -> None:
    """Let the system signal the gateway when the file gets data."""
    fcntl.fcntl(2, fcntl.F_SETOWN, target.parent)


def _read_memory(pid: int) -> None:
    own = ctypes.create_string_buffer(8)
    part = struct.pack("QQ", ctypes.addressof(own), 8)
    call("process_vm_readv", pid, part, 1, part, 1, 0)


def _run_a_program() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


ACTS: dict[str, Callable[[Target], object]] = {
    # The network.
    "open a socket": lambda _: socket.socket().close(),
    "open a UDP socket": lambda _: socket.socket(type=socket.SOCK_DGRAM).close(),
    "open an IPv6 socket": lambda _: socket.socket(socket.AF_INET6).close(),
    "open a Unix socket": lambda _: socket.socket(socket.AF_UNIX).close(),
    "make a pair of sockets": lambda _: socket.socketpair(),
    # The store, the key and other files.
    "read the store": lambda target: Path(target.folder, "people.sqlite").read_bytes(),
    "open the store by openat2": lambda target: call(
        "openat2", -100, f"{target.folder}/people.sqlite".encode(), bytes(24), 24
    ),
    "list the folder": lambda target: list(Path(target.folder).iterdir()),
    "look for the store": lambda target: Path(target.folder, "people.sqlite").stat(),
    "read passwords": lambda _: Path("/etc/passwd").read_bytes(),
    "read a module": lambda _: Path(__file__).read_bytes(),
    "write the store": lambda target: Path(target.folder, "people.sqlite").write_bytes(b""),
    "create a file": lambda target: Path(target.folder, "new").touch(),
    "create a temporary file": lambda _: Path("/tmp/facegate-hostile").touch(),  # noqa: S108
    "create a file in memory": lambda _: call("memfd_create", b"x", 0),
    "create a folder": lambda target: Path(target.folder, "folder").mkdir(),
    "create a link": lambda target: Path(target.folder, "link").symlink_to("people.sqlite"),
    "rename the store": lambda target: Path(target.folder, "people.sqlite").rename(Path(target.folder, "gone")),
    "remove the store": lambda target: Path(target.folder, "people.sqlite").unlink(),
    "open the store to all": lambda target: Path(target.folder, "people.sqlite").chmod(0o777),
    # The gateway's process, and other worker processes.
    "read the gateway's environment": lambda target: Path(f"/proc/{target.parent}/environ").read_bytes(),
    "open the gateway's memory": lambda target: Path(f"/proc/{target.parent}/mem").open("rb").close(),
    "read the gateway's memory": lambda target: _read_memory(target.parent),
    "trace the gateway": lambda target: call("ptrace", 0x4206, target.parent, 0, 0),
    "signal the gateway": lambda target: os.kill(target.parent, 0),
    "signal a thread of the gateway": lambda target: call("tgkill", target.parent, target.parent, 0),
    "queue a signal": lambda target: call("rt_sigqueueinfo", target.parent, 0, bytes(128)),
    "signal by a file": _signal_by_a_file,
    "open the gateway's process": lambda target: call("pidfd_open", target.parent, 0),
    "signal another worker": lambda target: os.kill(target.sibling, 0),
    "read the memory of another worker": lambda target: _read_memory(target.sibling),
    "limit the gateway": lambda target: resource.prlimit(target.parent, resource.RLIMIT_NOFILE),
    "slow down the gateway": lambda target: os.setpriority(os.PRIO_PROCESS, target.parent, 19),
    # Programs, privileges and rare parts of the kernel.
    "run a program": lambda _: _run_a_program(),
    "become another process": lambda _: _fork(),
    "become another process by clone3": lambda _: call("clone3", bytes(88), 88),
    "use io_uring": lambda _: call("io_uring_setup", 1, ctypes.create_string_buffer(120)),
    "load a program into the kernel": lambda _: call("bpf", 0, bytes(128), 128),
    "count events": lambda _: call("perf_event_open", bytes(128), 0, -1, -1, 0),
    "handle page faults": lambda _: call("userfaultfd", 1),
    "use the kernel's keys": lambda _: call("keyctl", 0, -3, 0),
    "mount": lambda _: call("mount", b"none", b"/mnt", b"tmpfs", 0, 0),
    "enter a namespace": lambda _: call("unshare", 0x10000000),
    "type into the terminal": lambda _: fcntl.ioctl(2, 0x5412, b"x"),
    # Memory.
    "take much memory": lambda _: bytes(16 << 30),
    "take shared memory": lambda _: mmap.mmap(-1, 1 << 20).close(),
    "raise a limit": lambda _: resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2),
}


def _start_threads() -> None:
    """Start as many threads as the system allows."""
    threading.stack_size(1 << 16)
    while True:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


ENDLESS_ACTS: dict[str, Callable[[Target], object]] = {"start threads": lambda _: _start_threads()}
"""Acts that the system does not refuse. The gateway has to end them."""


def outcome(act: str, target: Target) -> str:
    """Do an act, and return ``refused``, or the reason for which it is not."""
    try:
        (ACTS | ENDLESS_ACTS)[act](target)
    # Python reports a limit that may not be raised as a ValueError.
    except (MemoryError, ValueError):
        return "refused"
    except OSError as error:
        return "refused" if error.errno in REFUSED else f"began: {error}"
    return "done"
