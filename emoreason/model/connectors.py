"""Connectors: encoder tokens -> embeddings of the language model, at the length its own embeddings have."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Connector(nn.Module):
    """Two layers, then every token is brought to one learned length.

    The length starts at the mean norm of the language model's embeddings (`match`): tokens much longer than words drown them,
    much shorter ones are not heard. `place` tells the fixed tokens of a group apart (left brow, right brow, ...).
    """

    def __init__(self, dim: int, width: int, tokens: int):
        super().__init__()
        self.place = nn.Parameter(torch.randn(tokens, dim) * 0.02)
        self.norm = nn.LayerNorm(dim)
        self.body = nn.Sequential(nn.Linear(dim, width), nn.GELU(), nn.Linear(width, width))
        self.length = nn.Parameter(torch.ones(()))

    @torch.no_grad()
    def match(self, embeddings: Tensor) -> None:
        """embeddings [vocabulary, width]"""
        self.length.fill_(embeddings.float().norm(dim=-1).mean())

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., N, dim] -> [..., N, width]"""
        return F.normalize(self.body(self.norm(tokens) + self.place), dim=-1) * self.length
