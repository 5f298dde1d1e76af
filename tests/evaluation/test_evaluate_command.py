"""`emoreason evaluate`: what it prints, writes and returns."""

import json

import pytest
from evaluation.made import SENTENCES, write_suite

from emoreason import cli
from emoreason.cli.suites import progress_lines
from emoreason.errors import EmoReasonError
from emoreason.inference.judges.composer import ComposerJudge


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EMOREASON_DATA", str(tmp_path))
    monkeypatch.setenv("EMOREASON_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        code = cli.run(["evaluate", "--model", "composer", *map(str, arguments)])
        return code, *capsys.readouterr()

    return command


def test_a_result_folder(run, tmp_path):
    code, out, _ = run(write_suite(tmp_path), "--out", "res")
    assert code == 0 and out.startswith("talk_test: war 0.600 [") and "3 answered, 2 silent" in out
    folder = tmp_path / "res" / "talk_test"
    assert {file.name for file in folder.iterdir()} == {"run.json", "samples.jsonl", "scores.json", "report.html"}
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["primary"] == "war" == scores["scores"][0]["metric"] and scores["n"] == 5
    assert scores["scores"][0]["value"] == 0.6 and scores["scores"][0]["unanswered"] == 2
    assert json.loads((folder / "run.json").read_text())["environment"]["python"]


def test_again_is_the_same_and_a_limit_is_another_run(run, tmp_path):
    suite = write_suite(tmp_path)
    _, first, _ = run(suite, "--json")
    code, again, _ = run(suite, "--json")
    assert code == 0 and json.loads(first)["scores"] == json.loads(again)["scores"]
    code, _, said = run(suite, "--limit", 2)
    assert code == 1 and "holds another run (its limit is another: None, not 2)" in said
    code, out, _ = run(suite, "--limit", 2, "--restart")
    assert code == 0 and "n 2 " in out


def test_one_suite_that_cannot_be_run_costs_the_others_nothing(run, tmp_path):
    good, empty = write_suite(tmp_path), tmp_path / "empty.yaml"
    empty.write_text(good.read_text().replace("talk_test", "empty").replace("split: test", "split: none"))
    code, out, said = run(empty, good)
    assert code == 2 and "talk_test: war" in out and "no sample is left" in said
    assert run(empty)[0] == 1


def test_a_mistake_in_a_suite_is_found_before_any_is_run(run, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad")
    code, _, said = run(write_suite(tmp_path), bad)
    assert code == 1 and "bad.yaml" in said and not (tmp_path / "evaluation").exists()


def test_failed_samples_and_unreadable_rows(run, tmp_path, monkeypatch):
    class Broken(ComposerJudge):
        def read(self, text):
            if "door" in text:
                raise EmoReasonError("no door")
            return super().read(text)

    monkeypatch.setattr("emoreason.inference.judges.load_judge", lambda model: Broken())
    code, out, _ = run(write_suite(tmp_path))
    assert code == 2 and "1 failed" in out
    page = (tmp_path / "evaluation" / "talk_test" / "report.html").read_text()
    assert "1 of 5 samples failed" in page and "no door" in page
    monkeypatch.undo()


def test_a_row_that_cannot_be_read(run, tmp_path):
    code, _, _ = run(write_suite(tmp_path, rows=[*SENTENCES, ("e1", "eve", "test", "glee", "x")]))
    assert code == 2
    assert "glee" in (tmp_path / "evaluation" / "talk_test" / "run.json").read_text()


def test_compare(run, tmp_path):
    suite = write_suite(tmp_path)
    run(suite, "--out", "a"), run(suite, "--out", "b")
    code, out, _ = run("--compare", "a/talk_test", "b/talk_test")
    assert code == 0 and "5 samples" in out and "war" in out and "+0.000 [+0.000, +0.000]" in out
    code, out, _ = run("--compare", "a/talk_test", "b/talk_test", "--json")
    assert json.loads(out)["differences"]["war"]["value"] == 0
    assert run("--compare", "a/talk_test", tmp_path)[0] == 1
    assert run(suite, "--compare", "a/talk_test", "b/talk_test")[0] == 1


def test_a_table_of_results(run, tmp_path):
    suite = write_suite(tmp_path)
    run(suite, "--out", "res")
    code, out, _ = run("--table", "res")
    assert code == 0 and out.startswith("| suite | n |") and len(out.splitlines()) == 4
    assert "| talk_test | 5 | 2 | war | 0.600 |" in out and "| uar |" in out
    code, out, _ = run("--table", "res/talk_test", "--json")
    assert [json.loads(line)["metric"] for line in out.splitlines()] == ["war", "uar"]
    assert run("--table", "home")[0] == 1


@pytest.mark.parametrize(
    ("tool", "file"), [("lmms-eval", "talk_test/emoreason_talk_test.yaml"), ("vlmevalkit", "emoreason_talk_test.tsv")]
)
def test_suites_for_other_tools(run, tmp_path, tool, file):
    code, out, _ = run(write_suite(tmp_path), "--export", tool, "--out", "tasks", "--limit", 3)
    assert code == 0 and (tmp_path / "tasks" / file).is_file()
    assert out.strip() == str((tmp_path / "tasks" / file).relative_to(tmp_path) if file.endswith("tsv") else "tasks/talk_test")
    code, out, _ = run(tmp_path / "suite.yaml", "--export", tool, "--out", "tasks", "--json")
    assert json.loads(out)["suite"] == "talk_test" and json.loads(out)["failed"] == 0


def test_what_cannot_be_exported(run, tmp_path):
    code, _, said = run(write_suite(tmp_path), "--export", "helm")
    assert code == 1 and "lmms-eval, vlmevalkit" in said
    causes = write_suite(tmp_path, kind="causes", primary="pair_f1")
    assert run(causes, "--export", "vlmevalkit")[0] == 1


def test_who_reads_no_prompt_has_nothing_to_leave_out(run, tmp_path):
    code, _, said = run(write_suite(tmp_path), "--without", "evidence")
    assert code == 1 and "reads no prompt" in said


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["ckplus_au", "--root", "ckplus48"], ["ckplus_au", "--limit", "0"]])
def test_usage(run, arguments):
    assert run(*arguments)[0] == 1


def test_a_log_is_told_what_is_left(monkeypatch, capsys):
    seconds = iter([0.0, 1.0, 20.0, 41.0, 50.0])
    monkeypatch.setattr("emoreason.cli.suites.time.monotonic", lambda: next(seconds))
    hook = progress_lines(30.0)
    for done in (100, 110, 120, 130):  # 100 were done before; the last line would come too soon after the one before
        hook("talk_test", done, 200)
    assert capsys.readouterr().err == "talk_test: 120 of 200, 2.7 min left\n"
