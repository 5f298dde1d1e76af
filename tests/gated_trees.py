"""Tiny trees in the official layouts of data sets that cannot be had freely, and the records each must give.

Contents are made up; only names, columns and codes follow the sets. `PICTURE`, `SOUND` and `CLIP` stand for media files.
An expected line is what `line` prints of a record:

    split | group | media | labels, then what else the record says
"""

import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from emoreason.instructions.record import AuLabel, Record

PICTURE, SOUND, CLIP = object(), object(), object()


@dataclass(frozen=True)
class Npy:
    """A single string in a numpy file."""

    text: str


@dataclass(frozen=True)
class Tree:
    """`files`: relative path -> text, `Npy` or a medium; `failures`: the reasons of what must be left out."""

    files: dict[str, object]
    lines: list[str]
    failures: list[str] = field(default_factory=list)

    def write(self, root: Path) -> Path:
        for shade, (name, content) in enumerate(self.files.items()):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, shade)
        return root


def _write(path: Path, content: object, shade: int) -> None:
    if content is PICTURE:
        Image.new("RGB", (8, 8), (shade * 7 % 256, shade % 256, 90)).save(path)
    elif content is SOUND:
        with wave.open(str(path), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(np.full(1600, shade, dtype="<i2").tobytes())
    elif content is CLIP:
        path.write_bytes(b"clip %d" % shade)  # readers name media, they do not open them
    elif isinstance(content, Npy):
        np.save(path, np.array(content.text), allow_pickle=False)  # AffectNet keeps its numbers as strings
    else:
        assert isinstance(content, str)
        path.write_text(content, encoding="utf-8", newline="")


def line(record: Record) -> str:
    """What a record says, on one line."""
    labels = [label.value or _shares(label.shares or {}) for label in record.labels]
    said = [record.compound, record.sentiment, *(_unit(unit) for unit in record.action_units)]
    said += [f"{name}={value:g}" for name, value in _numbers(record).items() if value is not None]
    said += [f"open:{word}" for word in record.open_labels] + [f"because:{s.text}" for s in record.explanation]
    said += [f"turn {record.target_turn} of {len(record.turns)}"] if record.turns and record.target_turn is not None else []
    said += [f"{c.effect}<-{c.cause}:{c.emotion}" for c in record.causes]
    said += [f"'{record.transcript}'"] if record.transcript else []
    said += [f"@{record.span.start_s:g}-{record.span.end_s:g}"] if record.span else []
    return " | ".join((record.split, record.group, _media(record), " ".join([*labels, *filter(None, said)])))


def _shares(shares: dict[str, float]) -> str:
    return "+".join(f"{name}:{share:g}" for name, share in shares.items() if share)


def _unit(unit: AuLabel) -> str:
    side = unit.side[0].upper() if unit.side and unit.side != "both" else ""
    level = f":{unit.intensity:g}" if unit.intensity is not None else ""
    return f"{'' if unit.present else '-'}{side}{unit.au}{level}"


def _numbers(record: Record) -> dict[str, float | None]:
    return {"score": record.sentiment_score, "v": record.valence, "a": record.arousal}


def _media(record: Record) -> str:
    media = record.media
    if media is None:
        return "-"
    frames = f"{media.frames[0]}+{len(media.frames) - 1}" if media.frames else None
    return ",".join(name for name in (media.video, media.image, media.audio, frames) if name)


TREES: dict[str, Tree] = {}

# --- still images ---------------------------------------------------------------------------------------------------------

TREES["fer2013"] = Tree(
    {
        "train/angry/Training_1.jpg": PICTURE, "train/happy/Training_2.jpg": PICTURE,
        "test/neutral/PublicTest_3.jpg": PICTURE, "test/fear/PrivateTest_4.jpg": PICTURE,
    },
    [
        "train | Training_1 | train/angry/Training_1.jpg | angry",
        "train | Training_2 | train/happy/Training_2.jpg | happy",
        "valid | PublicTest_3 | test/neutral/PublicTest_3.jpg | neutral",
        "test | PrivateTest_4 | test/fear/PrivateTest_4.jpg | fear",
    ],
)
TREES["rafdb_basic"] = Tree(
    {
        "basic/EmoLabel/list_patition_label.txt": "train_00001.jpg 5\ntest_0001.jpg 4\n",
        "basic/Image/aligned/train_00001_aligned.jpg": PICTURE, "basic/Image/aligned/test_0001_aligned.jpg": PICTURE,
    },
    [
        "train | train_00001 | basic/Image/aligned/train_00001_aligned.jpg | Sadness",
        "test | test_0001 | basic/Image/aligned/test_0001_aligned.jpg | Happiness",
    ],
)
TREES["rafdb_compound"] = Tree(
    {
        "compound/EmoLabel/list_patition_label.txt": "train_0001.jpg 1\r\ntest_001.jpg 11\r\n",
        "compound/Image/aligned/train_0001_aligned.jpg": PICTURE, "compound/Image/aligned/test_001_aligned.jpg": PICTURE,
    },
    [
        "train | train_0001 | compound/Image/aligned/train_0001_aligned.jpg | Happily Surprised happily surprised",
        "test | test_001 | compound/Image/aligned/test_001_aligned.jpg | Disgustedly Surprised disgustedly surprised",
    ],
)
TREES["jaffe"] = Tree(
    {"KA.AN1.39.tiff": PICTURE, "YM.SU3.60.tiff": PICTURE},
    ["train | KA | KA.AN1.39.tiff | AN", "train | YM | YM.SU3.60.tiff | SU"],
)
TREES["kdef"] = Tree(
    {"KDEF/AF01/AF01AFS.JPG": PICTURE, "KDEF/BM35/BM35SUHR.JPG": PICTURE},
    ["train | F01 | KDEF/AF01/AF01AFS.JPG | AF", "valid | M35 | KDEF/BM35/BM35SUHR.JPG | SU"],
)
TREES["emotionet_aus"] = Tree(
    {
        "aus.csv": "file,AU01,AU04,AU12,AU25\nimages/1.jpg,0,1,999,1\nimages/2.jpg,1,0,0,0\n",
        "images/1.jpg": PICTURE, "images/2.jpg": PICTURE,
    },
    ["test | 1 | images/1.jpg | -AU01 AU04 AU25", "train | 2 | images/2.jpg | AU01 -AU04 -AU12 -AU25"],
)

# --- films of faces -------------------------------------------------------------------------------------------------------

TREES["dfew"] = Tree(
    {
        "single_label/label/single_trainset_1.csv": "video_name,label\n1,1\n3,7\n",
        "single_label/label/single_testset_1.csv": "video_name,label\n2,4\n",
        **{f"single_label/data/0000{clip}/0000{clip}_0000{i}.jpg": PICTURE for clip in (1, 2, 3) for i in (1, 2)},
    },
    [
        "train | 00001 | single_label/data/00001/00001_00001.jpg+1 | Happy",
        "train | 00003 | single_label/data/00003/00003_00001.jpg+1 | Fear",
        "test | 00002 | single_label/data/00002/00002_00001.jpg+1 | Angry",
    ],
)
TREES["ferv39k"] = Tree(
    {
        "4_setups/All_scenes/train_All.csv": "Action/Happy/0267 Happy\n",
        "4_setups/All_scenes/test_All.csv": "Crime/Sad/0010 Sad\n",
        "2_ClipsforFaceCrop/Action/Happy/0267/0000.jpg": PICTURE,
        "2_ClipsforFaceCrop/Action/Happy/0267/0001.jpg": PICTURE,
        "2_ClipsforFaceCrop/Crime/Sad/0010/0000.jpg": PICTURE,
    },
    [
        "train | Action/Happy/0267 | 2_ClipsforFaceCrop/Action/Happy/0267/0000.jpg+1 | Happy",
        "test | Crime/Sad/0010 | 2_ClipsforFaceCrop/Crime/Sad/0010/0000.jpg+0 | Sad",
    ],
)
TREES["mafw"] = Tree(
    {
        "Train & Test Set/single/no_caption/set_1/train.txt": "00001.mp4 anger\n",
        "Train & Test Set/single/no_caption/set_1/test.txt": "00002.mp4 helplessness\n",
        "data/clips/00001.mp4": CLIP, "data/clips/00002.mp4": CLIP,
    },
    ["train | 00001 | data/clips/00001.mp4 | anger", "test | 00002 | data/clips/00002.mp4 | helplessness"],
)
TREES["afew"] = Tree(
    {"Train_AFEW/Angry/000046280.avi": CLIP, "Val_AFEW/Surprise/002139040.avi": CLIP},
    [
        "train | 000046280 | Train_AFEW/Angry/000046280.avi | Angry",
        "valid | 002139040 | Val_AFEW/Surprise/002139040.avi | Surprise",
    ],
)
TREES["sfew"] = Tree(
    {"Train/Happy/Hangover_000319880_00000022.png": PICTURE, "Val/Fear/Saw3D_001254160_00000021.png": PICTURE},
    [
        "train | Hangover | Train/Happy/Hangover_000319880_00000022.png | Happy",
        "valid | Saw3D | Val/Fear/Saw3D_001254160_00000021.png | Fear",
    ],
)
TREES["casme2"] = Tree(
    {
        "CASME2-coding.csv": "Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame,Action Units,Estimated Emotion\n"
        "1,EP02_01f,99,59,86,4+L10,disgust\n26,EP18_50,20,/,80,12,happiness\n",
        **{f"Cropped/sub01/EP02_01f/reg_img{i}.jpg": PICTURE for i in (100, 99)},
        "Cropped/sub26/EP18_50/reg_img20.jpg": PICTURE,
    },
    [
        "train | sub01 | Cropped/sub01/EP02_01f/reg_img99.jpg+1 | disgust AU04 LAU10",
        "train | sub26 | Cropped/sub26/EP18_50/reg_img20.jpg+0 | happiness AU12",
    ],
)
TREES["samm"] = Tree(
    {
        "SAMM_Micro_FACS_Codes_v2.csv": "Subject,Filename,Onset Frame,Apex Frame,Offset Frame,Action Units,Estimated Emotion\n"
        "006,006_1_2,318,322,383,R12 or R14,Contempt\n011,011_1_1,1,9,50,AU1A + AU2B,Surprise\n",
        "006/006_1_2/006_05562.jpg": PICTURE, "011/011_1_1/011_00001.jpg": PICTURE, "011/011_1_1/011_00002.jpg": PICTURE,
    },
    [
        "train | 011 | 011/011_1_1/011_00001.jpg+1 | Surprise AU01:0.2 AU02:0.4",
    ],
    ["'or' in 'R12 or R14' is no action unit"],  # the coder would not choose: left out and counted
)
TREES["raer"] = Tree(
    {
        "train.txt": "train/0001 24 2\n", "test.txt": "test/0002 16 5\n",
        "train/0001/00001.jpg": PICTURE, "train/0001/00002.jpg": PICTURE, "test/0002/00001.jpg": PICTURE,
    },
    ["train | train/0001 | train/0001/00001.jpg+1 | Enjoyment", "test | test/0002 | test/0002/00001.jpg+0 | Distraction"],
)

# --- voices ---------------------------------------------------------------------------------------------------------------

TREES["cremad"] = Tree(
    {"AudioWAV/1001_DFA_ANG_XX.wav": SOUND, "AudioWAV/1091_WSI_SAD_HI.wav": SOUND},
    ["train | 1001 | AudioWAV/1001_DFA_ANG_XX.wav | ANG", "train | 1091 | AudioWAV/1091_WSI_SAD_HI.wav | SAD"],
)
TREES["savee"] = Tree(
    {"AudioData/DC/a01.wav": SOUND, "AudioData/KL/sa15.wav": SOUND, "AudioData/JE/n30.wav": SOUND},
    ["train | DC | AudioData/DC/a01.wav | a", "test | KL | AudioData/KL/sa15.wav | sa", "train | JE | AudioData/JE/n30.wav | n"],
)
TREES["tess"] = Tree(
    {"OAF_angry/OAF_back_angry.wav": SOUND, "YAF_pleasant_surprised/YAF_bar_ps.wav": SOUND},
    ["train | OAF | OAF_angry/OAF_back_angry.wav | angry", "test | YAF | YAF_pleasant_surprised/YAF_bar_ps.wav | ps"],
)
TREES["emodb"] = Tree(
    {"wav/03a01Fa.wav": SOUND, "wav/16b10Wb.wav": SOUND},
    ["train | 03 | wav/03a01Fa.wav | F", "valid | 16 | wav/16b10Wb.wav | W"],
)

# --- talk and film with words ---------------------------------------------------------------------------------------------

TREES["emorynlp"] = Tree(
    {
        f"emotion-detection-{part}.json": '{"season_id": "s01", "episodes": [{"episode_id": "s01_e01", "scenes": [{"scene_id": '
        f'"{scene}", "utterances": [{{"utterance_id": "{scene}_u001", "speakers": ["Ann Doe"], "transcript": "Made up.", '
        f'"emotion": "{emotion}"}}]}}]}}]}}'
        for part, scene, emotion in (
            ("trn", "s01_e01_c01", "Joyful"), ("dev", "s01_e02_c04", "Scared"), ("tst", "s01_e03_c02", "Neutral")
        )
    },
    [
        "train | s01_e01_c01 | - | Joyful turn 0 of 1",
        "valid | s01_e02_c04 | - | Scared turn 0 of 1",
        "test | s01_e03_c02 | - | Neutral turn 0 of 1",
    ],
)
_SENTIMENT_ROWS = (
    "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"
    "{a},{i},made up words,{x},,,,Positive,train\n"
    "{b},{j},other words,{y},,,,Negative,valid\n"
    "{c},{j},last words,0.0,,,,Neutral,test\n"
)
TREES["cmu_mosi"] = Tree(
    {
        "label.csv": _SENTIMENT_ROWS.format(a="03bSnISJMiM", b="BvYR0L6f2Ig", c="tmZoasNr4rU", i=11, j=2, x=2.4, y=-1.2),
        "Raw/03bSnISJMiM/11.mp4": CLIP, "Raw/BvYR0L6f2Ig/2.mp4": CLIP, "Raw/tmZoasNr4rU/2.mp4": CLIP,
    },
    [
        "train | 03bSnISJMiM | Raw/03bSnISJMiM/11.mp4 | positive score=0.8 'made up words'",
        "valid | BvYR0L6f2Ig | Raw/BvYR0L6f2Ig/2.mp4 | negative score=-0.4 'other words'",
        "test | tmZoasNr4rU | Raw/tmZoasNr4rU/2.mp4 | neutral score=0 'last words'",
    ],
)
TREES["cmu_mosei"] = Tree(
    {
        "label.csv": _SENTIMENT_ROWS.format(a="-3g5yACwYnA", b="-6rXp3zJ3kc", c="zwTrXwi54us", i=10, j=3, x=1.5, y=-3.0),
        "Raw/-3g5yACwYnA/10.mp4": CLIP, "Raw/-6rXp3zJ3kc/3.mp4": CLIP, "Raw/zwTrXwi54us/3.mp4": CLIP,
    },
    [
        "train | -3g5yACwYnA | Raw/-3g5yACwYnA/10.mp4 | positive score=0.5 'made up words'",
        "valid | -6rXp3zJ3kc | Raw/-6rXp3zJ3kc/3.mp4 | negative score=-1 'other words'",
        "test | zwTrXwi54us | Raw/zwTrXwi54us/3.mp4 | neutral score=0 'last words'",
    ],
)
for _name in ("chsims", "chsims_v2"):
    TREES[_name] = Tree(
        {
            ("label.csv" if _name == "chsims" else "meta.csv"): _SENTIMENT_ROWS.format(
                a="video_0001", b="video_0002", c="aqgy4_0004", i="0001", j="00023", x=0.8, y=-0.6
            ),
            "Raw/video_0001/0001.mp4": CLIP, "Raw/video_0002/00023.mp4": CLIP, "Raw/aqgy4_0004/00023.mp4": CLIP,
        },
        [
            "train | video_0001 | Raw/video_0001/0001.mp4 | positive score=0.8 'made up words'",
            "valid | video_0002 | Raw/video_0002/00023.mp4 | negative score=-0.6 'other words'",
            "test | aqgy4_0004 | Raw/aqgy4_0004/00023.mp4 | neutral score=0 'last words'",
        ],
    )
TREES["mer2023"] = Tree(
    {
        "train-label.csv": "name,discrete,valence\nsample_00000001,happy,2.5\nsample_00000002,worried,-1.0\n",
        "train/sample_00000001.mp4": CLIP, "train/sample_00000002.mp4": CLIP,
    },
    [
        "train | sample_00000001 | train/sample_00000001.mp4 | happy",
        "train | sample_00000002 | train/sample_00000002.mp4 | worried",
    ],
)
TREES["mer2024"] = Tree(
    {"label-disdim.csv": "name,discrete,valence\nsample_1,angry,-2\n", "video-labeled/sample_1.mp4": CLIP},
    ["train | sample_1 | video-labeled/sample_1.mp4 | angry"],
)
TREES["mer2025"] = Tree(
    {"track1_train_disdim.csv": "name,discrete,valence\nsamplenew3_1,surprise,0.4\n", "video/samplenew3_1.mp4": CLIP},
    ["train | samplenew3_1 | video/samplenew3_1.mp4 | surprise"],
)
TREES["mer_caption_plus"] = Tree(
    {
        "track2_train_mercaptionplus.csv": "name,openset\nsamplenew3_2,\"['calm', 'serious']\"\n",
        "video/samplenew3_2.mp4": CLIP,
    },
    ["train | samplenew3_2 | video/samplenew3_2.mp4 | open:calm open:serious"],
)
TREES["ecf2"] = Tree(
    {
        "Subtask_2_train.json": '[{"conversation_ID": 7, "conversation": ['
        '{"utterance_ID": 1, "text": "Made up.", "speaker": "Ann", "emotion": "neutral", "video_name": "dia7utt1.mp4"}, '
        '{"utterance_ID": 2, "text": "Oh!", "speaker": "Bob", "emotion": "surprise", "video_name": "dia7utt2.mp4"}], '
        '"emotion-cause_pairs": [["2_surprise", "1"]]}]',
        "train/dia7utt1.mp4": CLIP, "train/dia7utt2.mp4": CLIP,
    },
    [
        "train | 7 | train/dia7utt1.mp4 | neutral turn 0 of 2",
        "train | 7 | train/dia7utt2.mp4 | surprise turn 1 of 2 1<-0:surprise",
    ],
)

# --- labels in a file of their own beside each medium ---------------------------------------------------------------------

TREES["affectnet"] = Tree(
    {
        "train_set/images/10.jpg": PICTURE, "val_set/images/11.jpg": PICTURE, "val_set/images/12.jpg": PICTURE,
        "train_set/annotations/10_exp.npy": Npy("1"), "train_set/annotations/10_val.npy": Npy("0.75"),
        "train_set/annotations/10_aro.npy": Npy("0.25"),
        "val_set/annotations/11_exp.npy": Npy("7"), "val_set/annotations/11_val.npy": Npy("-0.5"),
        "val_set/annotations/11_aro.npy": Npy("0.5"),
        # a picture without valence and arousal: -2 means not rated
        "val_set/annotations/12_exp.npy": Npy("0"), "val_set/annotations/12_val.npy": Npy("-2"),
        "val_set/annotations/12_aro.npy": Npy("-2"),
    },
    [
        "train | train_set_10 | train_set/images/10.jpg | Happy v=0.75 a=0.25",
        "valid | val_set_11 | val_set/images/11.jpg | Contempt v=-0.5 a=0.5",
        "valid | val_set_12 | val_set/images/12.jpg | Neutral",
    ],
)
TREES["ckplus"] = Tree(
    {
        **{f"cohn-kanade-images/S005/001/S005_001_0000000{i}.png": PICTURE for i in (1, 2, 3)},
        "cohn-kanade-images/S010/002/S010_002_00000001.png": PICTURE,  # no emotion was given to this sequence
        "Emotion/S005/001/S005_001_00000003_emotion.txt": "   3.0000000e+00\n",
        "FACS/S005/001/S005_001_00000003_facs.txt": "   9.0000000e+00   0.0000000e+00\n   1.7000000e+01   5.0000000e+00\n",
        "FACS/S010/002/S010_002_00000001_facs.txt": "   1.2000000e+01   2.0000000e+00\n",
    },
    ["valid | S005 | cohn-kanade-images/S005/001/S005_001_00000001.png+2 | disgust AU09 AU17:1"],
)

# --- one line per frame ---------------------------------------------------------------------------------------------------

_EIGHT = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n"
TREES["affwild2_expr"] = Tree(
    {
        "EXPR_Classification_Challenge/Train_Set/1-30-1280x720.txt": _EIGHT + "0\n4\n-1\n7\n",
        "EXPR_Classification_Challenge/Validation_Set/8.txt": _EIGHT + "5\n",
        **{f"cropped_aligned/1-30-1280x720/0000{i}.jpg": PICTURE for i in (1, 2, 3, 4)},
        "cropped_aligned/8/00001.jpg": PICTURE,
    },
    [
        "train | 1-30-1280x720 | cropped_aligned/1-30-1280x720/00001.jpg | Neutral",
        "train | 1-30-1280x720 | cropped_aligned/1-30-1280x720/00002.jpg | Happiness",
        "train | 1-30-1280x720 | cropped_aligned/1-30-1280x720/00004.jpg | Other",
        "valid | 8 | cropped_aligned/8/00001.jpg | Sadness",
    ],
)
TREES["affwild2_va"] = Tree(
    {
        "VA_Estimation_Challenge/Train_Set/video1.txt": "valence,arousal\n0.5,-0.25\n-5,-5\n",
        "VA_Estimation_Challenge/Validation_Set/video2.txt": "valence,arousal\n-0.1,0.9\n",
        "cropped_aligned/video1/00001.jpg": PICTURE, "cropped_aligned/video1/00002.jpg": PICTURE,
        "cropped_aligned/video2/00001.jpg": PICTURE,
    },
    [
        "train | video1 | cropped_aligned/video1/00001.jpg | v=0.5 a=-0.25",
        "valid | video2 | cropped_aligned/video2/00001.jpg | v=-0.1 a=0.9",
    ],
)
_TWELVE = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26\n"
TREES["affwild2_au"] = Tree(
    {
        "AU_Detection_Challenge/Train_Set/video1.txt": _TWELVE + "0,0,1,0,0,0,0,0,0,0,1,0\n" + ",".join(["-1"] * 12) + "\n",
        "AU_Detection_Challenge/Validation_Set/video2.txt": _TWELVE + "1,1,0,0,0,0,0,0,0,0,0,1\n",
        "cropped_aligned/video1/00001.jpg": PICTURE, "cropped_aligned/video2/00001.jpg": PICTURE,
    },
    [
        "train | video1 | cropped_aligned/video1/00001.jpg | "
        "-AU01 -AU02 AU04 -AU06 -AU07 -AU10 -AU12 -AU15 -AU23 -AU24 AU25 -AU26",
        "valid | video2 | cropped_aligned/video2/00001.jpg | "
        "AU01 AU02 -AU04 -AU06 -AU07 -AU10 -AU12 -AU15 -AU23 -AU24 -AU25 AU26",
    ],
)
TREES["bp4d"] = Tree(
    {
        "AUCoding/AU_OCC/F001_T1.csv": "0,1,2,4,6,7,10,12,14,15,17,23,24\n2440,0,0,1,0,0,0,0,0,0,0,0,0\n"
        "2441,9,0,0,0,0,1,1,0,0,0,0,0\n",
        "AUCoding/AU_OCC/M006_T8.csv": "0,1,2,4,6,7,10,12,14,15,17,23,24\n17,1,0,0,0,0,0,0,0,0,0,0,0\n",
        "BP4D-training/F001/T1/2440.jpg": PICTURE, "BP4D-training/F001/T1/2441.jpg": PICTURE,
        "BP4D-training/M006/T8/0017.jpg": PICTURE,
    },
    [
        "train | F001 | BP4D-training/F001/T1/2440.jpg | -AU01 -AU02 AU04 -AU06 -AU07 -AU10 -AU12 -AU14 -AU15 -AU17 -AU23 -AU24",
        "train | F001 | BP4D-training/F001/T1/2441.jpg | -AU02 -AU04 -AU06 -AU07 AU10 AU12 -AU14 -AU15 -AU17 -AU23 -AU24",
        "test | M006 | BP4D-training/M006/T8/0017.jpg | AU01 -AU02 -AU04 -AU06 -AU07 -AU10 -AU12 -AU14 -AU15 -AU17 -AU23 -AU24",
    ],
)
_DISFA = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
TREES["disfa"] = Tree(
    {
        **{f"ActionUnit_Labels/SN001/SN001_au{unit}.txt": "1,0\n2,0\n" for unit in _DISFA},
        **{f"ActionUnit_Labels/SN003/SN003_au{unit}.txt": "1,0\n" for unit in _DISFA},
        **{f"ActionUnit_Labels/SN004/SN004_au{unit}.txt": "1,0\n" for unit in _DISFA},
        "ActionUnit_Labels/SN001/SN001_au12.txt": "1,5\n2,1\n", "ActionUnit_Labels/SN003/SN003_au1.txt": "1,2\n",
        "ActionUnit_Labels/SN004/SN004_au26.txt": "1,0\n2,0\n",  # one frame too many
        "Images/SN001/1.jpg": PICTURE, "Images/SN001/2.jpg": PICTURE, "Images/SN003/1.jpg": PICTURE,
    },
    [
        f"{split} | {person} | Images/{person}/{frame}.jpg | "
        + " ".join(units.get(unit, f"-AU{unit:02d}:0") for unit in _DISFA)
        for split, person, frame, units in (
            ("train", "SN001", 1, {12: "AU12:1"}),
            ("train", "SN001", 2, {12: "-AU12:0.2"}),
            ("test", "SN003", 1, {1: "AU01:0.4"}),
        )
    ],
    ["SN004_au26.txt has 2 frames where 1 are expected"],
)
TREES["cexpr_db"] = Tree(
    {"videos/12-30-1920x1080.mp4": CLIP}, ["test | 12-30-1920x1080 | videos/12-30-1920x1080.mp4 | "]
)

# --- conversations and reasons --------------------------------------------------------------------------------------------

TREES["iemocap"] = Tree(
    {
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\n\n"
        "[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[3.0000, 4.0000, 2.5000]\n",
        "Session5/dialog/EmoEvaluation/Ses05M_script01_1.txt": "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[1.0 - 2.5]\tSes05M_script01_1_M000\texc\t[5.0000, 4.0000, 3.0000]\n",
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav": SOUND,
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav": SOUND,
        "Session5/sentences/wav/Ses05M_script01_1/Ses05M_script01_1_M000.wav": SOUND,
    },
    [
        "train | Session1 | Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav | neu v=-0.25 a=-0.25",
        "test | Session5 | Session5/sentences/wav/Ses05M_script01_1/Ses05M_script01_1_M000.wav | exc v=1 a=0.5",
    ],
)
_MERR = (
    '{{"sample_00000007": {{"AU_list": ["AU04"], "text": "Made up.", "pseu_emotion": "{emotion}", '
    '"caption": "A made up caption.", "smp_reason_caption": "A made up reason."}}}}'
)
TREES["merr_coarse"] = Tree(
    {"MERR_coarse_grained.json": _MERR.format(emotion="doubt"), "video/sample_00000007.mp4": CLIP},
    ["train | sample_00000007 | video/sample_00000007.mp4 | doubt because:A made up caption. 'Made up.'"],
)
TREES["merr_fine"] = Tree(
    {"MERR_fine_grained.json": _MERR.format(emotion="worried"), "video/sample_00000007.mp4": CLIP},
    ["train | sample_00000007 | video/sample_00000007.mp4 | worried because:A made up reason. 'Made up.'"],
)
TREES["fea20k"] = Tree(
    {
        "train.jsonl": '{"id": "a1", "dataset": "RAF-DB", "image": "RAF-DB/a1.jpg", "question": "?", "AUs": ["AU4", "AU7"], '
        '"labels": "Anger", "description": "Made up.", "meta_info": {}}\n',
        "test.jsonl": '{"id": "b2", "dataset": "DISFA", "image": "DISFA/b2.jpg", "question": "?", "AUs": ["AU12"], '
        '"labels": "Happiness", "description": "Made up too.", "meta_info": {}}\n',
        "RAF-DB/a1.jpg": PICTURE, "DISFA/b2.jpg": PICTURE,
    },
    [
        "train | RAF-DB_a1 | RAF-DB/a1.jpg | anger AU04 AU07 because:Made up.",
        "test | DISFA_b2 | DISFA/b2.jpg | happiness AU12 because:Made up too.",
    ],
)
_LLAVA = '[{{"id": "{id}", "{kind}": "{medium}", "conversations": [{{"from": "human", "value": "<image>\\nWhy?"}}, ' \
    '{{"from": "gpt", "value": "{answer}"}}]}}]'
TREES["faba_emotion"] = Tree(
    {
        "train_emotion.json": _LLAVA.format(id="9", kind="image", medium="images/9.jpg", answer="Made up."),
        "eval_emotion.json": _LLAVA.format(id="8", kind="image", medium="images/8.jpg", answer="Also made up."),
        "images/9.jpg": PICTURE, "images/8.jpg": PICTURE,
    },
    ["train | 9 | images/9.jpg | because:Made up.", "test | 8 | images/8.jpg | because:Also made up."],
)
TREES["faba_au"] = Tree(
    {
        "train_au.json": _LLAVA.format(id="9", kind="image", medium="images/9.jpg", answer="Made up."),
        "eval_au.json": _LLAVA.format(id="8", kind="image", medium="images/8.jpg", answer="Also made up."),
        "images/9.jpg": PICTURE, "images/8.jpg": PICTURE,
    },
    ["train | 9 | images/9.jpg | because:Made up.", "test | 8 | images/8.jpg | because:Also made up."],
)
TREES["faceinstruct"] = Tree(
    {
        "train.json": _LLAVA.format(id="v1", kind="video", medium="videos/v1.mp4", answer="Made up."), "videos/v1.mp4": CLIP,
    },
    ["train | v1 | videos/v1.mp4 | because:Made up."],
)
TREES["emo_cfg"] = Tree(
    {
        "train.jsonl": '{"messages": [{"role": "user", "content": "<video>Which?"}, {"role": "assistant", "content": '
        '"Made up."}], "videos": ["videos/v1.mp4"], "labels": "happy"}\n',
        "videos/v1.mp4": CLIP,
    },
    ["train | v1 | videos/v1.mp4 | because:Made up."],
)
