from __future__ import annotations

import platform
from pathlib import Path

import pytest

from gateway.vision.engines import processor
from gateway.vision.engines.processor import (
    CAP_VARIABLES,
    descriptor_format,
    detector_format,
    fast_float,
    has_fast_int8,
    instruction_cap,
    processor_flags,
)

NATIVE_BF16 = {"sse4_1", "avx2", "avx512f", "avx512_bf16", "amx_bf16"}


@pytest.fixture(autouse=True)
def no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in CAP_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_formats_follow_the_processor() -> None:
    flags = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not flags.exists():
        pytest.skip("this system has no file with the processor's flags")
    words = set(flags.read_text().split())
    assert (fast_float() == "bf16") == bool({"amx_bf16", "avx512_bf16"} & words)
    assert has_fast_int8() == ("sse4_1" in words)
    assert processor_flags() <= words


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        ("", "bf16"),
        ("SSE41", "f32"),
        ("avx2", "f32"),
        ("AVX2_VNNI_2", "f32"),
        ("AVX512_CORE", "f32"),
        ("AVX512_CORE_VNNI", "f32"),
        ("AVX512_CORE_BF16", "bf16"),
        ("AVX512_CORE_AMX", "bf16"),
        ("AVX10_2", "bf16"),
        ("AVX3", "bf16"),
    ],
)
def test_fast_float_follows_the_cap(cap: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN reads small and capital letters, and ignores a text that it does not know."""
    monkeypatch.setattr(processor, "processor_flags", lambda: NATIVE_BF16)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    assert fast_float() == expected


@pytest.mark.parametrize(
    ("flags", "cap", "detector", "descriptor"),
    [
        (NATIVE_BF16, "", "int8", "bf16"),
        (NATIVE_BF16, "AVX2", "int8", "int8"),
        ({"sse4_1"}, "", "int8", "int8"),
        (set[str](), "", "f32", "f32"),
    ],
)
def test_formats_of_the_networks(
    flags: set[str], cap: str, detector: str, descriptor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "processor_flags", lambda: flags)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap)
    assert (detector_format(), descriptor_format()) == (detector, descriptor)


def test_cap_does_not_add_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "processor_flags", lambda: {"sse4_1", "avx2"})
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    assert fast_float() == "f32"


def test_cap_of_the_newer_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert instruction_cap() is None
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX")
    assert instruction_cap() == "AVX"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert instruction_cap() == "AVX2"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    assert instruction_cap() == "AVX"
