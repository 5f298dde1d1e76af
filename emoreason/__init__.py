"""emoreason: which emotion is shown, by whom, when; which facial and vocal cues show it; and why, checked."""

__version__ = "0.1.0"
__all__ = ["EmotionReasoner", "__version__"]


def __getattr__(name: str):
    """`EmotionReasoner` on first use: importing the package stays light.

    Raises EnvironmentProblem naming the system libraries without which the imports behind it would die.
    """
    if name == "EmotionReasoner":
        from emoreason.system import require_libraries

        require_libraries()
        from emoreason.inference.reasoner import EmotionReasoner

        return EmotionReasoner
    raise AttributeError(f"module 'emoreason' has no attribute {name!r}")
