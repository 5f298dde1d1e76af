"""Trees of the sets of voices, conversations and reasons. See `gated_trees`."""

from gated_trees import CLIP, PICTURE, SOUND, Tree

TALK: dict[str, Tree] = {}

# --- voices ---------------------------------------------------------------------------------------------------------------

TALK["cremad"] = Tree(
    {"AudioWAV/1001_DFA_ANG_XX.wav": SOUND, "AudioWAV/1091_WSI_SAD_HI.wav": SOUND},
    ["train | 1001 | AudioWAV/1001_DFA_ANG_XX.wav | ANG", "train | 1091 | AudioWAV/1091_WSI_SAD_HI.wav | SAD"],
)
TALK["cremad_video"] = Tree(
    {"VideoFlash/1001_DFA_ANG_XX.flv": CLIP, "VideoFlash/1091_WSI_SAD_HI.flv": CLIP},
    [line.replace("AudioWAV", "VideoFlash").replace(".wav", ".flv") for line in TALK["cremad"].lines],
)
TALK["savee"] = Tree(
    {"AudioData/DC/a01.wav": SOUND, "AudioData/KL/sa15.wav": SOUND, "AudioData/JE/n30.wav": SOUND},
    ["train | DC | AudioData/DC/a01.wav | a", "test | KL | AudioData/KL/sa15.wav | sa", "train | JE | AudioData/JE/n30.wav | n"],
)
TALK["tess"] = Tree(
    {"OAF_angry/OAF_back_angry.wav": SOUND, "YAF_pleasant_surprised/YAF_bar_ps.wav": SOUND},
    ["train | OAF | OAF_angry/OAF_back_angry.wav | angry", "test | YAF | YAF_pleasant_surprised/YAF_bar_ps.wav | ps"],
)
TALK["emodb"] = Tree(
    {"wav/03a01Fa.wav": SOUND, "wav/16b10Wb.wav": SOUND},
    ["train | 03 | wav/03a01Fa.wav | F", "valid | 16 | wav/16b10Wb.wav | W"],
)

# --- talk and film with words ---------------------------------------------------------------------------------------------

TALK["emorynlp"] = Tree(
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
TALK["cmu_mosi"] = Tree(
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
TALK["cmu_mosei"] = Tree(
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
    TALK[_name] = Tree(
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
TALK["mer2023"] = Tree(
    {
        "train-label.csv": "name,discrete,valence\nsample_00000001,happy,2.5\nsample_00000002,worried,-1.0\n",
        "train/sample_00000001.mp4": CLIP, "train/sample_00000002.mp4": CLIP,
    },
    [
        "train | sample_00000001 | train/sample_00000001.mp4 | happy",
        "train | sample_00000002 | train/sample_00000002.mp4 | worried",
    ],
)
TALK["mer2024"] = Tree(
    {"label-disdim.csv": "name,discrete,valence\nsample_1,angry,-2\n", "video-labeled/sample_1.mp4": CLIP},
    ["train | sample_1 | video-labeled/sample_1.mp4 | angry"],
)
TALK["mer2025"] = Tree(
    {"track1_train_disdim.csv": "name,discrete,valence\nsamplenew3_1,surprise,0.4\n", "video/samplenew3_1.mp4": CLIP},
    ["train | samplenew3_1 | video/samplenew3_1.mp4 | surprise"],
)
TALK["mer_caption_plus"] = Tree(
    {
        "track2_train_mercaptionplus.csv": "name,openset\nsamplenew3_2,\"['calm', 'serious']\"\n",
        "video/samplenew3_2.mp4": CLIP,
    },
    ["train | samplenew3_2 | video/samplenew3_2.mp4 | open:calm open:serious"],
)
TALK["ecf2"] = Tree(
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

# --- conversations and reasons --------------------------------------------------------------------------------------------

TALK["iemocap"] = Tree(
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
TALK["merr_coarse"] = Tree(
    {"MERR_coarse_grained.json": _MERR.format(emotion="doubt"), "video/sample_00000007.mp4": CLIP},
    ["train | sample_00000007 | video/sample_00000007.mp4 | doubt because:A made up caption. 'Made up.'"],
)
TALK["merr_fine"] = Tree(
    {"MERR_fine_grained.json": _MERR.format(emotion="worried"), "video/sample_00000007.mp4": CLIP},
    ["train | sample_00000007 | video/sample_00000007.mp4 | worried because:A made up reason. 'Made up.'"],
)
TALK["fea20k"] = Tree(
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
TALK["faba_emotion"] = Tree(
    {
        "train/train_emotion_anno.json": _LLAVA.format(id="9", kind="image", medium="images/9.jpg", answer="Made up."),
        "eval/eval_emotion_anno.json": _LLAVA.format(id="8", kind="image", medium="images/8.jpg", answer="Also made up."),
        "images/9.jpg": PICTURE, "images/8.jpg": PICTURE,
    },
    ["train | 9 | images/9.jpg | because:Made up.", "test | 8 | images/8.jpg | because:Also made up."],
)
TALK["faba_au"] = Tree(
    {
        "train/train_au_anno.json": _LLAVA.format(id="9", kind="image", medium="images/9.jpg", answer="Made up."),
        "eval/eval_au_anno.json": _LLAVA.format(id="8", kind="image", medium="images/8.jpg", answer="Also made up."),
        "images/9.jpg": PICTURE, "images/8.jpg": PICTURE,
    },
    ["train | 9 | images/9.jpg | because:Made up.", "test | 8 | images/8.jpg | because:Also made up."],
)
TALK["faceinstruct"] = Tree(
    {
        "train.json": _LLAVA.format(id="v1", kind="video", medium="videos/v1.mp4", answer="Made up."), "videos/v1.mp4": CLIP,
    },
    ["train | v1 | videos/v1.mp4 | because:Made up."],
)
TALK["emo_cfg"] = Tree(
    {
        "train.jsonl": '{"messages": [{"role": "user", "content": "<video>Which?"}, {"role": "assistant", "content": '
        '"Made up."}], "videos": ["videos/v1.mp4"], "labels": "happy"}\n',
        "videos/v1.mp4": CLIP,
    },
    ["train | v1 | videos/v1.mp4 | because:Made up."],
)
TALK["bah"] = Tree(
    {
        "data/split/train.txt": "Videos/82782/Visite_1/a.mp4,1,Well, made up words\n",
        "data/split/val.txt": "Videos/82783/Visite_1/b.mp4,0,Other words\n",
        "data/split/test.txt": "Videos/82784/Visite_2/c.mp4,0\n",
        "data/Videos/82782/Visite_1/a.mp4": CLIP,
        "data/Videos/82783/Visite_1/b.mp4": CLIP,
        "data/Videos/82784/Visite_2/c.mp4": CLIP,
    },
    [
        "train | 82782 | data/Videos/82782/Visite_1/a.mp4 | ambivalence or hesitancy 'Well, made up words'",
        "valid | 82783 | data/Videos/82783/Visite_1/b.mp4 | none 'Other words'",
        "test | 82784 | data/Videos/82784/Visite_2/c.mp4 | none",
    ],
)

TALK["emotionhallucer"] = Tree(
    {
        "questions.json": '[{"id": "q1", "pair": "p1", "media": "a.mp4", "question": "Does the man smile?", "answer": "yes"}, '
        '{"id": "q2", "pair": "p1", "media": "a.mp4", "question": "Does the man frown?", "answer": "No"}, '
        '{"id": "q3", "pair": "p2", "media": null, "question": "Is joy an emotion?", "answer": "yes"}, '
        '{"id": "q4", "pair": "p2", "media": null, "question": "Is joy a colour?", "answer": "perhaps"}]',
        "videos/a.mp4": CLIP,
    },
    [
        "test | p1 | videos/a.mp4 | Does the man smile? yes of p1",
        "test | p1 | videos/a.mp4 | Does the man frown? no of p1",
        "test | p2 | - | Is joy an emotion? yes of p2",
    ],
    ["answer: Input should be 'yes' or 'no'"],
)
