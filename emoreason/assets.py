"""Pinned third-party weights (first cut: only looks in the cache)."""

import os
from pathlib import Path

import platformdirs

from emoreason.errors import AssetError


def home() -> Path:
    """$EMOREASON_HOME, else the user's cache folder for emoreason."""
    return Path(os.environ.get("EMOREASON_HOME") or platformdirs.user_cache_dir("emoreason"))


def path(name: str) -> Path:
    """Folder of a pulled asset. Never fetches. Raises AssetError when it is absent."""
    folder = home() / "assets" / name
    if not folder.is_dir():
        raise AssetError(f"asset '{name}' is not in {home() / 'assets'}: run `emoreason assets pull`")
    return folder
