"""A recipe for one's own clips: what is written, and what is stopped before anything is."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from builders import tone, write_media
from gated_trees import write_sheet
from PIL import Image

from emoreason.cli import run
from emoreason.errors import ConfigError
from emoreason.instructions.new_recipe import checked, draft, write
from emoreason.instructions.own_samples import find_own
from emoreason.instructions.recipe import load_recipe
from emoreason.instructions.tasks import conversation, tasks_of
from emoreason.instructions.validate import load

WORDS = ("bored", "happy", "very proud")


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(path)
    return path


def sorted_pictures(root: Path, each: int = 8, below: str = "") -> Path:
    for n, word in enumerate(WORDS):
        for k in range(each):
            picture(root / below.format(k=k) / word / f"{k} é.png", len(below) + 100 * n + k)
    return root


def table(root: Path, rows: list[dict], name: str = "own.csv", **style) -> Path:
    """A csv beside the pictures that its paths name."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for n, row in enumerate(rows):
        if row["path"].endswith(".png") and not (root / row["path"]).exists():
            picture(root / row["path"], n)
    with open(root / name, "w", encoding=style.pop("encoding", "utf-8"), newline="") as file:
        writer = csv.DictWriter(file, columns, **style)
        writer.writeheader()
        writer.writerows(rows)
    return root / name


def rows(count=24, **more):
    return [{"path": f"p/{n}.png", "label": WORDS[n % 3], **{k: v(n) for k, v in more.items()}} for n in range(count)]


def test_a_folder_per_class(tmp_path):
    root = sorted_pictures(tmp_path / "My clips")
    (root / "notes.txt").write_text("x")
    (root / ".hidden.png").write_text("x")
    made = draft(root)
    loaded = checked(made)
    assert made.values["name"] == "my_clips" and made.values["faces"] == "full"
    assert made.notes == ("files of other kinds left aside: 1 .txt",)
    assert made.values["scheme"]["labels"] == list(WORDS)
    assert made.values["scheme"]["crosswalk"] == {"bored": None, "happy": "happiness", "very proud": None}
    assert set(loaded.report.found) == {"train", "valid"} and sum(loaded.report.found.values()) == 24
    assert all(set(there) == set(WORDS) for there in loaded.report.labels.values())
    recipe_file, page = write(made, "<html>", tmp_path / "out")
    assert load(load_recipe(recipe_file), root).records == loaded.records and page.read_text() == "<html>"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["my_clips.html", "my_clips.yaml"]
    with pytest.raises(ConfigError, match="my_clips.yaml is there already"):
        write(made, "other", tmp_path / "out")
    assert page.read_text() == "<html>"


def test_groups_stay_together(tmp_path):
    for n, word in enumerate(WORDS):
        for speaker in range(7):
            for k in range(3):
                picture(tmp_path / "set" / word / f"speaker {speaker}" / f"{k}.png", 1000 * n + 10 * speaker + k)
    loaded = checked(draft(tmp_path / "set", cropped=True))
    by_split = {}
    for record in loaded.records:
        by_split.setdefault(record.split, set()).add(record.group)
    assert by_split["train"].isdisjoint(by_split["valid"]) and len(by_split["train"] | by_split["valid"]) == 7
    assert loaded.records[0].cropped_face


def test_given_splits_are_kept(tmp_path):
    root = sorted_pictures(tmp_path / "set", 6, below="{k}")
    for k, split in enumerate(("train", "train", "train", "val", "val", "test")):
        for file in (root / str(k)).rglob("*.png"):
            picture(root / split / file.parent.name / f"{k}.png", 10 * k + WORDS.index(file.parent.name))
            file.unlink()
        for folder in sorted((root / str(k)).iterdir()):
            folder.rmdir()
        (root / str(k)).rmdir()
    assert checked(draft(root)).report.found == {"test": 3, "train": 9, "valid": 6}


def test_a_table_with_everything(tmp_path):
    more = {
        "group": lambda n: f"g{n % 8}",
        "text": lambda n: "The smile says it." if n % 2 else "",
        "aus": lambda n: "AU12+6" if n % 3 else "",
        "transcript": lambda n: "well, then",
        "mood": lambda n: "x",
    }
    made = draft(table(tmp_path, rows(**more)))
    first, second = checked(made).records[:2]
    assert made.notes[0] == "columns without a meaning here: mood" and "text is taught word for word" in made.notes[1]
    assert first.group == "g0" and first.explanation == [] and first.transcript == "well, then"
    assert [one.text for one in second.explanation] == ["The smile says it."] and second.explanation[0].source == "human"
    assert {unit.au for unit in second.action_units} == {"AU06", "AU12"}


def test_several_labels_and_text_alone(tmp_path):
    some = rows(30)
    some[0]["label"] = "happy; bored"
    some[1] |= {"label": "", "text": "Somebody waits."}
    records = checked(draft(table(tmp_path, some))).records
    assert records[0].labels[0].shares == {"happy": 0.5, "bored": 0.5} and records[0].labels[0].value is None
    assert records[1].labels == [] and records[1].explanation[0].text == "Somebody waits."
    tasks = tasks_of(draft(tmp_path / "own.csv").recipe)
    both, told = (conversation(record, None, [], tasks, random.Random(0)) for record in records[:2])
    assert [exchange.answer.partition(": ")[2] for exchange in both] == ["bored and happy."]
    assert [exchange.answer for exchange in told] == ["Somebody waits."]


def test_pieces_of_one_sound_file_are_one_group(tmp_path):
    some = []
    for n in range(12):
        write_media(tmp_path / f"{n}.wav", sound=tone(1.0, hz=200 + 10 * n), sound_codec="pcm_s16le")
        some += [{"path": f"{n}.wav", "label": WORDS[(n + k) % 3], "start_s": k / 2, "end_s": (k + 1) / 2} for k in range(2)]
    made = draft(table(tmp_path, some))
    records = checked(made).records
    assert made.values["faces"] == "none" and records[1].span.start_s == 0.5 and records[0].media.audio == "0.wav"
    assert len({(record.group, record.split) for record in records}) == 12


@pytest.mark.parametrize("style", [{"encoding": "utf-8-sig"}, {"lineterminator": "\r\n"}, {"delimiter": "\t", "name": "own.tsv"}])
def test_tables_as_programs_write_them(tmp_path, style):
    assert len(checked(draft(table(tmp_path, rows(), **style))).records) == 24


def test_a_sheet_is_a_table(tmp_path):
    some = [[row["path"], row["label"]] for row in rows()]
    for n, (path, _) in enumerate(some):
        picture(tmp_path / path, n)
    write_sheet(tmp_path / "own.xlsx", [["path", "label"], *some])
    assert len(checked(draft(tmp_path / "own.xlsx")).records) == 24


def test_the_same_split_every_time_and_when_clips_are_added(tmp_path):
    made = draft(table(tmp_path, rows()))
    assert made.text == draft(tmp_path / "own.csv").text
    before = {record.id: record.split for record in checked(made).records}
    table(tmp_path, rows(40))
    after = {record.id: record.split for record in load(made.recipe, tmp_path).records}
    assert len(after) == 40 and {name: after[name] for name in before} == before


def spoiled(change):
    some = rows()
    change(some)
    return some


@pytest.mark.parametrize(
    ("some", "message"),
    [
        (spoiled(lambda r: r[0].update(label="once")), "only one sample of 'once'"),
        (spoiled(lambda r: r[0].update(label="happy, bored")), "label 'happy, bored': separate several labels with ;"),
        (spoiled(lambda r: r[0].update(label="<b>")), "without brackets"),
        (spoiled(lambda r: r[0].update(label="Happy")), "'Happy', 'happy' differ in small and capital"),
        (spoiled(lambda r: r[0].update(label="happy;")), "line 2: label 'happy;': an empty or repeated label"),
        (spoiled(lambda r: r[0].update(label="")), "line 2: neither a label nor a text"),
        (spoiled(lambda r: r[0].update(label=" ", text=" ")), "line 2: neither a label nor a text"),
        (spoiled(lambda r: r[1].update(path="p/0.png")), "2 lines cannot be used: line 2: p/0.png is listed more than once"),
        (spoiled(lambda r: r[1].update(path="/etc/passwd")), "line 3: path '/etc/passwd': write it relative"),
        (spoiled(lambda r: r[1].update(path="../x.png")), "without .."),
        (spoiled(lambda r: r[1].update(path="p\\1.png")), "forward slashes"),
        (spoiled(lambda r: r[1].update(path="notes.txt")), "'notes.txt' is no picture, video or sound"),
        (spoiled(lambda r: r[1].update(path="film.mp4")), "several kinds .film.mp4, p/0.png."),
        (rows(group=lambda n: "" if n == 5 else "a"), "line 7: group is empty"),
        (rows(group=lambda n: "all"), "'bored' occurs in one group only"),
        (rows(6, group=lambda n: "ababcc"[n]), "there are too few groups"),
        (rows(group=lambda n: WORDS[n % 3]), "'bored' occurs in one group only"),
        (rows(split=lambda n: "trian"), "line 2: split 'trian' is none of train, valid, test"),
        (rows(split=lambda n: "train"), "no sample is in valid"),
        (rows(split=lambda n: "valid" if n % 3 == 1 else "train"), "no sample of 'happy' is in train"),
        (rows(split=lambda n: "valid" if n % 6 == 1 else "train"), "no sample of 'bored', 'very proud' is in valid"),
        (rows(start_s=lambda n: 1), "start_s and end_s come together"),
        (rows(start_s=lambda n: 2, end_s=lambda n: 1), "line 2: start_s 2 and end_s 1 are no span of time"),
        (rows(start_s=lambda n: 2, end_s=lambda n: ""), "must both be seconds, or both be empty"),
        (rows(gruop=lambda n: n), "column 'gruop': if 'group' is meant"),
        ([{"path": "a.png", "emotion": "x"}], "no column 'label'; the first line .* path,emotion"),
        ([{"path": f"{n}.png", "label": "same"} for n in range(9)], "every label is 'same'"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_meant_so(tmp_path, some, message):
    with pytest.raises(ConfigError, match=message) as caught:
        draft(table(tmp_path, some))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_such_table(tmp_path):
    with pytest.raises(ConfigError, match="separated by semicolons: save the table with commas"):
        draft(table(tmp_path, rows(), delimiter=";"))
    with pytest.raises(ConfigError, match="separated by tabs"):
        draft(table(tmp_path, rows(), delimiter="\t"))
    (tmp_path / "short.csv").write_text("path,label\na.png,x\nb.png,x,y\n")
    with pytest.raises(ConfigError, match="line 3: 3 cells where 2 are expected"):
        draft(tmp_path / "short.csv")
    (tmp_path / "empty.csv").write_text("path,label\n")
    with pytest.raises(ConfigError, match="no line below the header"):
        draft(tmp_path / "empty.csv")
    (tmp_path / "latin.csv").write_bytes("path,label\na.png,é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not readable as utf-8"):
        draft(tmp_path / "latin.csv")
    with pytest.raises(ConfigError, match="is not there"):
        draft(tmp_path / "nosuch")


def test_folders_that_are_no_such_tree(tmp_path):
    with pytest.raises(ConfigError, match="no picture, video or sound"):
        draft(tmp_path)
    picture(tmp_path / "a" / "flat.png", 0)
    with pytest.raises(ConfigError, match="flat.png lies in no folder of a class"):
        draft(tmp_path / "a")
    picture(tmp_path / "b" / "x" / "1.png", 0)
    picture(tmp_path / "b" / "y" / "g" / "1.png", 0)
    with pytest.raises(ConfigError, match="some files lie in their class, some"):
        draft(tmp_path / "b")
    with pytest.raises(ConfigError, match="small letters"):
        draft(tmp_path / "b", name="My set!")


def test_media_that_cannot_be_used_stop_it(tmp_path):
    file = table(tmp_path, rows())
    (tmp_path / "p/3.png").write_text("no picture")
    (tmp_path / "p/5.png").unlink()
    with pytest.raises(ConfigError, match="2 samples cannot be used.*p/3.png.*p/5.png: missing"):
        checked(draft(file))


def test_leaks_stop_it(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    half = {"split": lambda n: "valid" if n < 9 else "train"}
    with pytest.raises(ConfigError, match="groups are in several splits"):
        checked(draft(table(tmp_path / "a", rows(**half, group=lambda n: f"g{n % 5}"))))
    file = table(tmp_path / "b", rows(**half))
    (tmp_path / "b/p/0.png").write_bytes((tmp_path / "b/p/20.png").read_bytes())
    with pytest.raises(ConfigError, match="identical media are in several splits"):
        checked(draft(file))


def test_splits_follow_groups_not_order(tmp_path):
    own = find_own(table(tmp_path, rows(30, group=lambda n: f"g{n % 10}")))
    assert len({sample.group for sample in own.samples}) == 10
    mixed = table(tmp_path, list(reversed(rows(30, group=lambda n: f"g{n % 10}"))), name="mixed.csv")
    assert draft(mixed).values["splits"] == draft(tmp_path / "own.csv").values["splits"]


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("emoreason.instructions.preview.preview", lambda *_: "<html>page")
    root = sorted_pictures(tmp_path / "clips")
    assert run(["data", "new", str(root), "--name", "mine", "--out", str(tmp_path / "out"), "--cropped"]) == 0
    shown = capsys.readouterr().out
    assert "mine: ok" in shown and str(tmp_path / "out/mine.yaml") in shown and "next: emoreason data observe" in shown
    assert run(["data", "validate", str(tmp_path / "out/mine.yaml"), "--root", f"mine={root}"]) == 0
    (root / "happy/0 é.png").write_text("broken")
    assert run(["data", "new", str(root), "--name", "again", "--out", str(tmp_path / "out")]) == 1
    assert "0 é.png" in capsys.readouterr().err and not list((tmp_path / "out").glob("*again*"))
