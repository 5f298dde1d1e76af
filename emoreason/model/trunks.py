"""Vision trunks behind one interface: pictures [F, 3, H, W] in 0..1 -> patch features [F, N, D] and their centres [N, 2].

Centres are in crop units, x and y in 0..1, so that landmarks in the same units tell which patch lies near which region.
"""

import torch
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
FLAT = 0.02  # added to the deviation: a crop without any contrast is not blown up to noise


def grid_centres(rows: int, columns: int) -> Tensor:
    """[rows * columns, 2] x, y of patch centres in 0..1, row by row."""
    y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


class _Residual(nn.Module):
    """Two 3x3 convolutions with batch norm: at 48 pixels a quarter faster than group norm with SiLU on two cores. The trunk is
    trained on batches of many single faces and frozen afterwards, so running statistics are settled."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        plain = before == after and stride == 1
        self.skip = nn.Identity() if plain else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.body(x) + self.skip(x), inplace=True)


class SmallTrunk(nn.Module):
    """A residual CNN with stride 8: a 48-pixel crop gives 6 x 6 patches. Trained here from nothing.

    The faces it learns from are grey and the world is coloured, so it works on luma, brought to mean 0 and deviation 1 in
    every crop: exposure and contrast of the film say nothing about the face.
    """

    def __init__(self, dim: int, image_size: int):
        super().__init__()
        # 96: oneDNN (torch 2.13, CPU) corrupts memory in the backward pass of odd batches where channels are no multiple of 16
        if image_size % 8 or dim % 96:
            raise ValueError(f"small trunk: image_size must divide by 8 and dim by 96, got {image_size} and {dim}")
        stem, first, second = dim // 6, dim // 3, 2 * dim // 3
        self.dim, self.image_size = dim, image_size
        self.body = nn.Sequential(
            nn.Conv2d(1, stem, 3, 1, 1, bias=False),  # wrinkles are a pixel wide
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            _Residual(stem, first, 2),
            _Residual(first, first, 1),
            _Residual(first, second, 2),
            _Residual(second, second, 1),
            _Residual(second, dim, 2),
            _Residual(dim, dim, 1),
        ).to(memory_format=torch.channels_last)  # nearly twice as fast in bfloat16 on CPU
        self.register_buffer("luma", torch.tensor(LUMA)[:, None, None], persistent=False)
        self.register_buffer("centres", grid_centres(image_size // 8, image_size // 8), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        grey = (pictures * self.luma).sum(1, keepdim=True)  # [F, 1, H, W]
        mean, deviation = grey.mean((2, 3), keepdim=True), grey.std((2, 3), keepdim=True)
        return self.body((grey - mean) / (deviation + FLAT)).flatten(2).transpose(1, 2)  # [F, N, D]


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
