"""A graph of a language model, opened by onnxruntime: keys and values are written in place.

Letters: R rows read together, T tokens of a pass, H width, D head width.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from emoreason.errors import ContextError


def open_session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """On the CPU. Raises onnxruntime's own errors when the file cannot be run."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class Graph:
    """A graph of the backbone, opened. Its limits are its own: layers, heads and widths are read from it."""

    def __init__(self, file: Path, threads: int):
        """Raises onnxruntime's own errors when the file cannot be run."""
        self.session = open_session(file, threads)
        past = [one for one in self.session.get_inputs() if one.name.startswith("past_key_values.")]
        self.names = [one.name.removeprefix("past_key_values.") for one in past]
        self.heads, self.head_width = past[0].shape[1], past[0].shape[3]
        shapes = {one.name: one.shape for one in self.session.get_outputs()}
        self.widths = {name: shapes[name][-1] for name in ("logits", "hidden_states") if name in shapes}
        self.positions = int(self.session.get_modelmeta().custom_metadata_map["positions"])
        self._only_what_is_asked = onnxruntime.RunOptions()
        self._only_what_is_asked.only_execute_path_to_fetches = True  # else the output layer reads every prompt token, too

    def cache(self, rows: int, tokens: int, spare: int = 0) -> np.ndarray:
        """Empty keys and values [2 layers, R, K, tokens, D], with up to `spare` tokens more as far as the model has positions.

        Raises ContextError for more tokens than positions.
        """
        if tokens > self.positions:
            raise ContextError(f"{tokens} tokens do not fit the language model's {self.positions} positions: shorten the prompt")
        size = min(tokens + spare, self.positions)
        return np.zeros((len(self.names), rows, self.heads, size, self.head_width), np.float32)

    def run(
        self, embedded: np.ndarray, cache: np.ndarray, lengths: Sequence[int], wanted: str | None = None
    ) -> np.ndarray | None:
        """Read embeddings [R, T, H] into the cache, which then holds `lengths` tokens of each row: `wanted` output [R, T, ...].

        More than one row is read one token at a time.
        """
        binding = self.session.io_binding()
        steps = np.arange(max(lengths)) < np.array(lengths)[:, None]
        out = np.empty((*embedded.shape[:2], self.widths[wanted]), np.float32) if wanted else None
        mask = steps.astype(np.int64)
        _bind(binding.bind_input, "inputs_embeds", embedded)
        _bind(binding.bind_input, "attention_mask", mask)
        for name, states in zip(self.names, cache, strict=True):
            _bind(binding.bind_input, f"past_key_values.{name}", states)
            _bind(binding.bind_output, f"present.{name}", states)
        if out is not None:
            _bind(binding.bind_output, wanted, out)
        self.session.run_with_iobinding(binding, self._only_what_is_asked)
        return out


def _bind(bind: Callable[..., None], name: str, values: np.ndarray) -> None:
    if not values.flags.c_contiguous:
        raise ValueError(f"{name} must lie in one piece in memory")
    bind(name, "cpu", 0, values.dtype.type, values.shape, values.ctypes.data)
