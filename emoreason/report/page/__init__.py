"""The report as one self-contained page, and its timeline for use elsewhere."""

from emoreason.report.page.document import page
from emoreason.report.page.timeline import script, style, timeline_svg

__all__ = ["page", "script", "style", "timeline_svg"]
