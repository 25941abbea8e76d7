"""The number formats that are fast on this processor.

oneDNN, the library that OpenVINO computes with, has a variable of the environment that limits its instruction sets:
``ONEDNN_MAX_CPU_ISA=AVX2`` makes a server behave like a mini PC. The formats follow that limit.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Literal

Float = Literal["bf16", "f32"]
Format = Literal["int8", "bf16", "f32"]

CAP_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Variables of the environment with the limit. oneDNN reads the second one only if the first one is empty."""

CAPS_WITHOUT_BF16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}
CAPS_WITH_BF16 = {
    "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16",
    "AVX10_1_512", "AVX10_1_512_AMX", "AVX10_1_512_AMX_FP16",
    "AVX10_2", "AVX10_2_AMX_2", "AVX10_2_512", "AVX10_2_512_AMX_2",
}  # fmt: skip
"""The limits that oneDNN knows (``src/cpu/x64/cpu_isa_traits.cpp``). It ignores every other text."""


def instruction_cap() -> str | None:
    """Return the limit of oneDNN's instruction sets in capital letters, such as AVX2; None without a limit."""
    value = next(filter(None, map(os.environ.get, CAP_VARIABLES)), "").upper()
    return value if value in CAPS_WITHOUT_BF16 | CAPS_WITH_BF16 else None


def fast_float() -> Float:
    """Return bfloat16 if the processor multiplies it natively and the limit allows it, otherwise float32."""
    # OpenVINO's own query includes processors that only emulate bfloat16.
    native = {"amx_bf16", "avx512_bf16"} & processor_flags()
    return "bf16" if native and instruction_cap() not in CAPS_WITHOUT_BF16 else "f32"


def detector_format() -> Format:
    """Return the number format that is fastest for the detector: 8 bits also where bfloat16 is native."""
    return "int8" if has_fast_int8() else fast_float()


def descriptor_format() -> Format:
    """Return the number format for the descriptor: bfloat16 where it is native, otherwise the faster of the others.

    bfloat16 drifts less than 8 bits, and is nearly as fast where it is native.
    """
    if fast_float() == "bf16":
        return "bf16"
    return "int8" if has_fast_int8() else "f32"


def has_fast_int8() -> bool:
    """Return whether 8 bits are faster than float32: on every x86 processor with SSE4.1, and so under every limit.

    Measured for the detector: 16 times as fast with SSE4.1, twice with AVX2, five times with VNNI, ten times with AMX.
    """
    return "sse4_1" in processor_flags() or (platform.system() == "Darwin" and platform.machine() == "x86_64")


def processor_flags() -> set[str]:
    """Return the processor's flags from Linux; empty on other systems."""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].split()) if found else set()
