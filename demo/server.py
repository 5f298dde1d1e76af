"""Starts the page: on this machine only, with nothing fetched from anywhere else and nothing left behind."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, LOCK = "emoreason-demo-", ".lock"

# The page may talk to itself and to nobody else: Gradio's own template names fonts and a script of other hosts.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"permissions-policy": b"camera=(self), microphone=(self), geolocation=()",
}


@dataclass(frozen=True)
class Settings:
    """models: name shown -> what EmotionReasoner takes, the first is chosen at the start. port 0 = any that is free."""

    models: dict[str, str]
    host: str = "127.0.0.1"
    port: int = 7860
    most_mib: int = 500
    longest_s: float = 600.0


class Guard:
    """ASGI middleware: the headers above on every response."""

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        async def answer(message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in HEADERS]
                message = {**message, "headers": [*kept, *HEADERS.items()]}
            await send(message)

        await self.app(scope, receive, answer if scope["type"] == "http" else send)


def own_folder() -> Path:
    """For uploads and results, gone with this process. Those of servers that were killed before they could clean up go now."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if left.lstat().st_uid == Path.home().stat().st_uid and (left / LOCK).is_file():
                with FileLock(left / LOCK, timeout=0):  # the system lets go of it, however its owner ended
                    shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(folder / LOCK)
    lock.acquire()
    atexit.register(lock.release)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # before the lock is let go: last registered, first called
    return folder


def launch(settings: Settings) -> tuple[object, str]:
    """(blocks, address) as soon as the page can be opened, from when on the first model is being loaded. Close the page with
    `blocks.close()`.

    Raises OSError when the port is taken.
    """
    cache = own_folder()
    os.environ |= {"GRADIO_TEMP_DIR": str(cache), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    import gradio as gr
    from starlette.middleware import Middleware

    from . import viewer
    from .app import build
    from .studio import Studio

    studio = Studio(settings.models, settings.longest_s)
    blocks = build(studio, cache)
    blocks.queue(max_size=20)
    fonts = ["system-ui", "sans-serif"]
    _, address, _ = blocks.launch(
        server_name=settings.host,
        server_port=settings.port or None,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=True,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        max_file_size=settings.most_mib * 1024 * 1024,
        footer_links=["api"],
        theme=gr.themes.Base(font=fonts, font_mono=["ui-monospace", "monospace"], primary_hue="blue", neutral_hue="slate"),
        css=viewer.style(),
        head=viewer.script(),
        app_kwargs={"middleware": [Middleware(Guard)], "docs_url": None, "redoc_url": None},
    )
    studio.warm()
    return blocks, address
