"""What an analysis loads: torch takes seconds to import, and one that runs on graphs needs none."""

import subprocess
import sys


def loaded_by(code: str) -> set[str]:
    """Packages that a bare process has loaded after the code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_the_package_alone_loads_no_library_of_models():
    assert not loaded_by("import emoreason, emoreason.cli.main") & {"torch", "transformers", "mediapipe", "onnxruntime", "scipy"}


def test_the_road_of_an_analysis_loads_no_torch():
    modules = (
        "inference.reasoner",
        "inference.judges.loading",
        "model.engines.onnx_loading",
        "perception.observe",
        "cli.analyze",
    )
    found = loaded_by("\n".join(f"import emoreason.{module}" for module in modules))
    assert "onnxruntime" in found and not found & {"torch", "peft", "accelerate", "datasets"}
