"""How many faces are found, and how many are invented: FER+ valid, whole clips, pictures without a face.

    python scripts/bench_faces.py [--limit N] [--faceless N] [clips] [faceless] [ferplus]

Data: $EMOREASON_DATA, else ../shared/data beside the checkout (fer2013_ferplus, clips). Parts without data are left out.
Prints one JSON object a line.
"""

import argparse
import json
import os
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from emoreason.media import Clip
from emoreason.perception.faces import read_faces
from emoreason.perception.observation import FOUND
from emoreason.perception.settings import PerceptionSettings

DATA = Path(os.environ.get("EMOREASON_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def found(path: Path, **settings) -> Counter:
    """How the faces of one file were found -> number of rows; `frames` with a face, `samples` looked at."""
    rows = []
    log = read_faces(Clip(path), PerceptionSettings(**settings), rows.append)
    how = Counter(FOUND[code] for row in rows for code in row["found"])
    return how + Counter(frames=log.counts.frames, samples=len(log.sample_times_s))


def show(**facts) -> None:
    print(json.dumps(facts), flush=True)


def bench_ferplus(limit: int | None) -> None:
    files = sorted((DATA / "fer2013_ferplus/data/FER2013Valid").glob("*.png"))
    random.Random(0).shuffle(files)
    for cropped in (None, True):
        total = sum((found(file, cropped_faces=cropped) for file in files[:limit]), Counter())
        pictures, faces = max(total["samples"], 1), total["frames"]
        mesh = round((faces - total["whole_picture"]) / pictures, 4)
        show(set="FER+ valid", cropped_faces=cropped, pictures=pictures, found=round(faces / pictures, 4), mesh=mesh, how=total)


def bench_clips() -> None:
    for file in sorted((DATA / "clips").glob("*.mp4")):
        loop, both = found(file, second_pass=False), found(file)
        first, second = (round(counts["frames"] / counts["samples"], 3) for counts in (loop, both))
        show(clip=file.name, samples=both["samples"], loop=first, with_second_pass=second)


def faceless(kind: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """uint8 [size, size, 3] without a face: noise, soft blobs, 1/f texture, or a crop of a landscape or flower photo."""
    if kind == "noise":
        return rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    if kind == "blobs":
        cells = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        return np.asarray(cells.resize((size, size), Image.Resampling.BICUBIC))
    if kind == "texture":
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size))) + 0.01
        values = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) / frequency).real
        values = np.uint8(255 * (values - values.min()) / np.ptp(values))
        return np.repeat(values[..., None], 3, axis=2)
    photo = load_sample_images().images[int(rng.integers(2))]
    side = int(rng.integers(48, 400))
    y, x = int(rng.integers(photo.shape[0] - side)), int(rng.integers(photo.shape[1] - side))
    return np.asarray(Image.fromarray(photo[y : y + side, x : x + side]).resize((size, size), Image.Resampling.LANCZOS))


def bench_faceless(number: int) -> None:
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        for kind in ("noise", "blobs", "texture", "photo"):
            for size in (48, 360):
                total = Counter()
                for _ in range(number):
                    file = Path(folder) / "picture.png"
                    Image.fromarray(faceless(kind, rng, size)).save(file)
                    total += found(file)
                show(without_face=kind, side=size, pictures=number, invented=total["frames"], how=total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="pictures of FER+ valid (default: all)")
    parser.add_argument("--faceless", type=int, default=100, help="pictures of each kind without a face")
    parser.add_argument("parts", nargs="*", help="clips, faceless, ferplus (default: all)")
    arguments = parser.parse_args()
    parts = {
        "clips": bench_clips,
        "faceless": lambda: bench_faceless(arguments.faceless),
        "ferplus": lambda: bench_ferplus(arguments.limit),
    }
    for part in arguments.parts or parts:
        parts[part]()


if __name__ == "__main__":
    main()
