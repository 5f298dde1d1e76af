"""Prepared faces are what the encoder will see, with the labels the recipe gives."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from face_pictures import face
from training_data import make_data

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import Job, data_store, observe_all
from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.media import Clip
from emoreason.model.config import FaceConfig
from emoreason.model.segment_input import face_arrays
from emoreason.perception.segments import segments
from emoreason.perception.settings import PerceptionSettings
from emoreason.training.face.data import fold_of, softened
from emoreason.training.face.prepare import Copy, Crop, build_faces
from emoreason.training.settings.face import FaceDataSettings

ROWS = {  # picture -> votes: neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF
    "Train/fer0000001": "6,4,0,0,0,0,0,0,0,0",
    "Train/fer0000002": "0,2,0,0,0,0,0,0,8,0",
    "Train/fer0000003": "0,10,0,0,0,0,0,0,0,0",  # shows what the test picture shows
    "Valid/fer0000004": "0,0,0,0,10,0,0,0,0,0",
    "Test/fer0000005": "0,0,9,1,0,0,0,0,0,0",
}
SHOWN = {"fer0000003": 100, "fer0000005": 100, "fer0000001": 96, "fer0000002": 90, "fer0000004": 84}
FERPLUS = FaceDataSettings(recipe="ferplus")
CROP = Crop.of(FaceConfig())
SETTINGS = PerceptionSettings(cropped_faces=True, words=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("ferplus")
    for name, votes in ROWS.items():
        part, stem = name.split("/")
        folder = root / "data" / f"FER2013{part}"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{stem}.png"), cv2.cvtColor(face(SHOWN[stem]), cv2.COLOR_RGB2GRAY))
        with open(folder / "label.csv", "a", encoding="utf-8") as file:
            file.write(f'{stem}.png,"(0, 0, 48, 48)",{votes}\n')
    jobs = [Job(str(path), SETTINGS) for path in sorted(root.rglob("*.png"))]
    observe_all(jobs, root / "store", workers=1)
    return root


@pytest.fixture(scope="module")
def faces(tree):
    return build_faces("ferplus", FERPLUS, CROP, tree, tree / "store", tree / "prepared", workers=1)


def test_the_middle_of_a_canvas_is_what_the_encoder_sees(tree, faces):
    clip = Clip(tree / "data/FER2013Train/fer0000001.png")
    observation = data_store(tree / "store").find(clip.source, SETTINGS.to_dict())
    seen = face_arrays(observation.people, segments(observation)[0], clip, 1280, FaceConfig())
    at, rim = faces.ids.index("fer0000001"), (CROP.canvas - CROP.side) // 2
    middle = faces["crops"][at, rim:-rim, rim:-rim].numpy().astype(int)
    assert np.abs(middle - seen["crops"][0, 0, 0].astype(int)).max() <= 1  # grey: each channel is the luma
    assert np.abs(faces["landmarks"][at].numpy() - seen["landmarks"][0, 0]).max() < 2e-3  # float16
    assert np.abs(faces["blendshapes"][at].numpy() - seen["blendshapes"][0, 0]).max() < 1e-3
    assert faces["mesh"].all() and faces["crops"].shape[1:] == (CROP.canvas, CROP.canvas)


def test_labels_are_shares_of_the_emotions_alone(faces):
    place = {name: i for i, name in enumerate(faces.ids)}
    neutral, happiness = EMOTIONS.index("neutral"), EMOTIONS.index("happiness")
    mixed, unsure = place["fer0000001"], place["fer0000002"]
    assert faces["emotion"][mixed, neutral] == pytest.approx(0.6) and faces["emotion"][mixed, happiness] == pytest.approx(0.4)
    assert faces["majority"][mixed] == neutral and faces["known"][mixed] == 1
    assert faces["emotion"][unsure, happiness] == 1 and faces["known"][unsure] == pytest.approx(0.2)
    assert faces["majority"][unsure] == -1
    assert faces["aus"].isnan().all()
    assert torch.isfinite(faces["measured"][:, AUS.index("AU12")]).all()


def test_what_recurs_in_test_leaves_train(faces):
    assert sorted(faces.split("train").ids) == ["fer0000001", "fer0000002"]
    assert faces.split("valid").ids == ("fer0000004",) and faces.split("test").ids == ("fer0000005",)


def test_prepared_once(tree, faces):
    path = tree / "prepared" / "ferplus.safetensors"
    before = path.stat().st_mtime_ns
    again = build_faces("ferplus", FERPLUS, CROP, tree, tree / "nowhere", tree / "prepared")
    assert path.stat().st_mtime_ns == before and again.ids == faces.ids
    assert torch.equal(again["crops"], faces["crops"])
    assert not list((tree / "prepared").glob("*.part*"))


def test_pictures_that_nobody_observed(tree, tmp_path):
    with pytest.raises(ConfigError, match="data observe ferplus"):
        build_faces("ferplus", FERPLUS, CROP, tree, tmp_path / "store", tmp_path / "prepared", workers=1)


def test_labels_that_changed_are_read_again(tree, faces):
    """Without votes the label alone is the target: what was prepared with them is of no use then."""
    alone = FERPLUS.model_copy(update={"votes": False})
    again = build_faces("ferplus", alone, CROP, tree, tree / "store", tree / "prepared", workers=1)
    at = again.ids.index("fer0000001")
    assert again["emotion"][at, EMOTIONS.index("neutral")] == 1 and again["emotion"][at].sum() == 1
    build_faces("ferplus", FERPLUS, CROP, tree, tree / "store", tree / "prepared", workers=1)


def test_a_set_without_pictures_is_refused(tmp_path):
    make_data(tmp_path)
    with pytest.raises(ConfigError, match="data.talk: recipe 'ravdess' has no pictures"):
        root = tmp_path / "ravdess_speech"
        build_faces("talk", FaceDataSettings(recipe="ravdess"), CROP, root, tmp_path, tmp_path / "prepared")


def test_folds_are_those_of_the_recipes():
    from emoreason.instructions.readers.filling import _split
    from emoreason.instructions.recipe import load_recipe

    splits = load_recipe("ckplus48").splits
    for subject in ("S005", "S010", "S011", "S132", "S999"):
        members = {member: split for split, folds in splits.members.items() for member in folds}
        assert _split(splits, {"subject": subject}) == members[str(fold_of(subject))]


def test_canvases_follow_the_size_of_the_crop(tree, faces, tmp_path):
    large = build_faces("ferplus", FERPLUS, Crop(64, 0.1), tree, tree / "store", tmp_path, workers=1)
    assert large["crops"].shape[1:] == (96, 96) and large.side == 64 and faces.side == 48
    torch.testing.assert_close(large["landmarks"], faces["landmarks"], atol=2e-3, rtol=0)  # in crop units
    small = torch.nn.functional.interpolate(large["crops"][:, None].float(), 72, mode="area")[:, 0]
    assert (small - faces["crops"].float()).abs().mean() < 6
    with pytest.raises(ConfigError, match="divides by 8, the encoder wants 50"):
        Crop.of(FaceConfig(image_size=50))


def test_a_damaged_copy_is_measured_anew(tree, faces):
    copy = Copy("covered", ("train", "valid"), most=2)
    spoilt = build_faces("ferplus", FERPLUS, CROP, tree, tree / "store", tree / "prepared", copy, workers=1)
    assert spoilt.dataset == "ferplus-covered" and len(spoilt) == 2 and (tree / "prepared/ferplus-covered.safetensors").is_file()
    for i, name in enumerate(spoilt.ids):
        clean = faces.ids.index(name)
        assert spoilt["majority"][i] == faces["majority"][clean]
        assert not torch.equal(spoilt["crops"][i], faces["crops"][clean])
        assert not torch.equal(spoilt["landmarks"][i], faces["landmarks"][clean])


def test_doubted_and_doubtful_labels_are_softened(tmp_path):
    root = tmp_path / "lfw_emotion"
    (root / "images").mkdir(parents=True)
    rows = {"p0001_0": "happiness,no_smile", "p0002_0": "happiness,smile", "p0003_0": "neutral,", "p0004_0": "anger,no_smile"}
    lines = ["image,person,emotion,smile,split"]
    for n, (name, label) in enumerate(rows.items()):
        cv2.imwrite(str(root / "images" / f"{name}.jpg"), face(90 + 3 * n))
        lines.append(f"images/{name}.jpg,{name[:5]},{label},{'valid' if label == 'neutral,' else 'train'}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    observe_all([Job(str(path), SETTINGS) for path in sorted(root.rglob("*.jpg"))], root / "store", workers=1)
    doubt = {"note": "smile", "where": {"happiness": "no_smile", "neutral": "smile"}}
    asked = FaceDataSettings(recipe="lfw_emotion", smooth=0.2, doubt=doubt)
    faces = build_faces("lfw", asked, CROP, root, root / "store", tmp_path / "prepared", workers=1)
    place = {name: i for i, name in enumerate(faces.ids)}
    assert faces["doubted"].sum() == 1 and faces["doubted"][place["p0001_0"]]
    emotion = softened(faces, asked)["emotion"]
    happy, neutral = EMOTIONS.index("happiness"), EMOTIONS.index("neutral")
    assert emotion[place["p0001_0"], [happy, neutral]].tolist() == [0.5, 0.5]
    assert emotion[place["p0002_0"], happy] == pytest.approx(0.8 + 0.2 / 8)
    torch.testing.assert_close(emotion.sum(1), torch.ones(4))
    assert softened(faces, FERPLUS) is faces
