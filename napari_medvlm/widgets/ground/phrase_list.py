"""The phrases to look for: one a line, remembered from one day to the next."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_medvlm.data.errors import SettingsError
from napari_medvlm.io.journal import journal_folder
from napari_medvlm.settings.files import write_private
from napari_medvlm.widgets.parts.text_field import TextField


class PhraseList(QWidget):
    """An editor with one phrase a line."""

    def __init__(self) -> None:
        super().__init__()
        self.edit = TextField()
        self.edit.setPlaceholderText("left hippocampus\nright lateral ventricle")
        self.edit.setToolTip("Phrases to search for, one per line.")
        self.describe = QCheckBox("Describe findings to the model")
        self.describe.setToolTip(
            "Send each finding's shape, density and location from knowledge.yaml to models "
            "that take descriptions, such as AG-KD and K2Sight, in their own sentence. The "
            "prompt is shown below the table; a note says when no description was sent."
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit)
        layout.addWidget(self.describe)
        with suppress(OSError, UnicodeDecodeError):
            self.edit.setPlainText(self._file.read_text("utf-8"))

    @property
    def phrases(self) -> list[str]:
        """The phrases, without blanks and repetitions."""
        lines = (line.strip() for line in self.edit.toPlainText().splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def set_phrases(self, phrases: list[str]) -> None:
        """Put phrases in the place of what is there."""
        self.edit.setPlainText("\n".join(phrases))

    def remember(self) -> None:
        """Keep the phrases for the next time; a disk that is full is no reason to stop."""
        with suppress(SettingsError):
            write_private(self._file, "\n".join(self.phrases))

    @property
    def _file(self) -> Path:
        return journal_folder().parent / "phrases.txt"
