"""Jobs in a row: what listeners see when the last job has ended."""

import threading

import pytest

from napari_medvlm.sessions.job_queue import JobQueue
from napari_medvlm.worker.runner import InlineRunner


@pytest.mark.parametrize("runner", [InlineRunner(), object()], ids=["inline", "thread"])
def test_nothing_is_pending_when_the_end_of_the_last_job_is_reported(runner):
    pending, have_all, is_over = [], threading.Event(), threading.Event()

    def on_done():
        pending.append(queue.pending)
        if len(pending) == 2:
            is_over.set()

    queue = JobQueue(runner, lambda *_: None, lambda _: None, on_done)
    is_inline = isinstance(runner, InlineRunner)
    queue.put("a", lambda _: is_inline or have_all.wait(60))
    queue.put("b", lambda _: None)
    have_all.set()
    assert is_over.wait(60)
    assert pending == [not is_inline, False]
