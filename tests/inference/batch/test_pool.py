import os
import subprocess
import sys
from pathlib import Path

import batch_tasks
import pytest

from emoreason.inference.batch.pool import Died, Pool, _shares


@pytest.fixture
def pool():
    with Pool(2, batch_tasks.act, batch_tasks.start, (), time_limit_s=60) as made:
        yield made


def drain(pool, tasks):
    """(task, outcome) of all tasks, given as workers become free."""
    tasks, out = list(tasks), []
    while tasks or pool.busy:
        while tasks and pool.free:
            pool.give(tasks.pop(0))
        out += pool.next_outcomes(1.0)
    return out


def test_every_task_has_one_outcome(pool):
    tasks = [("say", n) for n in range(20)]
    assert sorted(drain(pool, tasks)) == [(task, task[1]) for task in tasks]


def test_a_worker_that_dies_costs_its_own_task_only(pool):
    tasks = [("say", 1), ("die", 86), ("say", 2), ("kill",), ("say", 3), ("say", 4)]
    outcomes = dict(drain(pool, tasks))
    assert outcomes[("die", 86)] == Died(86, timed_out=False)
    assert outcomes[("kill",)] == Died(-9, timed_out=False)
    assert [outcomes[("say", n)] for n in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_a_task_over_its_time_is_stopped():
    with Pool(1, batch_tasks.act, batch_tasks.start, (), time_limit_s=0.5) as pool:
        pool.give(("sleep", 600))
        outcomes = []
        while pool.busy:
            outcomes += pool.next_outcomes(5.0)
    ((task, died),) = outcomes
    assert task == ("sleep", 600) and died.timed_out


def test_an_idle_worker_that_was_killed_is_replaced(pool):
    drain(pool, [("say", 1), ("say", 2)])
    for worker in pool._workers:
        os.kill(worker.process.pid, 9)
        worker.process.join()
    assert sorted(drain(pool, [("say", 3), ("say", 4)])) == [(("say", 3), 3), (("say", 4), 4)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell whose cores are whose")
def test_workers_that_take_all_cores_have_their_own_ones_after_a_death_too(monkeypatch):
    here = set(sorted(os.sched_getaffinity(0))[:2])
    if len(here) < 2:
        pytest.skip("one core alone")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: here)
    with Pool(2, batch_tasks.act, batch_tasks.start, (), time_limit_s=60) as pool:
        monkeypatch.undo()
        for tasks in ([("sleep", 0.5), ("sleep", 0.6)], [("kill",), ("sleep", 0.5)], [("sleep", 0.5), ("sleep", 0.6)]):
            drain(pool, tasks)
        own = [os.sched_getaffinity(worker.process.pid) for worker in pool._workers]
    assert sorted(map(sorted, own)) == [[core] for core in sorted(here)]


@pytest.mark.parametrize(("workers", "threads"), [(1, 4), (2, 1), (4, 2)])
def test_workers_that_leave_cores_free_or_share_them_have_none_of_their_own(monkeypatch, workers, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    assert _shares(workers, threads) == []
    assert _shares(2, 2) == [{0, 1}, {2, 3}]


def test_no_more_tasks_than_workers(pool):
    pool.give(("sleep", 1))
    pool.give(("sleep", 1))
    with pytest.raises(RuntimeError, match="busy"):
        pool.give(("say", 1))


def test_closing_leaves_no_process(pool):
    drain(pool, [("say", 1), ("say", 2)])
    processes = [worker.process for worker in pool._workers]
    pool.give(("sleep", 600))
    pool.close()
    assert processes and not any(process.is_alive() for process in processes)


def test_threads_and_one_heap_are_set_for_workers_and_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in ("MKL_NUM_THREADS", "MALLOC_ARENA_MAX"):
        monkeypatch.delenv(name, raising=False)
    with Pool(1, batch_tasks.act, batch_tasks.start, (), time_limit_s=60, threads=3) as pool:
        assert drain(pool, [("threads",)]) == [(("threads",), ["3", "3", "1"])]
    assert os.environ["OMP_NUM_THREADS"] == "7" and not {"MKL_NUM_THREADS", "MALLOC_ARENA_MAX"} & os.environ.keys()


SCRIPT = """
import batch_tasks
from emoreason.inference.batch.pool import Pool
if __name__ == "__main__":
    pool = Pool(1, batch_tasks.act, batch_tasks.start, (), time_limit_s=900)
    pool.give(("sleep", 600))
    print("busy", flush=True)
    pool.next_outcomes(600)
"""


def test_workers_in_the_middle_of_a_task_end_with_a_killed_runner(tmp_path):
    """Its standard output, which they share, ends when the last of them has."""
    (tmp_path / "script.py").write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(batch_tasks.__file__).parent), str(Path(__file__).parents[3])])
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, env=environment) as runner:
        assert runner.stdout.readline() == b"busy\n"
        runner.kill()
        assert runner.communicate(timeout=60)[0] == b""
