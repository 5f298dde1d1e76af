"""Readers: every layout from a small tree in it; what does not fit is a Failure that says where and why."""

import json

import numpy as np
import pytest
from gated_trees import write_sheet
from PIL import Image

from emoreason.errors import ConfigError
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import Recipe

SCHEME = {"name": "toy", "labels": ["joy", "grief", "rage"], "words": {"1": "joy", "2": "grief"}}
TABLE = {"kind": "table", "tables": {"train": "a.csv"}}
FRAMES = {"id": "{id}", "group": "{id}", "frames": "clips/{id}/*.jpg", "frame_rate": 30}


def recipe(reader: dict, fields: dict, **more) -> Recipe:
    values = {
        "name": "toy", "title": "t", "source": "s", "licence": "l", "terms": "t", "layout": "x", "folder": "toy", "faces": "none",
        "metric": "accuracy", "reader": reader, "fields": fields, "scheme": SCHEME,
    }  # fmt: skip
    return Recipe.model_validate(values | more)


def put(root, name: str, text: str | bytes = b"") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def both(root, recipe: Recipe) -> tuple[list, list[Failure]]:
    items = list(read(recipe, root))
    return [i for i in items if not isinstance(i, Failure)], [i for i in items if isinstance(i, Failure)]


def test_a_folder_per_class(tmp_path):
    for name in ("joy/b.png", "joy/a.png", "grief/c.png", "joy/notes.txt"):
        put(tmp_path, name)
    files = {"kind": "files", "pattern": r"(?P<label>\w+)/(?P<name>\w+)\.png"}
    fields = {"id": "{name}", "group": "{name}", "label": "{label}", "image": "{path}"}
    records, failures = both(tmp_path, recipe(files, fields, splits={"rest": "train"}))
    assert [(r.id, r.labels[0].value, r.media.image) for r in records] == [
        ("c", "grief", "grief/c.png"), ("a", "joy", "joy/a.png"), ("b", "joy", "joy/b.png")
    ]  # fmt: skip
    assert not failures


def test_an_unknown_class_is_a_failure_with_the_nearest_label(tmp_path):
    put(tmp_path, "griev/a.png")
    put(tmp_path, "joy/b.png")
    files = {"kind": "files", "pattern": r"(?P<label>\w+)/(?P<name>\w+)\.png"}
    fields = {"id": "{name}", "group": "{name}", "label": "{label}", "image": "{path}"}
    records, failures = both(tmp_path, recipe(files, fields, splits={"rest": "train"}))
    assert [r.id for r in records] == ["b"]
    assert failures[0].place == "griev/a.png" and "did it mean 'grief'" in failures[0].reason


def test_names_with_codes_a_joined_table_and_folds(tmp_path):
    put(tmp_path, "S01_1.wav")
    put(tmp_path, "S02_2.opus")
    put(tmp_path, "S03_1.wav")
    put(tmp_path, "au.csv", "file,AU1,AU12\nS01_1,0,1\nS02_2,9,3\n")
    files = {
        "kind": "files", "pattern": r"(?P<who>S\d+)_(?P<code>\d)\.(?:wav|opus)",
        "join": {"table": "au.csv", "key": "{path|stem}", "on": "{file}"},
    }  # fmt: skip
    fields = {
        "id": "{path|stem}", "group": "{who}", "label": "{code}", "audio": "{path}",
        "action_units": {"columns": r"AU(\d+)", "scale": 5, "present_from": 2},
    }  # fmt: skip
    splits = {"of": "{who}", "folds": 5, "members": {"test": ["4"]}, "rest": "train"}
    records, failures = both(tmp_path, recipe(files, fields, splits=splits, missing=["", "9"]))
    first, second = records
    assert [(u.au, u.present, u.intensity) for u in first.action_units] == [("AU01", False, 0.0), ("AU12", False, 0.2)]
    assert [(u.au, u.present, u.intensity) for u in second.action_units] == [("AU12", True, 0.6)]
    assert second.labels[0].value == "grief" and second.media.audio == "S02_2.opus"
    assert failures[0].place == "S03_1.wav" and "'S03_1' is not in au.csv" in failures[0].reason


def test_folds_follow_the_stated_rule(tmp_path):
    from hashlib import sha256

    for n in range(30):
        put(tmp_path, f"S{n:03d}.png")
    files, fields = {"kind": "files", "pattern": r"(?P<who>S\d+)\.png"}, {"id": "{who}", "group": "{who}", "image": "{path}"}
    splits = {"of": "{who}", "folds": 5, "members": {"train": [0, 1, 2], "valid": [3], "test": [4]}}
    records, _ = both(tmp_path, recipe(files, fields, splits=splits))
    for record in records:
        fold = int(sha256(record.group.encode()).hexdigest(), 16) % 5
        assert record.split == ("train", "train", "train", "valid", "test")[fold]
    assert {record.split for record in records} == {"train", "valid", "test"}


def test_sidecars_of_text_and_numbers(tmp_path):
    put(tmp_path, "images/5.jpg")
    put(tmp_path, "labels/5.txt", "2\r\n")
    np.save(tmp_path / "labels/5_val.npy", np.array("-0.25"))
    files = {
        "kind": "files", "pattern": r"images/(?P<n>\d+)\.jpg",
        "sidecars": {"expression": "labels/{n}.txt", "valence": "labels/{n}_val.npy"},
    }  # fmt: skip
    fields = {"id": "{n}", "group": "{n}", "image": "{path}", "label": "{expression}", "valence": "{valence}"}
    records, _ = both(tmp_path, recipe(files, fields, splits={"rest": "train"}))
    assert records[0].valence == -0.25 and records[0].labels[0].value == "grief"


@pytest.mark.parametrize("text", ["id,mood\na,joy\nb,2\n", "\ufeffid,mood\r\na,joy\r\n\r\nb,2\r\n"])
def test_tables_with_and_without_bom_and_crlf(tmp_path, text):
    put(tmp_path, "a.csv", text)
    fields = {"id": "{id}", "group": "{id}", "label": "{mood}", "transcript": "hello"}
    records, failures = both(tmp_path, recipe(TABLE, fields))
    assert [(r.id, r.split, r.labels[0].value) for r in records] == [("a", "train", "joy"), ("b", "train", "grief")]
    assert not failures


def test_rows_that_do_not_fit_are_counted_with_their_line(tmp_path):
    put(tmp_path, "a.csv", 'id,mood\na,joy\nb\nc,joy,3\na,joy\n,joy\n"d",rage\n')
    fields = {"id": "{id}", "group": "{id}", "label": "{mood}", "transcript": "hello"}
    records, failures = both(tmp_path, recipe(TABLE, fields))
    assert [r.id for r in records] == ["a", "d"]
    assert [f.place for f in failures] == ["a.csv:3", "a.csv:4", "a.csv:5", "a.csv:6"]
    assert "1 cells where 2" in failures[0].reason and "3 cells where 2" in failures[1].reason
    assert "already used at a.csv:2" in failures[2].reason and "id is empty" in failures[3].reason


def test_a_column_that_is_not_there_is_named(tmp_path):
    put(tmp_path, "a.csv", "id,mood\na,joy\n")
    _, failures = both(tmp_path, recipe(TABLE, {"id": "{id}", "group": "{who}", "transcript": "x"}))
    assert "no column 'who'; there are: split, id, mood" in failures[0].reason


def test_votes_shares_and_majority(tmp_path):
    put(tmp_path, "a.csv", "a,6,1,3\nb,5,0,5\nc,1,1,0\nd,0,0,0\n")
    votes = {"columns": {"joy": "j", "grief": "g", "rage": "r"}, "floor": 1, "majority": 0.5}
    table = TABLE | {"columns": ["id", "j", "g", "r"]}
    records, failures = both(tmp_path, recipe(table, {"id": "{id}", "group": "{id}", "votes": votes, "transcript": "x"}))
    first, tie, single = (record.labels[0] for record in records)
    assert first.value == "joy" and first.shares == pytest.approx({"joy": 2 / 3, "rage": 1 / 3})
    assert tie.value is None and tie.shares == {"joy": 0.5, "rage": 0.5}
    assert single.value is None and single.shares == {"joy": 0.5, "grief": 0.5}
    assert "nobody voted" in failures[0].reason


def test_what_wins_without_being_offered_is_no_label(tmp_path):
    put(tmp_path, "a.csv", "id,j,g,r,word\na,2,0,8,rage\nb,7,0,3,joy\n")
    scheme = SCHEME | {"not_offered": ["rage"]}
    votes = {"columns": {"joy": "j", "grief": "g", "rage": "r"}, "majority": 0.5}
    for how in ({"votes": votes}, {"label": "{word}"}):
        records, _ = both(tmp_path, recipe(TABLE, {"id": "{id}", "group": "{id}", "transcript": "x"} | how, scheme=scheme))
        assert [record.labels[0].value for record in records] == [None, "joy"]
        assert records[0].labels[0].shares["rage"] == (0.8 if "votes" in how else 1)


def test_scores_lists_and_explanations(tmp_path):
    put(tmp_path, "a.csv", "id,v,s,open,why,units\na,5,-3,\"['calm', 'glad']\",One. Two!,R12B+L14+25\nb,6,0,,,\n")
    fields = {
        "id": "{id}", "group": "{id}", "transcript": "x", "valence": "{v}", "sentiment_score": "{s}", "open_labels": "{open}",
        "explanation": "{why}", "explanation_source": "model", "action_units": {"text": "{units}"},
    }  # fmt: skip
    records, failures = both(tmp_path, recipe(TABLE, fields, ranges={"valence": [1, 5], "sentiment_score": [-3, 3]}))
    record = records[0]
    assert (record.valence, record.sentiment_score, record.open_labels) == (1.0, -1.0, ["calm", "glad"])
    assert [(s.text, s.source) for s in record.explanation] == [("One.", "model"), ("Two!", "model")]
    assert [(u.au, u.side, u.intensity) for u in record.action_units] == [
        ("AU12", "right", 0.4), ("AU14", "left", None), ("AU25", None, None)
    ]  # fmt: skip
    assert "outside 1" in failures[0].reason


def test_several_labels_share_and_quotes_may_be_text(tmp_path):
    put(tmp_path, "a.tsv", 'He said "no\t1,2\tx1\n')
    table = {"kind": "table", "tables": {"test": "a.tsv"}, "columns": ["text", "labels", "id"], "quoted": False}
    fields = {"id": "{id}", "group": "{id}", "label": "{labels}", "label_separator": ",", "transcript": "{text}"}
    records, _ = both(tmp_path, recipe(table, fields))
    assert records[0].labels[0].shares == {"joy": 0.5, "grief": 0.5}
    assert records[0].transcript == 'He said "no'


def test_the_first_medium_that_exists_is_taken_and_none_is_made_up(tmp_path):
    put(tmp_path, "a.csv", "id\na\nb\n")
    put(tmp_path, "x/a.opus")
    fields = {"id": "{id}", "group": "{id}", "transcript": "x", "audio": ["x/{id}.wav", "x/{id}.opus"]}
    records, _ = both(tmp_path, recipe(TABLE, fields))
    assert [r.media.audio for r in records] == ["x/a.opus", "x/b.wav"]
    records, _ = both(tmp_path, recipe(TABLE, fields, media_optional=True))
    assert records[1].media is None


def test_frame_lists_of_videos(tmp_path):
    put(tmp_path, "labels/v1.txt", "valence,arousal\n0.5,0.1\n-5,-5\n0.25,0.0\n0.3\n")
    frames = {"kind": "frames", "pattern": r"labels/(?P<video>\w+)\.txt", "columns": ["v", "a"], "header": 1}
    fields = {
        "id": "{video}_{frame}", "group": "{video}", "image": "crops/{video}/{frame|05}.jpg", "valence": "{v}", "arousal": "{a}"
    }  # fmt: skip
    records, failures = both(tmp_path, recipe(frames, fields, missing=["", "-5"], splits={"rest": "train"}))
    assert [(r.id, r.valence, r.media.image) for r in records] == [
        ("v1_1", 0.5, "crops/v1/00001.jpg"), ("v1_2", None, "crops/v1/00002.jpg"), ("v1_3", 0.25, "crops/v1/00003.jpg")
    ]  # fmt: skip
    assert failures[0].place == "labels/v1.txt:5"
    thinned, _ = both(tmp_path, recipe(frames | {"step": 2}, fields, missing=["", "-5"], splits={"rest": "train"}))
    assert [r.id for r in thinned] == ["v1_1", "v1_3"]


def test_frames_of_a_folder(tmp_path):
    put(tmp_path, "a.csv", "id\na\nb\n")
    for n in (2, 1):
        put(tmp_path, f"clips/a/{n:03d}.jpg")
    records, failures = both(tmp_path, recipe(TABLE, FRAMES))
    assert records[0].media.frames == ["clips/a/001.jpg", "clips/a/002.jpg"] and records[0].media.frame_rate == 30
    assert "no frames at clips/b" in failures[0].reason


def test_dialogue_tables(tmp_path):
    lines = ("d,u,t,who,e,start", '0,1,Second,Bo,grief,"00:00:02,500"', "0,0,First,Al,joy,00:00:01", "1,0,Other,Al,x,")
    put(tmp_path, "a.csv", "\n".join(lines))
    columns = {"dialogue": "{d}", "index": "{u}", "text": "{t}", "speaker": "{who}", "emotion": "{e}", "start": "{start}"}
    reader = {"kind": "dialogue", "layout": "table", "tables": {"valid": "a.csv"}, "columns": columns}
    fields = {"id": "{split}_{dialogue}_{u}", "group": "{dialogue}", "label": "{emotion}", "transcript": "{text}"}
    records, failures = both(tmp_path, recipe(reader, fields))
    assert [(r.id, r.target_turn, r.transcript, r.labels[0].value) for r in records] == [
        ("valid_0_0", 0, "First", "joy"), ("valid_0_1", 1, "Second", "grief")
    ]  # fmt: skip
    assert [(t.speaker, t.start_s) for t in records[0].turns] == [("Al", 1.0), ("Bo", 2.5)]
    assert "unknown label 'x'" in failures[0].reason


ECF = """7 2
(2,1),(2,2)
1 | Al | joy | One | two . | S1E1: 00:00:01.000 - 00:00:02.500
2 | Bo | grief | Oh . | S1E1: 00:00:03.000 - 00:00:04.000
8 2
(1,1)
1 | Al | joy
"""


def test_cause_pairs_of_the_text_layout(tmp_path):
    put(tmp_path, "a.txt", ECF.replace("One | two", "One two"))
    reader = {"kind": "dialogue", "layout": "ecf", "each": "dialogue", "tables": {"test": "a.txt"}}
    records, failures = both(tmp_path, recipe(reader, {"id": "{split}_{dialogue}", "group": "{dialogue}"}))
    assert [(c.effect, c.cause, c.emotion) for c in records[0].causes] == [(1, 0, "grief"), (1, 1, "grief")]
    assert records[0].turns[0].end_s == 2.5
    assert "conversation 8" in failures[0].reason


def test_cause_pairs_of_the_json_layouts(tmp_path):
    talk = [{"text": "One", "speaker": "A", "emotion": "joy", "video_name": "v1.mp4"}, {"text": "Oh", "emotion": "grief"}]
    item = {"conversation_ID": 3, "conversation": talk, "emotion-cause_pairs": [["2_grief", "1_One"]]}
    put(tmp_path, "ecf.json", json.dumps([item]))
    reader = {"kind": "dialogue", "layout": "ecf_json", "each": "dialogue", "tables": {"train": "ecf.json"}}
    records, _ = both(tmp_path, recipe(reader, {"id": "{dialogue}", "group": "{dialogue}"}))
    assert [(c.effect, c.cause, c.span) for c in records[0].causes] == [(1, 0, "One")]
    each = recipe(reader | {"each": "turn"}, {"id": "{dialogue}_{index}", "group": "{dialogue}", "video": "v/{video_name}"})
    assert both(tmp_path, each)[0][0].media.video == "v/v1.mp4"

    heard = [
        {"turn": 1, "speaker": "A", "utterance": "One", "emotion": "joy"},
        {"turn": 2, "speaker": "B", "utterance": "Oh", "emotion": "grief", "expanded emotion cause evidence": ["b", 1],
         "expanded emotion cause span": ["b", "One"]},
    ]  # fmt: skip
    put(tmp_path, "reccon.json", json.dumps({"tr_1": [heard]}))
    reader = {"kind": "dialogue", "layout": "reccon", "each": "dialogue", "tables": {"train": "reccon.json"}}
    records, _ = both(tmp_path, recipe(reader, {"id": "{dialogue}", "group": "{dialogue}"}))
    assert [(c.effect, c.cause, c.span, c.emotion) for c in records[0].causes] == [(1, 0, "One", "grief")]


def test_a_series_with_episodes_and_scenes(tmp_path):
    scene = {"scene_id": "s1_c1", "utterances": [{"transcript": "Hi", "speakers": ["Al", "Bo"], "emotion": "joy"}]}
    put(tmp_path, "e.json", json.dumps({"episodes": [{"scenes": [scene]}]}))
    reader = {"kind": "dialogue", "layout": "emory", "tables": {"train": "e.json"}}
    records, _ = both(tmp_path, recipe(reader, {"id": "{dialogue}_{index}", "group": "{dialogue}", "label": "{emotion}"}))
    assert records[0].turns[0].speaker == "Al, Bo" and records[0].labels[0].value == "joy"


@pytest.mark.parametrize("wrapped", ["list", "lines", "mapping"])
def test_json_lists_become_columns(tmp_path, wrapped):
    item = {"image": "p/1.jpg", "conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "joy"}]}
    whole = {"list": {"data": [item]}, "lines": item, "mapping": {"data": {"k": item}}}
    text = json.dumps(whole[wrapped])
    name = "a.jsonl" if wrapped == "lines" else "a.json"
    put(tmp_path, name, text)
    reader = {"kind": "json", "tables": {"train": name}} | ({} if wrapped == "lines" else {"items": "data"})
    fields = {"id": "{image|stem}", "group": "{number}", "label": "{conversations.1.value}", "image": "{image}"}
    records, failures = both(tmp_path, recipe(reader, fields))
    assert records[0].id == "1" and records[0].labels[0].value == "joy" and not failures


@pytest.mark.parametrize(
    ("content", "message"), [(None, "none of the tables"), (b"\xff\xfea", "encoding"), (b"PK", "no spreadsheet can be read")]
)
def test_a_wrong_layout_stops_with_a_reason(tmp_path, content, message):
    name = "a.xlsx" if content == b"PK" else "a.csv"
    if content:
        put(tmp_path, name, content)
    table = {"kind": "table", "tables": {"train": name}}
    with pytest.raises(ConfigError, match=message):
        list(read(recipe(table, {"id": "{id}", "group": "{id}"}), tmp_path))


def test_a_sheet_reads_like_a_table(tmp_path):
    write_sheet(tmp_path / "a.xlsx", [["Edition", "2"], [""], ["id", "label"], ["7", "joy"], ["8", "sorrow"]])
    table = {"kind": "table", "tables": {"train": "a.xlsx"}, "header": "label"}
    records, failures = both(tmp_path, recipe(table, {"id": "{id}", "group": "{id}", "label": "{label}", "transcript": "x"}))
    assert [(record.id, record.labels[0].value) for record in records] == [("7", "joy")]
    assert [failure.place for failure in failures] == ["a.xlsx:5"]
    with pytest.raises(ConfigError, match="no line has the column 'mood'"):
        list(read(recipe(table | {"header": "mood"}, {"id": "{id}", "group": "{id}"}), tmp_path))


def test_a_missing_root_and_a_pattern_that_fits_nothing(tmp_path):
    files = {"kind": "files", "pattern": r"x/(?P<n>\d+)\.png"}
    fields = {"id": "{n}", "group": "{n}", "image": "{path}"}
    with pytest.raises(ConfigError, match="--root toy=DIR"):
        list(read(recipe(files, fields), tmp_path / "none"))
    put(tmp_path, "y/1.png")
    with pytest.raises(ConfigError, match="'y/1.png'"):
        list(read(recipe(files, fields), tmp_path))


def test_one_missing_table_of_two_is_a_failure_and_progress_is_told(tmp_path):
    put(tmp_path, "a.csv", "id\n" + "".join(f"{n}\n" for n in range(1001)))
    told = []
    table = {"kind": "table", "tables": {"train": "a.csv", "test": "b.csv"}}
    toy = recipe(table, {"id": "{id}", "group": "{id}", "transcript": "x"})
    items = list(read(toy, tmp_path, lambda *step: told.append(step)))
    assert len(items) == 1002 and items[-1] == Failure("toy", "b.csv", "the table is not there")
    assert [done for _, done, _ in told] == [500, 1000]


def test_the_sound_recipe_reads_both_the_official_suffix_and_another(tmp_path):
    from emoreason.instructions.recipe import load_recipe

    put(tmp_path, "Actor_17/03-01-05-02-01-01-17.wav")
    put(tmp_path, "Actor_02/03-01-08-01-02-01-02.opus")
    put(tmp_path, "Actor_02/03-02-08-01-02-01-02.wav")  # song
    records, failures = both(tmp_path, load_recipe("ravdess"))
    assert [(r.group, r.split, r.labels[0].value) for r in records] == [
        ("actor_02", "train", "surprised"), ("actor_17", "test", "angry")
    ]  # fmt: skip
    assert not failures


def test_the_cropped_face_recipe_in_its_official_layout(tmp_path):
    from emoreason.instructions.recipe import load_recipe

    put(tmp_path, "data/FER2013Test/fer1.png")
    Image.new("L", (48, 48)).save(tmp_path / "data/FER2013Test/fer1.png")
    put(tmp_path, "data/FER2013Test/label.csv", 'fer1.png,"(0, 0, 48, 48)",8,1,0,0,1,0,0,0,0,0\n')
    records, failures = both(tmp_path, load_recipe("ferplus"))
    assert records[0].cropped_face and records[0].labels[0].value == "neutral" and records[0].labels[0].shares == {"neutral": 1.0}
    assert [failure.place for failure in failures] == ["data/FER2013Train/label.csv", "data/FER2013Valid/label.csv"]


@pytest.mark.parametrize("layout", ["ecf_json", "reccon", "emory", "ecf"])
def test_a_file_of_another_layout_is_named(tmp_path, layout):
    put(tmp_path, "a.json", '[{"turn": "x"}]')
    reader = {"kind": "dialogue", "layout": layout, "tables": {"train": "a.json"}}
    with pytest.raises(ConfigError, match=f"a.json: not in the layout '{layout}'"):
        list(read(recipe(reader, {"id": "{dialogue}_{index}", "group": "{dialogue}"}), tmp_path))


def test_faces_at_rest_show_no_unit_and_the_table_need_not_list_them(tmp_path):
    for name in ("peak/S1_9.png", "calm/S1_1.png", "calm/S2_1.png"):
        put(tmp_path, name)
    put(tmp_path, "au.csv", "who,AU1,AU12\nS1,1,0\n")
    join = {"table": "au.csv", "key": "{who}", "on": "{who}", "optional": True}
    files = {"kind": "files", "pattern": r"(?P<phase>\w+)/(?P<who>S\d)_(?P<n>\d)\.png", "join": join}
    units = {"columns": r"AU(\d+)", "at_rest": {"phase": ["calm"]}}
    fields = {"id": "{who}_{n}", "group": "{who}", "image": "{path}", "action_units": units}
    records, failures = both(tmp_path, recipe(files, fields, splits={"rest": "train"}))
    assert not failures
    coded = {record.id: [(unit.au, unit.present) for unit in record.action_units] for record in records}
    absent = [("AU01", False), ("AU12", False)]
    assert coded == {"S1_9": [("AU01", True), ("AU12", False)], "S1_1": absent, "S2_1": absent}
    strict = recipe(files | {"join": join | {"optional": False}}, fields, splits={"rest": "train"})
    assert "'S2' is not in au.csv" in both(tmp_path, strict)[1][0].reason


def test_a_joined_table_without_its_column_is_named(tmp_path):
    put(tmp_path, "1.png")
    put(tmp_path, "au.csv", "name,AU1\n1,0\n")
    files = {"kind": "files", "pattern": r"(?P<n>\d)\.png", "join": {"table": "au.csv", "key": "{n}", "on": "{file}"}}
    with pytest.raises(ConfigError, match="au.csv: no column 'file'"):
        list(read(recipe(files, {"id": "{n}", "group": "{n}", "image": "{path}"}), tmp_path))
