import dataclasses

import pytest
import torch

from emoreason.model.batch import REGION_NAMES, FaceBatch
from emoreason.model.face import FaceRegionEncoder
from emoreason.model.trunks import PretrainedTrunk, SmallTrunk

B, P, T, SIZE, DYNAMICS = 2, 3, 6, 32, 2


def small_trunk():
    return SmallTrunk(96, SIZE)


def vit_trunk():
    from transformers import ViTConfig

    return PretrainedTrunk(
        ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIZE, patch_size=8)
    )


def siglip_trunk():
    from transformers import SiglipVisionConfig

    return PretrainedTrunk(
        SiglipVisionConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIZE, patch_size=8
        )
    )


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(0)
    mask = torch.ones(B, P, T, dtype=torch.bool)
    mask[0, 1, 4:] = False
    mask[1, 2] = False  # a person who is not there
    mesh = mask.clone()
    mesh[0, 0, 2] = False  # a whole-picture fallback
    return FaceBatch(
        crops=torch.randint(0, 256, (B, P, T, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8),
        landmarks=torch.rand(B, P, T, 478, 3, generator=rng),
        blendshapes=torch.rand(B, P, T, 52, generator=rng),
        pose=10 * torch.randn(B, P, T, 3, generator=rng),
        gaze=10 * torch.randn(B, P, T, 2, generator=rng),
        times_s=torch.rand(B, P, T, generator=rng).sort(-1).values * 4,
        frame_mask=mask,
        mesh_mask=mesh,
    )


@pytest.fixture(params=[small_trunk, vit_trunk, siglip_trunk])
def encoder(request):
    torch.manual_seed(0)
    return FaceRegionEncoder(request.param(), 48, heads=4, dynamics=DYNAMICS).eval()


def changed(batch, **values):
    return dataclasses.replace(batch, **values)


def assert_same(a, b):
    torch.testing.assert_close(a.tokens, b.tokens, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(a.frames, b.frames, atol=1e-5, rtol=1e-4)


def test_shapes_and_masks(encoder, batch):
    out = encoder(batch)
    assert out.tokens.shape == (B, P, len(REGION_NAMES) + DYNAMICS, 48) and out.frames.shape == (B, P, T, 48)
    assert out.person_mask.tolist() == [[True, True, True], [True, True, False]]
    assert (out.frames[~batch.frame_mask] == 0).all() and (out.tokens[1, 2] == 0).all()
    assert torch.isfinite(out.tokens).all()


def test_masked_frames_and_persons_change_nothing(encoder, batch):
    hidden = ~batch.frame_mask
    noisy = changed(
        batch,
        crops=torch.where(hidden[..., None, None, None], 255, batch.crops),
        landmarks=torch.where(hidden[..., None, None], torch.nan, batch.landmarks),
        blendshapes=torch.where(hidden[..., None], 7.0, batch.blendshapes),
        times_s=torch.where(hidden, 99.0, batch.times_s),
    )
    assert_same(encoder(batch), encoder(noisy))


def test_landmarks_that_were_not_measured_are_not_read(encoder, batch):
    no_mesh = ~batch.mesh_mask
    noisy = changed(
        batch,
        landmarks=torch.where(no_mesh[..., None, None], torch.nan, batch.landmarks),
        pose=torch.where(no_mesh[..., None], torch.nan, batch.pose),
    )
    assert_same(encoder(batch), encoder(noisy))


def test_a_batch_is_its_samples(encoder, batch):
    out = encoder(batch)
    for b in range(B):
        alone = encoder(FaceBatch(**{f.name: getattr(batch, f.name)[b : b + 1] for f in dataclasses.fields(batch)}))
        torch.testing.assert_close(alone.tokens[0], out.tokens[b], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("part", ["crops", "landmarks", "blendshapes", "pose", "gaze", "times_s"])
def test_every_input_is_live(encoder, batch, part):
    value = getattr(batch, part)
    other = 255 - value if part == "crops" else value.flip(2) if part == "times_s" else value + 0.3 * torch.rand_like(value)
    assert (encoder(changed(batch, **{part: other})).tokens - encoder(batch).tokens).abs().max() > 1e-5


def test_shuffling_landmarks_changes_the_tokens(encoder, batch):
    order = torch.randperm(478, generator=torch.Generator().manual_seed(1))
    assert (encoder(changed(batch, landmarks=batch.landmarks[..., order, :])).tokens - encoder(batch).tokens).abs().max() > 1e-4


def test_near_patches_count_more():
    torch.manual_seed(0)
    encoder = FaceRegionEncoder(small_trunk(), 48).eval()
    count = len(REGION_NAMES)
    left, right = torch.zeros(1, count, 2), torch.ones(1, count, 2)
    attention = encoder.attention
    patches, places = torch.randn(1, 16, 48), encoder.trunk.centres
    queries = torch.zeros(1, count, 48)
    mesh = torch.ones(1, dtype=torch.bool)
    nudged = patches.clone()
    nudged[:, 0] += 5  # the patch in the top left corner

    def moved(centres):
        before, after = (attention(queries, x, centres, places, mesh)[0, 0] for x in (patches, nudged))
        return (after - before).norm()

    assert moved(left) > 10 * moved(right)


def test_gradient_reaches_every_parameter(encoder, batch):
    out = encoder.train()(batch)
    (out.tokens.square().sum() + out.frames.square().sum()).backward()
    dead = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert all("pooler" in name or ".head." in name or "cls_token" in name for name in dead), dead


def test_wrong_shapes_and_nan_name_the_part(batch):
    with pytest.raises(ValueError, match="blendshapes must be"):
        changed(batch, blendshapes=batch.blendshapes[..., :10])
    with pytest.raises(ValueError, match="crops must be"):
        changed(batch, crops=batch.crops[..., :10])
    with pytest.raises(ValueError, match="NaN"):
        changed(batch, landmarks=batch.landmarks * torch.nan)
