"""Vision trunks behind one interface: pictures [F, 3, H, W] in 0..1 -> patch features [F, N, D] and their centres [N, 2].

Centres are in crop units, x and y in 0..1, so that landmarks in the same units tell which patch lies near which region.
"""

import torch
from torch import Tensor, nn


def grid_centres(rows: int, columns: int) -> Tensor:
    """[rows * columns, 2] x, y of patch centres in 0..1, row by row."""
    y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


class _Residual(nn.Module):
    """Two 3x3 convolutions with group norm (batches here hold few frames of few people: batch statistics would not settle)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.GroupNorm(8, after),
            nn.SiLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.GroupNorm(8, after),
        )
        plain = before == after and stride == 1
        self.skip = nn.Identity() if plain else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.silu(self.body(x) + self.skip(x))


class SmallTrunk(nn.Module):
    """A residual CNN with stride 8: a 48-pixel crop gives 6 x 6 patches. Trained here from nothing."""

    def __init__(self, dim: int, image_size: int):
        super().__init__()
        if image_size % 8 or dim % 16:
            raise ValueError(f"small trunk: image_size must divide by 8 and dim by 16, got {image_size} and {dim}")
        first, second = dim // 4, dim // 2
        self.dim, self.image_size = dim, image_size
        self.body = nn.Sequential(
            nn.Conv2d(3, first, 3, 1, 1, bias=False),
            nn.GroupNorm(8, first),
            nn.SiLU(),
            _Residual(first, first, 2),
            _Residual(first, second, 2),
            _Residual(second, second, 1),
            _Residual(second, dim, 2),
            _Residual(dim, dim, 1),
        )
        self.register_buffer("centres", grid_centres(image_size // 8, image_size // 8), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(2 * pictures - 1).flatten(2).transpose(1, 2)  # [F, N, D]


class PretrainedTrunk(nn.Module):
    """Any Hugging Face vision model that gives patch tokens on a square grid (SigLIP2, DINOv2/3, CLIP, ViT).

    Tokens in front of the grid (class, registers) are dropped; mean and std are the model's own, from its processor config.
    """

    def __init__(self, config, mean: tuple[float, ...] = (0.5,) * 3, std: tuple[float, ...] = (0.5,) * 3):
        from transformers import AutoModel

        super().__init__()
        self.model = AutoModel.from_config(config)
        self.model = getattr(self.model, "vision_model", self.model) if hasattr(config, "vision_config") else self.model
        self.dim, self.image_size = config.hidden_size, config.image_size
        side = config.image_size // config.patch_size
        self.register_buffer("centres", grid_centres(side, side), persistent=False)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        hidden = self.model(pixel_values=(pictures - self.mean) / self.std).last_hidden_state  # [F, prefix + N, D]
        return hidden[:, hidden.shape[1] - len(self.centres) :]  # [F, N, D]
