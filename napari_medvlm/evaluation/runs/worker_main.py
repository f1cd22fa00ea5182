"""A worker process: ``python -m napari_medvlm.evaluation.runs.worker_main``.

Lines of JSON come on standard input, the first how the worker is made, then cases; what comes of
each goes to standard output, as a line. The end of the input is the end of the process, at once.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading

from napari_medvlm.evaluation.runs.workers import Worker, WorkerSpec


def main() -> None:
    """Work until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's, and ends the input
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever models print does not disturb the answers
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    begun = sys.stdin.readline()
    if not begun:
        return  # the caller was stopped before it sent anything
    first = json.loads(begun)
    worker = WorkerSpec(first["name"], first["plan"]).make()
    threading.Thread(target=_listen, args=(waiting, worker), daemon=True).start()
    while True:
        case = json.loads(waiting.get())
        out.write(json.dumps(worker(case)) + "\n")
        out.flush()


def _listen(waiting: queue.SimpleQueue[str], worker: Worker) -> None:
    for line in sys.stdin:
        waiting.put(line)
    worker.stop()
    os._exit(0)


if __name__ == "__main__":
    main()
