"""The command: streams, exit codes, hostile text. The reasoner is replaced here; tests/inference runs the real one."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from report_fixtures import make_report, two_people
from rich.console import Console

import emoreason
from emoreason import cli
from emoreason.config import DEFAULT_MODEL
from emoreason.errors import AssetError, ConfigError
from emoreason.inference.early import EarlyVerdict
from emoreason.media.errors import NotMedia
from emoreason.perception.settings import PerceptionSettings
from emoreason.report.schema import EmotionSpan
from emoreason.terminal import print_summary


class Reasoner:
    """Answers by file name; remembers how it was made."""

    made: dict = {}

    @classmethod
    def from_pretrained(cls, model, settings, cache, wait):
        cls.made = {"model": model, "settings": settings, "cache": cache}
        if model == "unknown":
            raise ConfigError("unknown model 'unknown': this version has composer")
        return cls()

    def __call__(self, file, progress=None, on_segment=None, on_text=None):
        if progress is not None:
            progress("faces", 1.0, 2.0)
            progress("words", 1.0, None)
            on_segment(EarlyVerdict(0.0, 5.0, "sadness", {"sadness": 0.9}))
            on_segment(EarlyVerdict(5.0, 10.0, "sadness", {"sadness": 0.8}))
            on_text(1, "Her lip corners ")
            on_text(1, "are pulled up.\x1b[31m")
        name = Path(file).name
        if name.startswith("broken"):
            raise NotMedia(f"{file} is not media: it is text")
        if name.startswith("bug"):
            raise ZeroDivisionError("division by zero\nsecond line")
        if name.startswith("noasset"):
            raise AssetError("asset 'whisper-base' is not complete: run `emoreason assets pull whisper-base`")
        return make_report(two_people(path=str(file)), abstained=name.startswith("unsure"))


@pytest.fixture(autouse=True)
def replaced(monkeypatch):
    monkeypatch.setattr(Reasoner, "made", {})
    monkeypatch.setitem(vars(emoreason), "EmotionReasoner", Reasoner)  # setattr would import the real one first
    monkeypatch.setattr("emoreason.system.require_libraries", lambda: None)


def run(capfdbinary, *arguments: object) -> tuple[int, str, str]:
    code = cli.run([str(argument) for argument in arguments])
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def test_json_lines_reports_and_the_bad_one(capfdbinary, tmp_path):
    code, out, err = run(capfdbinary, "analyze", "a.mp4", "broken.mp4", "b.mp4", "--json", "--out", tmp_path / "out")
    assert code == 2
    assert [json.loads(line)["source"]["path"] for line in out.splitlines()] == ["a.mp4", "b.mp4"]
    assert err == "broken.mp4 is not media: it is text\n"
    assert len(list((tmp_path / "out").glob("*/report.json"))) == 2
    assert len(list((tmp_path / "out").glob("*/*.html"))) == 2


def test_all_good_is_zero(capfdbinary):
    code, out, err = run(capfdbinary, "analyze", "a.mp4", "--json")
    assert (code, err) == (0, "") and len(out.splitlines()) == 1


def test_formats_and_columns(capfdbinary, tmp_path):
    code, _, _ = run(capfdbinary, "analyze", "a.mp4", "-q", "--out", tmp_path, "--formats", "csv,vtt", "--columns", "openface")
    files = {file.suffix: file for file in tmp_path.rglob("*") if file.is_file()}
    assert code == 0 and set(files) == {".csv", ".vtt"}
    assert "AU12_r" in files[".csv"].read_text(encoding="utf-8").splitlines()[0]


def test_the_formats_are_those_of_the_writers():
    from emoreason.report.table import columns
    from emoreason.report.writers import WRITERS

    assert set(cli.FORMATS) == set(WRITERS)
    for name in cli.COLUMNS:
        assert columns(name)


def test_summary_shows_everything_and_no_control_character(capfdbinary):
    code, out, err = run(capfdbinary, "analyze", "evil\x1b[31m\u202e[bold]name[/bold].mp4")
    assert (code, err) == (0, "")
    assert not set(out) & {"\x1b", "\x00", "\u202e"}
    text = " ".join(out.split())
    assert "[bold]name[/bold].mp4" in text  # markup of the terminal library is shown, not obeyed
    for part in ("AU12 lip corner puller strong", "of speech", "loudness high", "<script>alert(1)</script>", "dark", "✓", "✗"):
        assert part in text, part


def test_summary_tells_a_change_by_its_course():
    report = make_report()
    spans = [(0.0, 5.9, "sadness", 0.61), (5.9, 11.9, "happiness", 0.94)]
    course = [EmotionSpan(start_s=a, end_s=b, emotion=e, confidence=p) for a, b, e, p in spans]
    told = report.model_copy(update={"verdict": report.verdict.model_copy(update={"course": course})})
    text = io.StringIO()
    print_summary(Console(file=text, width=300), told, [])
    assert "sadness, then happiness from 5.9 s (0.61, 0.94); in all neutral 0.32, " in text.getvalue()
    print_summary(Console(file=text, width=300), report, [])
    assert "neutral (0.32); neutral 0.32, " in text.getvalue()


def test_summary_of_an_abstention_gives_the_reason(capfdbinary):
    _, out, _ = run(capfdbinary, "analyze", "unsure.mp4")
    assert "none: too little to see" in out


def test_quiet_keeps_errors(capfdbinary):
    code, out, err = run(capfdbinary, "analyze", "a.mp4", "broken.mp4", "-q")
    assert (code, out) == (2, "") and err.count("\n") == 1


def test_options_reach_the_reasoner(capfdbinary):
    run(capfdbinary, "analyze", "a.mp4", "-q", "--fps", "5", "--language", "pl", "--no-words", "--no-cache")
    wanted = PerceptionSettings(fps=5.0, language="pl", words=False)
    assert Reasoner.made == {"model": DEFAULT_MODEL, "settings": wanted, "cache": False}
    run(capfdbinary, "analyze", "a.mp4", "-q", "--model", "composer")
    assert Reasoner.made == {"model": "composer", "settings": PerceptionSettings(), "cache": True}


def test_the_unforeseen_is_one_line_and_stops_nothing(capfdbinary):
    code, out, err = run(capfdbinary, "analyze", "bug.mp4", "a.mp4", "--json")
    assert code == 2 and len(out.splitlines()) == 1
    assert err.count("\n") == 1 and err.startswith("bug.mp4: unexpected ZeroDivisionError: division by zero second line; run")
    assert "--debug" in err and "emoreason doctor" in err


def test_debug_shows_the_traceback(capfdbinary):
    code, _, err = run(capfdbinary, "analyze", "bug.mp4", "--debug")
    assert code == 2 and "Traceback" in err and "--debug" not in err


def test_what_is_true_of_every_file_ends_the_run(capfdbinary):
    code, out, err = run(capfdbinary, "analyze", "noasset.mp4", "a.mp4", "--json")
    assert (code, out) == (1, "") and err.startswith("asset 'whisper-base'") and err.count("\n") == 1


def test_a_package_that_does_not_load_is_one_line(capfdbinary, monkeypatch):
    monkeypatch.delitem(vars(emoreason), "EmotionReasoner")
    monkeypatch.setitem(sys.modules, "emoreason.inference.reasoner", None)  # as Python marks what cannot be imported
    code, out, err = run(capfdbinary, "analyze", "a.mp4")
    assert (code, out, err.count("\n")) == (1, "", 1) and "run `emoreason doctor`" in err


def test_the_unforeseen_outside_of_files_is_one_line_too(capfdbinary, monkeypatch):
    monkeypatch.setattr(Reasoner, "from_pretrained", classmethod(lambda *_, **__: 1 / 0))
    code, _, err = run(capfdbinary, "analyze", "a.mp4")
    assert code == 1 and err.count("\n") == 1 and err.startswith("unexpected ZeroDivisionError")
    code, _, err = run(capfdbinary, "analyze", "a.mp4", "--debug")
    assert code == 1 and "Traceback" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command"),
        (["analyze"], "Missing argument 'FILE...'"),
        (["analyze", "a.mp4", "--bogus"], "No such option: --bogus"),
        (["analyze", "a.mp4", "--formats", "json,zip"], "--formats takes json, csv, .* not 'zip'"),
        (["analyze", "a.mp4", "--formats", "csv"], "say where with --out"),
        (["analyze", "a.mp4", "--columns", "other"], "--columns takes pyfeat, openface, not 'other'"),
        (["analyze", "a.mp4", "--fps", "0"], "--fps"),
        (["analyze", "a.mp4", "--language", "english please"], "--language"),
        (["analyze", "a.mp4", "--model", "unknown"], "unknown model"),
        (["assets", "pull", "face-landmark"], "did you mean 'face-landmarker'"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_wrong_usage_is_one_line_and_one(capfdbinary, arguments, message):
    code, out, err = run(capfdbinary, *arguments)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_out_that_cannot_be_made_is_told_before_the_work(capfdbinary, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run(capfdbinary, "analyze", "a.mp4", "--out", tmp_path / "file" / "out")
    assert code == 1 and err.startswith("--out") and err.count("\n") == 1 and not Reasoner.made


def test_assets_commands(capfdbinary, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "home"))
    code, out, err = run(capfdbinary, "assets", "list")
    assert code == 0 and "face-landmarker" in out and "Apache-2.0" in out and "absent" in out
    code, out, err = run(capfdbinary, "assets", "verify", "sample-clip")
    assert code == 1 and out.startswith("missing") and "emoreason assets pull sample-clip" in err
    code, out, err = run(capfdbinary, "assets", "pull", "sample-clip", "--from", tmp_path)
    assert code == 1 and "asset 'sample-clip' could not be had" in err and err.count("\n") == 1


def command(*arguments: str, **options) -> subprocess.CompletedProcess:
    root = str(Path(emoreason.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root} | options.pop("env", {})
    return subprocess.run([sys.executable, *arguments], capture_output=True, env=environment, timeout=120, **options)


def test_parsing_imports_nothing_heavy():
    code = "import sys, emoreason.cli; print(sorted({'torch', 'mediapipe', 'cv2', 'numpy', 'av', 'pandas'} & set(sys.modules)))"
    assert command("-c", code).stdout.strip() == b"[]"


def test_help_and_version_as_a_module():
    assert b"analyze" in command("-m", "emoreason", "--help").stdout
    assert command("-m", "emoreason", "--version").stdout.decode().strip() == f"emoreason {emoreason.__version__}"


def test_a_reader_that_leaves_causes_no_traceback():
    read, write = os.pipe()
    os.close(read)
    root = str(Path(emoreason.__file__).parents[1])
    arguments = [sys.executable, "-m", "emoreason", "assets", "list"]
    done = subprocess.run(arguments, stdout=write, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root})
    os.close(write)
    assert done.stderr == b""


def test_a_narrow_encoding_does_not_end_the_run():
    done = command("-m", "emoreason", "assets", "pull", "żółć", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1 and done.stderr.startswith(b"no asset is called '????'")
