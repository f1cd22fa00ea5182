"""What tests of conversations share."""

import json
import threading


def script(*parts):
    return json.dumps(parts)


def heard(exchange):
    """The questions that the scripted backend received."""
    return json.loads(exchange.answer.text)


class Watch:
    """The signals that a session emitted."""

    def __init__(self, session):
        self.text, self.failures = "", []
        self.began = threading.Event()
        session.delta.connect(self._on_delta)
        session.failed.connect(self.failures.append)

    def _on_delta(self, text):
        self.text += text
        self.began.set()
