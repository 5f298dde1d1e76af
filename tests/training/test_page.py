"""The page of a training: its curves and figures are those of the log."""

import json

from emoreason.training.page import HEIGHT, MARGIN, WIDTH, Sample, curves, write_page


def log(folder, entries):
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_curves_span_the_picture():
    history = [{"step": 1, "seconds": 1.0, "loss": 3.0}, {"step": 5, "seconds": 9.0, "loss": 1.0, "valid_loss": 2.0}]
    (loss,) = curves(history)  # the other was logged once
    points = [tuple(map(float, point.split(","))) for point in loss.points.split()]
    assert points[-1] == (WIDTH - MARGIN, HEIGHT - MARGIN) and points[0][1] == MARGIN
    assert (loss.first, loss.last, loss.low, loss.high, loss.steps) == (3.0, 1.0, 1.0, 3.0, 5)


def test_the_page_escapes_what_models_write(tmp_path):
    log(tmp_path, [{"step": n, "seconds": 60.0 * n, "loss": 1.0} for n in (1, 2)])
    sample = Sample("prompt", "<answer>emotion=fear</answer>", "<script>alert(1)</script>", "now")
    page = write_page(tmp_path, "a run: align", {"loss": 0.25}, [sample]).read_text()
    assert "<script>" not in page and "&lt;answer&gt;emotion=fear" in page
    assert "2.0 minutes of training" in page and "0.25" in page and "polyline" in page


def test_a_stage_of_phases_shows_them_all(tmp_path):
    for phase in ("alone", "joint", "data"):
        (tmp_path / phase).mkdir()
    for phase in ("alone", "joint"):
        log(tmp_path / phase, [{"step": n, "seconds": 60.0 * n, "loss": 1.0} for n in (1, 2)])
    page = write_page(tmp_path, "a run: face", {"valid.uar": 0.5}).read_text()
    assert "4.0 minutes of training" in page and "valid.uar" in page and "data" not in page
    assert page.count("<figcaption>") == 2 and "alone: loss" in page and "joint: loss" in page


def test_a_page_without_samples_or_figures(tmp_path):
    log(tmp_path, [])
    page = write_page(tmp_path, "t", {}).read_text()
    assert "Validation" not in page and "Samples before" not in page
