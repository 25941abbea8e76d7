"""The report of a worker process about its confinement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confinement:
    """The parts of the confinement that a process does without, each with the reason; None for one that is in force.

    ``system_calls``: the filter that allows only the calls that the process needs. ``files``: Landlock, which repeats
    for files, TCP and signals what the filter forbids anyway.
    """

    system_calls: str | None = None
    files: str | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentence for a person if the confinement has a gap."""
        # Landlock alone is no gap: with the filter in force, a process opens no file at all.
        if self.system_calls is None:
            return ()
        return (
            f"Worker processes are not confined ({self.system_calls}). A picture that takes over a decoder could read"
            " the people store and use the network. Run the gateway on Linux with seccomp, on x86-64 or arm64, and do"
            " not set workers.confined to false.",
        )

    def __str__(self) -> str:
        parts = {"a filter of system calls": self.system_calls, "Landlock": self.files}
        return ", ".join(
            name if reason is None else f"no {name.removeprefix('a ')} ({reason})" for name, reason in parts.items()
        )
