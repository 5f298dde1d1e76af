"""Face-region encoder: aligned crops, mesh and signals of up to P persons over T frames -> frame features and face tokens.

Letters: B batch, P persons, T frames, F = valid frames of the whole batch, R regions, N patches, D width, M points of a
region, Q dynamics tokens. Crop units: x, y in 0..1 across the crop, z in the same scale.
"""

import torch
from torch import Tensor, nn

from emoreason.model.batch import REGION_NAMES, FaceBatch, FaceOutput
from emoreason.perception.regions import regions

NEAR = 0.15  # initial reach of a region over the patches, crop units


class RegionGeometry(nn.Module):
    """One linear map per region over its own points (relative to their centre, and that centre), all in one einsum."""

    def __init__(self, dim: int):
        super().__init__()
        groups = list(regions().values())
        most = max(len(group) for group in groups)
        index = torch.tensor([[*group, *[group[0]] * (most - len(group))] for group in groups])  # [R-1, M]
        real = torch.tensor([[1.0] * len(group) + [0.0] * (most - len(group)) for group in groups])
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("real", real[..., None], persistent=False)  # [R-1, M, 1]
        self.weight = nn.Parameter(torch.randn(len(groups), 3 * (most + 1), dim) * (3 * most) ** -0.5)
        self.signals = nn.Linear(52 + 5, dim)  # blendshapes, pose and gaze feed the head_gaze region

    def forward(self, landmarks: Tensor, blendshapes: Tensor, pose: Tensor, gaze: Tensor) -> tuple[Tensor, Tensor]:
        """[F, ...] -> embeddings [F, R, D] and region centres [F, R, 2] in crop units (head_gaze: the crop's centre)."""
        points = landmarks[:, self.index] * self.real  # [F, R-1, M, 3]
        centre = points.sum(2) / self.real.sum(1)  # [F, R-1, 3]
        shape = (points - centre[:, :, None]) * self.real * 4  # a region spans about a quarter of the crop
        flat = torch.cat([shape.flatten(2), 2 * centre - 1], dim=2)  # [F, R-1, 3 * (M + 1)]
        parts = torch.einsum("frm,rmd->frd", flat, self.weight)  # [F, R-1, D]
        head = self.signals(torch.cat([blendshapes, pose / 45, gaze / 30], dim=1))[:, None]  # [F, 1, D]
        middle = torch.full_like(centre[:, :1, :2], 0.5)
        return torch.cat([parts, head], dim=1), torch.cat([centre[..., :2], middle], dim=1)


class RegionAttention(nn.Module):
    """Region queries attend to patches; a learned reach per region and head makes near patches count more."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_q, self.norm_kv = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.kv, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.log_reach = nn.Parameter(torch.full((len(REGION_NAMES), heads), NEAR).log())
        with torch.no_grad():
            self.log_reach[-1] += 2.0  # head_gaze looks at the whole crop

    def forward(self, queries: Tensor, patches: Tensor, centres: Tensor, places: Tensor, mesh: Tensor) -> Tensor:
        """queries [F, R, D], patches [F, N, D], centres [F, R, 2], places [N, 2], mesh [F] bool -> [F, R, D]."""
        far = (centres[:, :, None] - places).square().sum(-1)  # [F, R, N]
        bias = -far[:, None] / (2 * self.log_reach.exp().square().T[:, :, None])  # [F, heads, R, N]
        bias = torch.where(mesh[:, None, None, None], bias, 0.0)  # without landmarks nobody knows what is near

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [F, heads, ., D / heads]

        key, value = self.kv(self.norm_kv(patches)).chunk(2, dim=-1)
        query = split(self.q(self.norm_q(queries)))
        mixed = nn.functional.scaled_dot_product_attention(query, split(key), split(value), attn_mask=bias.to(query.dtype))
        return queries + self.out(mixed.transpose(1, 2).flatten(2))  # [F, R, D]


class SecondsEncoding(nn.Module):
    """Sines and cosines of real seconds relative to the first valid frame: uneven sampling is normal (periods 0.1 s to 100 s)."""

    def __init__(self, dim: int):
        super().__init__()
        periods = torch.logspace(-1, 2, dim // 2)
        self.register_buffer("rates", 2 * torch.pi / periods, persistent=False)

    def forward(self, times_s: Tensor, mask: Tensor) -> Tensor:
        first = times_s.masked_fill(~mask, torch.inf).amin(-1, keepdim=True)
        angle = torch.where(mask, times_s - first, 0.0)[..., None] * self.rates  # [..., T, D/2]
        return torch.cat([angle.sin(), angle.cos()], dim=-1)  # [..., T, D]


class FaceRegionEncoder(nn.Module):
    """`trunk` maps pictures [F, 3, H, W] to patches [F, N, trunk.dim] and knows their `centres` [N, 2]."""

    def __init__(self, trunk: nn.Module, dim: int, heads: int = 4, layers: int = 2, dynamics: int = 4, dropout: float = 0.1):
        super().__init__()
        self.trunk, self.dim = trunk, dim
        self.to_dim = nn.Linear(trunk.dim, dim) if trunk.dim != dim else nn.Identity()
        self.places = nn.Linear(2, dim)
        self.queries = nn.Parameter(torch.randn(len(REGION_NAMES), dim) * 0.02)
        self.no_mesh = nn.Parameter(torch.zeros(len(REGION_NAMES), dim))
        self.geometry, self.attention = RegionGeometry(dim), RegionAttention(dim, heads)
        self.frame = nn.Sequential(nn.Linear(len(REGION_NAMES) * dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.seconds = SecondsEncoding(dim)
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout, "gelu", batch_first=True, norm_first=True)
        self.temporal = nn.TransformerEncoder(layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.summary = nn.Parameter(torch.randn(len(REGION_NAMES) + dynamics, dim) * 0.02)
        self.pool = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, batch: FaceBatch) -> FaceOutput:
        regional = self.encode_frames(batch)  # [B, P, T, R, D]
        people = batch.frame_mask.shape[:2]
        mask = batch.frame_mask.flatten(0, 1)  # [B*P, T]
        context, tokens = self.over_time(regional.flatten(0, 1), batch.times_s.flatten(0, 1), mask)
        return FaceOutput(context.unflatten(0, people), tokens.unflatten(0, people), mask.any(1).unflatten(0, people))

    def over_time(self, regional: Tensor, times_s: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Each person's series: regional [N, T, R, D], times_s and mask [N, T] -> frames [N, T, D] and tokens [N, R + Q, D],
        zeros where nobody is seen."""
        seen = mask.any(1)  # [N]
        attend = mask | ~seen[:, None]  # a person never seen attends to zeros; its output is dropped below
        encoding = self.seconds(times_s, mask)  # [N, T, D]
        context = self.temporal(self.frame(regional.flatten(2)) + encoding, src_key_padding_mask=~attend)  # [N, T, D]
        tokens = self._tokens(regional, encoding, context, attend)  # [N, R + Q, D]
        return context * (mask & seen[:, None])[..., None], tokens * seen[:, None, None]

    def encode_frames(self, batch: FaceBatch) -> Tensor:
        """[B, P, T, R, D] region features of each frame on its own; only valid frames go through the trunk."""
        keep = batch.frame_mask
        pictures = batch.crops[keep]  # [F, 3, H, W]
        pictures = pictures.to(self.queries.dtype) / (255 if pictures.dtype == torch.uint8 else 1)
        found = self.regional(pictures, *self._signals(batch, keep), batch.mesh_mask[keep])
        out = found.new_zeros(*keep.shape, *found.shape[1:])  # [B, P, T, R, D]
        out[keep] = found
        return out

    def regional(
        self, pictures: Tensor, landmarks: Tensor, blendshapes: Tensor, pose: Tensor, gaze: Tensor, mesh: Tensor
    ) -> Tensor:
        """[F, R, D] of F frames: pictures float [F, 3, H, W] in 0..1, mesh bool [F] whether the measurements mean anything."""
        measured = (landmarks, blendshapes, pose, gaze)
        known = [
            torch.where(mesh.view(-1, *[1] * (x.dim() - 1)), x, torch.zeros((), dtype=x.dtype, device=x.device)) for x in measured
        ]
        geometry, centres = self.geometry(*known)  # [F, R, D], [F, R, 2]
        geometry = torch.where(mesh[:, None, None], geometry, self.no_mesh)
        patches = self.to_dim(self.trunk(pictures)) + self.places(self.trunk.centres)  # [F, N, D]
        return self.attention(self.queries + geometry, patches, centres, self.trunk.centres, mesh)

    def _signals(self, batch: FaceBatch, keep: Tensor) -> list[Tensor]:
        return [x[keep].to(self.queries.dtype) for x in (batch.landmarks, batch.blendshapes, batch.pose, batch.gaze)]

    def _tokens(self, regional: Tensor, encoding: Tensor, context: Tensor, attend: Tensor) -> Tensor:
        """[N, R+Q, D]: each region token pools its own region over time; dynamics tokens pool the temporal context."""
        people, count = regional.shape[0], len(REGION_NAMES)
        series = (regional + encoding[:, :, None]).transpose(1, 2).flatten(0, 1)  # [N*R, T, D]
        query = self.summary[:count].repeat(people, 1)[:, None]  # [N*R, 1, D]
        blocked = ~attend.repeat_interleave(count, dim=0)
        region = self.pool(query, series, series, key_padding_mask=blocked, need_weights=False)[0]  # [N*R, 1, D]
        query = self.summary[count:].expand(people, -1, -1)  # [N, Q, D]
        moving = self.pool(query, context, context, key_padding_mask=~attend, need_weights=False)[0]  # [N, Q, D]
        return torch.cat([region.view(people, count, -1), moving], dim=1)
