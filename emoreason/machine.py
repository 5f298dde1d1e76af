"""What this process may use of the machine: cores, threads, a GPU."""

import os


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Of a numeric library: one a core, fewer where OMP_NUM_THREADS says so, which every such library listens to."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores(), int(wanted))) if wanted.isdigit() else cores()


def has_gpu() -> bool:
    """Whether torch would find one. Asked without loading torch where there is none at all."""
    try:
        import ctranslate2

        if ctranslate2.get_cuda_device_count() == 0:
            return False
    except ImportError:
        pass
    import torch

    return torch.cuda.is_available()
