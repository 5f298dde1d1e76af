"""Augmentation of faces, a whole batch at once: picture, mesh and signals change together, so that they keep telling the same.

Letters: F frames of the batch, C clips they belong to, S canvas side, H crop side, A action units.

How much changes, and what each number means: settings.face.FaceAugment.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from emoreason.labels.action_units import AUS, BLENDSHAPES
from emoreason.training.face.chance import per_clip
from emoreason.training.face.damage import damaged
from emoreason.training.face.mirror import MIRROR
from emoreason.training.settings.face import FaceAugment

OUTSIDE = 128 / 255  # grey beyond the picture, as the crops have it
_SWAPPED_SHAPES = [
    BLENDSHAPES.index(name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for name in BLENDSHAPES
]
_OTHER = {"AU61": "AU62", "AU62": "AU61"}  # eyes turned to the subject's left and right
_SWAPPED_AUS = [AUS.index(_OTHER.get(au, au)) for au in AUS]
_POSE_SIGNS, _GAZE_SIGNS = (1.0, -1.0, -1.0), (-1.0, 1.0)  # pitch stays, yaw and roll turn over; gaze is yaw, pitch


def augment(
    frames: dict[str, Tensor], clips: Tensor, rng: torch.Generator, side: int, strength: FaceAugment
) -> dict[str, Tensor]:
    """Changed copies of the frames; those of one clip change alike, but for a little.

    frames: crops uint8 [F, S, S], landmarks [F, 478, 3], blendshapes [F, 52], pose [F, 3], gaze [F, 2], mesh bool [F], aus and
    measured [F, A]; everything else is handed on. clips [F]: number of the clip of each frame. crops come back as float 0..1
    [F, H, H]; `series` [F, 52] are the blendshapes before any were left out, NaN where none were measured.
    """
    out = mirrored(frames, per_clip(torch.rand, clips, rng) < strength.mirror)
    gone = (torch.rand(len(clips), generator=rng) < strength.no_mesh) | ~out["mesh"]  # [F]
    matrix = _placements(clips, gone, rng, strength)
    crops, hurt = damaged(_light(placed(out["crops"], matrix, side), clips, rng, strength), clips, rng, strength)
    out["crops"] = _erase(_soften(crops, clips, rng, strength), clips, rng, strength)
    out["crops"] = _without_picture(out["crops"], gone, clips, rng, strength)
    out["landmarks"] = moved(out["landmarks"].float(), matrix)
    spread = _spread(hurt, clips, rng, strength)
    out["landmarks"] = out["landmarks"] + spread * torch.randn(out["landmarks"].shape, generator=rng)
    out["series"] = torch.where(out["mesh"][:, None], out["blendshapes"].float(), torch.nan)
    silent = per_clip(torch.rand, clips, rng) < strength.no_signals
    for name in ("blendshapes", "pose", "gaze"):
        out[name] = torch.where((silent | gone)[:, None], 0.0, out[name].float())
    return out | {"mesh": ~gone}


def blend(frames: dict[str, Tensor], which: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """Frames of `which` [F] mixed with a random other one of them, labels too: Zhang et al. (2018), mixup. Aligned faces lie on
    each other, so meshes and signals can be mixed like pictures. Frames without a mesh stay as they are."""
    chosen = (which & frames["mesh"]).nonzero().flatten()
    if len(chosen) < 2:
        return frames
    partner = chosen[torch.randperm(len(chosen), generator=rng)]
    share = 0.5 * torch.rand(len(chosen), generator=rng)  # of the partner
    out = {}
    for name, values in frames.items():
        out[name] = values.clone()
        if values.is_floating_point():
            out[name][chosen] = torch.lerp(values[chosen], values[partner], share.view(-1, *[1] * (values.dim() - 1)))
    return out


def plain(frames: dict[str, Tensor], side: int) -> dict[str, Tensor]:
    """The frames as the encoder sees them outside training: the middle of each canvas."""
    rim = (frames["crops"].shape[-1] - side) // 2
    crops = frames["crops"][:, rim : rim + side, rim : rim + side].float() / 255
    return frames | {"crops": crops} | {name: frames[name].float() for name in ("landmarks", "blendshapes", "pose", "gaze")}


def mirrored(frames: dict[str, Tensor], which: Tensor) -> dict[str, Tensor]:
    """Copies in which the frames of `which` [F] are seen in a mirror: left becomes right in all that has sides."""

    def choose(name: str, other: Tensor) -> Tensor:
        return torch.where(which.view(-1, *[1] * (other.dim() - 1)), other, frames[name])

    landmarks = frames["landmarks"][:, MIRROR].clone()
    landmarks[..., 0] = 1 - landmarks[..., 0]
    return frames | {
        "crops": choose("crops", frames["crops"].flip(-1)),
        "landmarks": choose("landmarks", landmarks),
        "blendshapes": choose("blendshapes", frames["blendshapes"][:, _SWAPPED_SHAPES]),
        "pose": choose("pose", frames["pose"] * torch.tensor(_POSE_SIGNS)),
        "gaze": choose("gaze", frames["gaze"] * torch.tensor(_GAZE_SIGNS)),
        "aus": choose("aus", frames["aus"][:, _SWAPPED_AUS]),
        "measured": choose("measured", frames["measured"][:, _SWAPPED_AUS]),
    }


def placed(canvas: Tensor, matrix: Tensor, side: int) -> Tensor:
    """Crops [F, H, H] in 0..1 out of canvases uint8 [F, S, S]; `matrix` [F, 2, 3] takes old crop units to new ones."""
    inverse = torch.linalg.inv(matrix[:, :, :2])  # [F, 2, 2]
    grid = F.affine_grid(torch.eye(2, 3).expand(len(matrix), 2, 3), (len(matrix), 1, side, side), align_corners=False)
    at = (grid + 1) / 2 - matrix[:, None, None, :, 2]  # crop units, before the shift
    at = torch.einsum("fij,fhwj->fhwi", inverse, at) - 0.5  # from the crop's centre, which is the canvas's, too
    at = 2 * at * side / canvas.shape[-1]
    shown = F.grid_sample(canvas[:, None].float() / 255 - OUTSIDE, at, mode="bilinear", align_corners=False)
    return shown[:, 0] + OUTSIDE


def moved(landmarks: Tensor, matrix: Tensor) -> Tensor:
    """[F, 478, 3] in crop units after `matrix` [F, 2, 3]; depth takes the mean scale."""
    flat = torch.einsum("fij,fpj->fpi", matrix[:, :, :2], landmarks[..., :2]) + matrix[:, None, :, 2]
    scale = torch.linalg.det(matrix[:, :, :2]).sqrt()
    return torch.cat([flat, landmarks[..., 2:] * scale[:, None, None]], dim=-1)


# chance


def _placements(clips: Tensor, gone: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor:
    """[F, 2, 3] similarity with a little stretch about the crop's centre. Where no mesh aligns the crop, it lies less exactly."""
    draw = per_clip(torch.randn, clips, rng, 5) + strength.jitter * torch.randn(len(clips), 5, generator=rng)
    draw = draw.clamp(-2.2, 2.2) * torch.where(gone, strength.loose, 1.0)[:, None]
    turn = torch.deg2rad(draw[:, 0] * strength.turn_deg)
    scale = (draw[:, 1] * strength.scale).exp()
    stretch = (draw[:, 2] * strength.stretch).exp()
    rows = [turn.cos() * scale * stretch, -turn.sin() * scale, turn.sin() * scale, turn.cos() * scale / stretch]
    linear = torch.stack(rows, dim=1).view(-1, 2, 2)
    centre = torch.full((2,), 0.5)
    shift = centre + draw[:, 3:] * strength.shift - linear @ centre
    return torch.cat([linear, shift[:, :, None]], dim=2)


def _light(crops: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor:
    """Gamma, contrast beyond what the sensor takes, and light from one side."""
    size = crops.shape[-1]
    gamma = (per_clip(torch.randn, clips, rng, 1, 1) * strength.gamma).exp()
    crops = crops.clamp(0, 1) ** gamma
    on = (per_clip(torch.rand, clips, rng, 1, 1) < strength.light).float()
    slope = on * per_clip(torch.randn, clips, rng, 1, 2) * strength.light_slope  # [F, 1, 2] over the width and the height
    ramp = torch.linspace(-0.5, 0.5, size)
    crops = crops * (1 + slope[..., :1] * ramp + slope[..., 1:] * ramp[:, None])
    gain = (on * per_clip(torch.randn, clips, rng, 1, 1) * strength.light_gain).exp()
    offset = on * per_clip(torch.randn, clips, rng, 1, 1) * strength.light_offset
    return ((crops - 0.5) * gain + 0.5 + offset).clamp(0, 1)


def _soften(crops: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor:
    """Fewer pixels, as of a small or blurred face, and noise."""
    size = crops.shape[-1]
    chosen = per_clip(torch.rand, clips, rng, 1, 1) < strength.soften
    fewer = int(torch.randint(size // 3, size - 6, (), generator=rng))
    small = F.interpolate(crops[:, None], fewer, mode="area")
    crops = torch.where(chosen, F.interpolate(small, size, mode="bilinear", align_corners=False)[:, 0], crops)
    noise = strength.noise * per_clip(torch.rand, clips, rng, 1, 1)
    return crops + noise * torch.randn(crops.shape, generator=rng)


def _erase(crops: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor:
    """A rectangle of noise (a hand, hair, a microphone) in some clips: Zhong et al. (2017), Random Erasing."""
    size = crops.shape[-1]
    low, span = (per_clip(torch.rand, clips, rng, 2) for _ in range(2))  # [F, 2]
    first = low * 0.9
    last = first + strength.erase_from + strength.erase_span * span
    at = (torch.arange(size) + 0.5) / size
    inside = [(at >= first[:, i, None]) & (at < last[:, i, None]) for i in range(2)]  # [F, H] each
    hit = inside[0][:, :, None] & inside[1][:, None] & (per_clip(torch.rand, clips, rng, 1, 1) < strength.erase)
    level = per_clip(torch.rand, clips, rng, 1, 1) + 0.1 * torch.randn(crops.shape, generator=rng)
    return torch.where(hit, level, crops)


def _spread(hurt: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor | float:
    """Deviation of the landmarks, [F, 1, 1] or one for all: a mesh found on a damaged picture is further off."""
    if not strength.points_hurt:
        return strength.points
    return strength.points + strength.points_hurt * hurt[:, None, None] * per_clip(torch.rand, clips, rng, 1, 1)


def _without_picture(crops: Tensor, gone: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> Tensor:
    """Nothing but noise in some clips, where there is a mesh to go by."""
    if not strength.no_picture:
        return crops
    blank = (per_clip(torch.rand, clips, rng) < strength.no_picture) & ~gone
    return torch.where(blank[:, None, None], 0.5 + 0.1 * torch.randn(crops.shape, generator=rng), crops)
