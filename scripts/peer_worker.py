"""Runs one peer tool inside its own environment; `bench_peers.py` starts it there. Needs nothing of emoreason.

    python peer_worker.py TOOL LIST OUT

LIST: JSON lines {"id", "path", "crop"}; crop = the picture is a face, so the tool's own detector is off. Of a video every
quarter second is shown and the scores of its frames with a face are averaged. OUT: JSON lines {"id", "scores"}, scores null
where the tool found no face. What OUT holds already is not done again.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

STEP_S = 0.25
Scores = dict[str, float]
Tool = Callable[[np.ndarray, bool], "Scores | None"]  # BGR picture, is a crop


def fer() -> Tool:
    from fer import fer as module
    from fer.fer import FER

    module.round = lambda value, digits: value  # two decimals leave nothing to choose by where it is sure of another label
    # With its usual 10 pixels of padding a 48-pixel crop would lie in a grey frame: its network was trained on bare crops.
    bare, usual = FER(offsets=(0, 0)), FER()

    def run(picture: np.ndarray, crop: bool) -> Scores | None:
        height, width = picture.shape[:2]
        found = bare.detect_emotions(picture, [(0, 0, width, height)]) if crop else usual.detect_emotions(picture)
        return _largest([(face["box"], face["emotions"]) for face in found])

    return run


def facex() -> Tool:
    import facex as package
    from facex import EmotionClassifier

    tool = EmotionClassifier(str(Path(package.__file__).parent / "assets" / "model_optimized.tflite"))

    def run(picture: np.ndarray, crop: bool) -> Scores | None:
        if crop:
            return tool.detect_emotion(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
        return _largest([(face["bbox"], face["emot"]) for face in tool.predict(picture)])

    return run


TOOLS: dict[str, Callable[[], Tool]] = {"fer": fer, "facex": facex}


def _largest(faces: list[tuple[tuple[int, int, int, int], Scores]]) -> Scores | None:
    return max(faces, key=lambda face: face[0][2] * face[0][3])[1] if faces else None


def pictures(path: str) -> Iterator[np.ndarray]:
    picture = cv2.imread(path)
    if picture is not None:
        yield picture
        return
    video, next_s = cv2.VideoCapture(path), 0.0
    while True:
        more, frame = video.read()
        if not more:
            return
        if video.get(cv2.CAP_PROP_POS_MSEC) / 1000 >= next_s:
            next_s += STEP_S
            yield frame


def scores(tool: Tool, path: str, crop: bool) -> Scores | None:
    """Mean over the frames with a face; None without one."""
    found = [one for one in (tool(picture, crop) for picture in pictures(path)) if one is not None]
    return {label: float(np.mean([one[label] for one in found])) for label in found[0]} if found else None


def main() -> None:
    name, listed, out = sys.argv[1:]
    done = {json.loads(line)["id"] for line in open(out, encoding="utf-8")} if Path(out).is_file() else set()
    tool = TOOLS[name]()
    with open(listed, encoding="utf-8") as lines, open(out, "a", encoding="utf-8") as results:
        for sample in map(json.loads, lines):
            if sample["id"] not in done:
                line = {"id": sample["id"], "scores": scores(tool, sample["path"], sample["crop"])}
                results.write(json.dumps(line) + "\n")
                results.flush()


if __name__ == "__main__":
    main()
