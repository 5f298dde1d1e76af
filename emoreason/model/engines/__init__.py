"""Decoders behind one small interface: read a prompt once, score candidate texts on its key-value cache, write on from it."""

from emoreason.model.engines.engine import MOST_TOKENS, Engine, OnText, Prompt, Runtime, SamplingEngine
from emoreason.model.engines.sampling import Sampling, Written

__all__ = ["MOST_TOKENS", "Engine", "OnText", "Prompt", "Runtime", "Sampling", "SamplingEngine", "Written"]
