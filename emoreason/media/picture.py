"""Pictures through Pillow: upright by EXIF, opaque, 8 bits, and never larger than memory can take."""

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from emoreason.media.errors import TooLarge, TruncatedFile, UnsupportedCodec

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]  # Pillow also opens film and PostScript: not wanted
MAX_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs, about 256 MB of RGB
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"}
EXIF_ORIENTATION = 0x0112


def picture_size(path: str) -> tuple[int, int, tuple[str, ...]] | None:
    """Upright width, height and problems from the header alone; None if the file is no picture. Raises TooLarge."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            sideways = image.getexif().get(EXIF_ORIENTATION, 1) >= 5
            animated = getattr(image, "n_frames", 1) > 1 and image.format != "MPO"
    except UnidentifiedImageError:
        _refuse_heic(path)
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(f"{path}: has more than {MAX_PIXELS:,} pixels; scale the picture down first") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise TruncatedFile(f"{path}: the picture breaks off or is damaged ({error})") from error
    if width * height > MAX_PIXELS:
        raise TooLarge(f"{path}: {width} x {height} pixels are more than {MAX_PIXELS:,}; scale the picture down first")
    problems = ("the picture is animated: only its first frame is used",) if animated else ()
    return (height, width, problems) if sideways else (width, height, problems)


def _refuse_heic(path: str) -> None:
    """FFmpeg would take the first tile of such a picture for the whole. Raises UnsupportedCodec."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in HEIC_BRANDS:
        raise UnsupportedCodec(f"{path}: HEIC pictures cannot be read here; save it as JPEG or PNG")


def load_picture(path: str) -> np.ndarray:
    """uint8 [H, W, 3] RGB, upright. Transparent parts become white. Raises TruncatedFile."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return np.array(_opaque(ImageOps.exif_transpose(image)))
    except (OSError, SyntaxError, ValueError) as error:
        raise TruncatedFile(f"{path}: the picture breaks off or is damaged ({error})") from error


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel: Pillow would clip everything above 255 to white
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W, 3] -> the given width, height."""
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
