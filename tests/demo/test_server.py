"""The page over HTTP: headers, file access, the named endpoints."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import pytest

from emoreason import EmotionReasoner
from emoreason.cli.demo import load
from emoreason.config import shipped
from emoreason.perception.settings import PerceptionSettings


@pytest.fixture(scope="module")
def address():
    server = load("server")
    blocks, address = server.launch(server.Settings({name: name for name in ("tiny", "composer")}, port=0))
    yield address.rstrip("/")
    blocks.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind(end, tmp_path, monkeypatch):
    """At the latest, what a killed server left goes with the next start."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "emoreason", "demo", "--port", "0", "--model", "composer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        (folder,) = tmp_path.glob("emoreason-demo-*")
        (folder / "upload.mp4").write_bytes(b"somebody")
        server.send_signal(end)
        assert server.wait(60) == (0 if end == signal.SIGTERM else -signal.SIGKILL)
    assert folder.exists() == (end == signal.SIGKILL)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = load("server").own_folder()
    assert list(tmp_path.iterdir()) == [own]
    assert load("server").own_folder() != own and own.is_dir()


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, dict(answer.headers), answer.read()


def test_it_listens_here_only_and_may_talk_to_itself_only(address):
    assert address.startswith("http://127.0.0.1:")
    _, headers, _ = get(address)
    policy = {name.lower(): value for name, value in headers.items()}["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../../../etc/passwd", "/proc/self/environ", "..%2f..%2f..%2fetc%2fpasswd", "~/.bashrc"]
)
def test_files_outside_the_sessions_are_not_served(address, path):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(f"{address}/gradio_api/file={path}")
    assert error.value.code in (403, 404)


def test_named_endpoints(address, sample):
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)
    modalities = ["face", "voice"]
    report = json.loads(client.predict(handle_file(sample), "composer", modalities, "", "", api_name="/analyze"))
    settings = PerceptionSettings(words=False)
    expected = json.loads(EmotionReasoner.from_pretrained("composer", settings, cache=False)(sample).to_json())
    for part in ("verdict", "segments", "people", "voice", "words", "explanation"):
        assert report[part] == expected[part]
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/analyze", "/ask"}


def test_the_documented_program_runs(address, sample, monkeypatch, tmp_path, capsys):
    page = shipped() / "docs" / "demo.md"
    if not page.is_file():
        pytest.skip("docs/ is not shipped in the wheel")
    [program] = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").symlink_to(sample)
    exec(program.replace("http://127.0.0.1:7860", address))  # the model answers, too
    *_, analysed, answered = capsys.readouterr().out.splitlines()  # the client says something, too
    assert analysed.startswith("happiness Person p1") and answered[0].isalpha() and answered.endswith("]")


def test_an_endpoint_takes_no_path_of_the_server(address):
    from gradio_client import Client

    stolen = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(Exception, match="(?i)not|invalid|error"):
        Client(address, verbose=False).predict(stolen, "composer", ["face"], "", "", api_name="/analyze")
