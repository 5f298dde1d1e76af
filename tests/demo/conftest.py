"""The demo as its command loads it."""

import pytest

pytest.importorskip("gradio", reason="the demo needs the extra `demo`")

from emoreason.cli.demo import load  # noqa: E402


@pytest.fixture(scope="session")
def jobs():
    return load("jobs")


@pytest.fixture(scope="session")
def studio():
    return load("studio").Studio({"composer": "composer"}, longest_s=60.0)


@pytest.fixture(scope="session")
def sample():
    return str(load("studio").sample_clip())
