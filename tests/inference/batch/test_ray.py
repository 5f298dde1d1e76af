"""The batch on Ray: same rows as here, and nothing lost when a node is."""

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inference.toys import make_judge
from PIL import Image

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

from emoreason.errors import EnvironmentProblem  # noqa: E402
from emoreason.inference.batch.options import Options  # noqa: E402
from emoreason.inference.batch.ray_engine import RayEngine  # noqa: E402
from emoreason.inference.batch.runner import run  # noqa: E402
from emoreason.perception.settings import PerceptionSettings  # noqa: E402

FAST = Options(model="composer", perception=PerceptionSettings(words=False, fps=2), cache=False, workers=1)
COLUMNS = ["id", "path", "emotion", "confidence", "explanation", "sha256"]
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 255, (40, 48, 3), np.uint8)
        Image.fromarray(noise).save(made / f"{number}.png")
    (made / "bad 'n\udcff.mp4").write_bytes(b"nothing")
    return made


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def rows(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "summary.parquet")[COLUMNS]


def test_a_lost_node_loses_nothing(folder, tmp_path, cluster):
    """Two nodes; one is killed when the first report is there."""
    here = run(folder, tmp_path / "here", FAST)
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    out = tmp_path / "ray"
    lost = threading.Event()

    def lose() -> None:
        while not list((out / "reports").glob("*.json")):
            time.sleep(0.02)
        cluster.remove_node(second, allow_graceful=False)
        lost.set()

    threading.Thread(target=lose, daemon=True).start()
    options = Options(model="composer", perception=FAST.perception, cache=False, workers=2)
    there = run(folder, out, options, engine=RayEngine(options, address=cluster.address))
    assert lost.is_set()
    assert (there.done, there.failed) == (here.done, here.failed) == (6, 1)
    pd.testing.assert_frame_equal(rows(out), rows(tmp_path / "here"))


def test_a_model_judges_in_an_actor_of_its_own(folder, tmp_path, cluster):
    """Measured on one node or another, judged together by one actor: rows as of the local run, and nothing left waiting."""
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    judge = make_judge(trained=True, verdict={"most_tokens": 4})
    judge.engine.model.save_pretrained(tmp_path / "model")
    judge.processor.save_pretrained(tmp_path / "model")
    options = Options(model=str(tmp_path / "model"), perception=FAST.perception, cache=False, workers=1)
    here = run(folder, tmp_path / "here", options)
    there = run(folder, tmp_path / "ray", options, engine=RayEngine(options, address=cluster.address))
    assert (there.done, there.failed) == (here.done, here.failed) == (6, 1)
    pd.testing.assert_frame_equal(rows(tmp_path / "ray"), rows(tmp_path / "here"), atol=1e-3)
    assert not (tmp_path / "ray" / ".waiting").exists()


def test_no_cluster_is_said(monkeypatch):
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(EnvironmentProblem, match="no Ray cluster"):
        RayEngine(FAST, address="127.0.0.1:1")
