"""emoreason: which emotion is shown, by whom, when; which facial and vocal cues show it; and why, checked."""

import os

from emoreason.version import __version__

# Libraries tell their makers of every run unless asked not to before their first import: onnxruntime (from 1.29), Ray, Hugging
# Face's hub. Whoever wants it sets the variable otherwise.
for _name, _value in {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}.items():
    os.environ.setdefault(_name, _value)

__all__ = ["EmotionReasoner", "EmotionReport", "__version__"]


def __getattr__(name: str):
    """`EmotionReasoner` and `EmotionReport` on first use: importing the package stays light.

    Raises EnvironmentProblem naming the system libraries without which the imports behind it would die.
    """
    if name not in ("EmotionReasoner", "EmotionReport"):
        raise AttributeError(f"module 'emoreason' has no attribute {name!r}")
    from emoreason.system import require_libraries

    require_libraries()
    if name == "EmotionReport":
        from emoreason.report.emotion_report import EmotionReport

        return EmotionReport
    from emoreason.inference.reasoner import EmotionReasoner

    return EmotionReasoner
