"""Work in a thread: what it tells, and that it really stops."""

import threading
import time

from emoreason.errors import ConfigError


def test_news_end_with_the_result(jobs):
    def work(progress, on_text, _):
        progress("faces", 1.0, 4.0)
        on_text(0, "A smile")
        on_text(0, " is shown.")
        return "report"

    last = list(jobs.Job(work).news())[-1]
    assert last.result == "report" and last.text == "A smile is shown." and last.stages == {"faces": 1.0}


def test_errors_are_told_in_one_line_and_surprises_too(jobs):
    def known(*_):
        raise ConfigError("no such model")

    def surprise(*_):
        raise KeyError("x")

    assert list(jobs.Job(known).news())[-1].error == "no such model"
    assert list(jobs.Job(surprise).news())[-1].error == "unexpected KeyError: 'x'"


def endless(ended):
    def work(progress, on_text, _):
        try:
            while True:
                progress("faces", 1.0, None)
                time.sleep(0.005)
        finally:
            ended.set()

    return work


def test_a_stopped_job_ends_at_its_next_sign_of_life(jobs):
    ended = threading.Event()
    job = jobs.Job(endless(ended))
    news = job.news()
    next(news)
    job.stop()
    assert list(news)[-1].stopped
    assert ended.wait(10) and job.wait(10)


def test_nobody_listening_ends_the_work(jobs):
    ended = threading.Event()
    job = jobs.Job(endless(ended))
    news = job.news()
    next(news)
    news.close()
    assert ended.wait(10)


def test_stages_in_the_order_in_which_they_come(jobs):
    assert jobs.stage_names({"explanation": None, "voice": 0.5, "faces": 1.0}) == ["faces", "voice", "explanation"]
