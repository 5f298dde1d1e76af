"""Trees of the sets of faces, still and moving. See `gated_trees`."""

from gated_trees import CLIP, PICTURE, Npy, Sheet, Tree

FACES: dict[str, Tree] = {}

# --- still images ---------------------------------------------------------------------------------------------------------

FACES["fer2013"] = Tree(
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
FACES["rafdb_basic"] = Tree(
    {
        "basic/EmoLabel/list_patition_label.txt": "train_00001.jpg 5\ntest_0001.jpg 4\n",
        "basic/Image/aligned/train_00001_aligned.jpg": PICTURE, "basic/Image/aligned/test_0001_aligned.jpg": PICTURE,
    },
    [
        "train | train_00001 | basic/Image/aligned/train_00001_aligned.jpg | Sadness",
        "test | test_0001 | basic/Image/aligned/test_0001_aligned.jpg | Happiness",
    ],
)
FACES["rafdb_compound"] = Tree(
    {
        "compound/EmoLabel/list_patition_label.txt": "train_0001.jpg 1\r\ntest_001.jpg 11\r\n",
        "compound/Image/aligned/train_0001_aligned.jpg": PICTURE, "compound/Image/aligned/test_001_aligned.jpg": PICTURE,
    },
    [
        "train | train_0001 | compound/Image/aligned/train_0001_aligned.jpg | Happily Surprised happily surprised",
        "test | test_001 | compound/Image/aligned/test_001_aligned.jpg | Disgustedly Surprised disgustedly surprised",
    ],
)
FACES["jaffe"] = Tree(
    {"KA.AN1.39.tiff": PICTURE, "YM.SU3.60.tiff": PICTURE},
    ["train | KA | KA.AN1.39.tiff | AN", "train | YM | YM.SU3.60.tiff | SU"],
)
FACES["kdef"] = Tree(
    {"KDEF/AF01/AF01AFS.JPG": PICTURE, "KDEF/BM35/BM35SUHR.JPG": PICTURE},
    ["train | F01 | KDEF/AF01/AF01AFS.JPG | AF", "valid | M35 | KDEF/BM35/BM35SUHR.JPG | SU"],
)
FACES["emotionet_aus"] = Tree(
    {
        "aus.csv": "file,AU01,AU04,AU12,AU25\nimages/1.jpg,0,1,999,1\nimages/2.jpg,1,0,0,0\n",
        "images/1.jpg": PICTURE, "images/2.jpg": PICTURE,
    },
    ["test | 1 | images/1.jpg | -AU01 AU04 AU25", "train | 2 | images/2.jpg | AU01 -AU04 -AU12 -AU25"],
)

# --- films of faces -------------------------------------------------------------------------------------------------------

FACES["dfew"] = Tree(
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
FACES["ferv39k"] = Tree(
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
FACES["mafw"] = Tree(
    {
        "Train & Test Set/single/no_caption/set_1/train.txt": "00001.mp4 anger\n",
        "Train & Test Set/single/no_caption/set_1/test.txt": "00002.mp4 helplessness\n",
        "data/clips/00001.mp4": CLIP, "data/clips/00002.mp4": CLIP,
    },
    ["train | 00001 | data/clips/00001.mp4 | anger", "test | 00002 | data/clips/00002.mp4 | helplessness"],
)
FACES["afew"] = Tree(
    {"Train_AFEW/Angry/000046280.avi": CLIP, "Val_AFEW/Surprise/002139040.avi": CLIP},
    [
        "train | 000046280 | Train_AFEW/Angry/000046280.avi | Angry",
        "valid | 002139040 | Val_AFEW/Surprise/002139040.avi | Surprise",
    ],
)
FACES["sfew"] = Tree(
    {"Train/Happy/Hangover_000319880_00000022.png": PICTURE, "Val/Fear/Saw3D_001254160_00000021.png": PICTURE},
    [
        "train | Hangover | Train/Happy/Hangover_000319880_00000022.png | Happy",
        "valid | Saw3D | Val/Fear/Saw3D_001254160_00000021.png | Fear",
    ],
)
FACES["casme2"] = Tree(
    {
        "CASME2-coding-20140508.xlsx": Sheet(
            "Subject,Filename,,OnsetFrame,ApexFrame,OffsetFrame,Action Units,,Estimated Emotion\n"
            "1,EP02_01f,,99,59,86,4+L10,,disgust\n26,EP18_50,,20,/,80,12,,happiness\n"
        ),
        **{f"Cropped/sub01/EP02_01f/reg_img{i}.jpg": PICTURE for i in (100, 99)},
        "Cropped/sub26/EP18_50/reg_img20.jpg": PICTURE,
    },
    [
        "train | sub01 | Cropped/sub01/EP02_01f/reg_img99.jpg+1 | disgust AU04 LAU10",
        "train | sub26 | Cropped/sub26/EP18_50/reg_img20.jpg+0 | happiness AU12",
    ],
)
FACES["samm"] = Tree(
    {
        "SAMM_Micro_FACS_Codes_v2.xlsx": Sheet(
            "Second version\n\nSubject,Filename,Onset Frame,Apex Frame,Offset Frame,Action Units,Estimated Emotion\n"
            "006,006_1_2,318,322,383,R12 or R14,Contempt\n011,011_1_1,1,9,50,AU1A + AU2B,Surprise\n"
        ),
        "006/006_1_2/006_05562.jpg": PICTURE, "011/011_1_1/011_00001.jpg": PICTURE, "011/011_1_1/011_00002.jpg": PICTURE,
    },
    [
        "train | 011 | 011/011_1_1/011_00001.jpg+1 | Surprise AU01:0.2 AU02:0.4",
    ],
    ["'or' in 'R12 or R14' is no action unit"],  # the coder would not choose: left out and counted
)
FACES["raer"] = Tree(
    {
        "train.txt": "train/0001 24 2\n", "test.txt": "test/0002 16 5\n",
        "train/0001/00001.jpg": PICTURE, "train/0001/00002.jpg": PICTURE, "test/0002/00001.jpg": PICTURE,
    },
    ["train | train/0001 | train/0001/00001.jpg+1 | Enjoyment", "test | test/0002 | test/0002/00001.jpg+0 | Distraction"],
)

# --- labels in a file of their own beside each medium ---------------------------------------------------------------------

FACES["affectnet"] = Tree(
    {
        "train_set/images/10.jpg": PICTURE, "val_set/images/11.jpg": PICTURE, "val_set/images/12.jpg": PICTURE,
        "train_set/annotations/10_exp.npy": Npy("1"), "train_set/annotations/10_val.npy": Npy("0.75"),
        "train_set/annotations/10_aro.npy": Npy("0.25"),
        "val_set/annotations/11_exp.npy": Npy("7"), "val_set/annotations/11_val.npy": Npy("-0.5"),
        "val_set/annotations/11_aro.npy": Npy("0.5"),
        # a picture without valence and arousal: -2 means not rated
        "val_set/annotations/12_exp.npy": Npy("0"), "val_set/annotations/12_val.npy": Npy("-2"),
        "val_set/annotations/12_aro.npy": Npy("-2"),
        # one that the coder was uncertain about is not read
        "val_set/images/13.jpg": PICTURE, "val_set/annotations/13_exp.npy": Npy("9"),
        "val_set/annotations/13_val.npy": Npy("-2"), "val_set/annotations/13_aro.npy": Npy("-2"),
    },
    [
        "train | train_set_10 | train_set/images/10.jpg | Happy v=0.75 a=0.25",
        "valid | val_set_11 | val_set/images/11.jpg | Contempt v=-0.5 a=0.5",
        "valid | val_set_12 | val_set/images/12.jpg | Neutral",
    ],
)
FACES["ckplus"] = Tree(
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
FACES["affwild2_expr"] = Tree(
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
FACES["affwild2_va"] = Tree(
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
FACES["affwild2_au"] = Tree(
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
FACES["bp4d"] = Tree(
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
FACES["disfa"] = Tree(
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
FACES["cexpr_db"] = Tree(
    {"videos/12-30-1920x1080.mp4": CLIP}, ["test | 12-30-1920x1080 | videos/12-30-1920x1080.mp4 | "]
)
