"""What happens on the page: every method answers one event, and says which outputs change."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from emoreason.errors import EmoReasonError
from emoreason.inference.early import told_early

from . import viewer as look
from .exports import export
from .jobs import Job, News, stage_names
from .sessions import Session, Sessions
from .studio import Choices, Studio, sample_clip

STOP_S = 15.0  # a job that was told to stop has this long


class Page:
    """What happens. Every method takes the request last: it tells whose page it is."""

    def __init__(self, studio: Studio, sessions: Sessions, cache: Path):
        self.studio, self.sessions, self.cache = studio, sessions, cache

    def analyse(self, file, recorded, spoken, model, modalities, transcript, language, request: gr.Request) -> Iterator[tuple]:
        """The newest input counts: file, else recording."""
        chosen = file or recorded or spoken
        if not chosen:
            yield _problem("Choose a file, record something, or use the sample clip."), "", *_after(False)
            return
        if not modalities:
            yield _problem("Choose at least one of face, voice and words."), "", *_after(False)
            return
        choices = Choices(model, tuple(modalities), (language or "").strip() or None, transcript=transcript or "")
        session = self.sessions.of(request.session_hash)
        session.report, session.talk = None, []
        yield look.progress_html({}, note="Opening the file"), "", *_after(False)
        for news in self._job(session, lambda *hooks: self.studio.analyse(chosen, choices, *hooks)):
            if news.result is not None:
                session.report, session.model = news.result, model
                yield "", look.viewer(news.result), *_after(True)
            else:
                yield _state(news), gr.skip(), *[gr.skip()] * 4

    def sample(self) -> str:
        """A copy of the sample clip in Gradio's own folder, which is the only one that it serves from."""
        try:
            clip = sample_clip()
        except EmoReasonError as error:
            raise gr.Error(str(error)) from error
        copy = self.cache / "sample" / clip.name
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(clip, copy)
        return str(copy)

    def cancel(self, request: gr.Request) -> None:
        job = self.sessions.of(request.session_hash).job
        if job is not None:
            job.stop()

    def answer(self, question: str, model: str, request: gr.Request) -> Iterator[tuple]:
        session = self.sessions.of(request.session_hash)
        if session.report is None or not (question or "").strip():
            yield look.talk(session.talk), ""
            return
        session.talk.append((question, "…"))
        yield look.talk(session.talk), ""
        for news in self._job(session, lambda *hooks: self.studio.ask(session.report, model, question, *hooks)):
            session.talk[-1] = (question, news.result or (news.error or "Stopped." if news.over else news.text or "…"))
            yield look.talk(session.talk), gr.skip()

    def compare(self, other, model: str, modalities: list[str], request: gr.Request) -> Iterator[tuple]:
        session = self.sessions.of(request.session_hash)
        left = session.report
        if left is None or not modalities:
            yield _problem("Analyse a clip first." if left is None else "Choose at least one of face, voice and words."), ""
            return
        choices = Choices(model, tuple(modalities))

        def work(*hooks):
            return self.studio.analyse(other, choices, *hooks) if other else self.studio.again(left, choices, *hooks)

        for news in self._job(session, work):
            if news.result is None:
                yield _state(news), gr.skip()
            else:
                names = (Path(left.source.path).name, Path(news.result.source.path).name)
                titles = (f"{names[0]}, {session.model}", f"{names[1]}, {model}, {', '.join(modalities)}")
                yield "", look.compared(left, news.result, titles)

    def export(self, wanted: list[str], blurred: bool, request: gr.Request) -> list[str]:
        session = self.sessions.of(request.session_hash)
        if session.report is None:
            raise gr.Error("Analyse a clip first.")
        try:
            return [str(path) for path in export(session.report, wanted, blurred, self.cache)]
        except (EmoReasonError, OSError, ValueError) as error:
            raise gr.Error(str(error)) from error

    def api_analyse(self, file, model, modalities, transcript, language, request: gr.Request) -> str:
        """The line that `emoreason analyze --json` prints: as text, for in an object the client takes every `path` for a file."""
        session = self.sessions.of(request.session_hash)
        choices = Choices(model, tuple(modalities), (language or "").strip() or None, transcript=transcript or "")
        session.report = self._wait(session, lambda *hooks: self.studio.analyse(file, choices, *hooks))
        return session.report.to_json()

    def api_ask(self, question: str, model: str, request: gr.Request) -> dict:
        """The answer and its checked claims, about the clip analysed last in this client's session."""
        session = self.sessions.of(request.session_hash)
        if session.report is None:
            raise gr.Error("Analyse a clip first.")
        answer = self._wait(session, lambda *hooks: self.studio.ask(session.report, model, question, *hooks))
        return answer.model_dump(mode="json")

    def left(self, request: gr.Request) -> None:
        self.sessions.close(request.session_hash)

    def _job(self, session: Session, work) -> Iterator[News]:
        """News of a new job. An earlier one of the same page ends first."""
        if session.job is not None and session.job.running:
            session.job.stop()
            session.job.wait(STOP_S)
        session.job = Job(work)
        yield from session.job.news()

    def _wait(self, session: Session, work):
        for news in self._job(session, work):
            if news.over and news.result is None:
                raise gr.Error(news.error or "Stopped.")
        return news.result


def _state(news: News) -> str:
    if news.over:
        return _problem(news.error or "Stopped.")
    early = told_early(news.early) if news.early else ""
    return look.progress_html({name: news.stages[name] for name in stage_names(news.stages)}, news.text, early)


def _problem(text: str) -> str:
    return look.progress_html({}, note=text)


def _after(shown: bool) -> list:
    """Ask and take-away: there once there is a report, and empty."""
    return [gr.update(visible=shown), "", gr.update(visible=shown), None]
