"""Precision: whether a device multiplies half-precision numbers fast, or only emulates it."""

import torch


def fast_bf16(device: torch.device) -> bool:
    """bfloat16 in hardware: AMX or AVX512-BF16 on a CPU, recent GPUs."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
