"""The PACS dock on a server with a few made-up studies: a picture of the window into ``demo/``.

Needs Debian's packages orthanc and orthanc-dicomweb; a server is started for it and ended again.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import keyring
import keyring.backends.fail
import napari
import numpy as np
from pydicom.uid import generate_uid
from qtpy.QtWidgets import QApplication, QMessageBox

import napari_medvlm as nmv
from examples.window import settle, wait_until
from napari_medvlm._sample_data import mni152
from napari_medvlm.io.archive.servers import Login, keep_login
from napari_medvlm.layers.orientation import Plane, show_plane
from tests.io.dicom_files import write_series
from tests.io.orthanc import PASSWORD, USER, started

VENTRICLE = (47, 51, 54)
OUT = Path("demo")
STUDIES = {
    "Doe^Jane": ("20260112", "MR head", ("T1", "T1 thick slices")),
    "Roe^Richard": ("20251104", "MR head follow-up", ("T1",)),
    "Poe^Paula": ("20250607", "MR orbits", ("T1",)),
}


def main() -> None:
    """Fill a server, find a study, load it, segment a ventricle and push it."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, started(Path(name)) as server:
        os.environ["NAPARI_MEDVLM_HOME"] = str(Path(name) / "home")
        folder = Path(name) / "series"
        write_studies(folder)
        server.put(folder)
        keyring.set_keyring(keyring.backends.fail.Keyring())  # the user's own stays as it is
        keep_login(server.url, Login(USER, PASSWORD))
        show(server.url)


def show(url: str) -> None:
    """What a person does in the window."""
    viewer = napari.Viewer(title="napari-medvlm: PACS")
    viewer.window.resize(1500, 940)
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "PACS")
    dock.servers.add_server("Orthanc", url)
    dock.filters.modality.setCurrentText("MR")
    search(dock)
    study = dock.tree.topLevelItem(0)
    study.setExpanded(True)
    wait_until(lambda: study.childCount() == 2 and not dock.work.busy)
    dock.tree.setCurrentItem(study.child(0))
    dock.load.click()
    wait_until(lambda: bool(viewer.layers) and not dock.work.busy)
    _, segment = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment", tabify=True)
    wait_until(lambda: segment.session is not None)
    session = segment.session
    session.take("left lateral ventricle", nmv.Point.at_index(session.volume, VENTRICLE), "demo")
    wait_until(lambda: not session.pending and not session.pending_prompts())
    dock.push.click()
    wait_until(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
    box = QApplication.activeModalWidget()
    next(b for b in box.buttons() if b.text() == "Push").click()
    wait_until(lambda: not dock.work.busy)
    search(dock)
    study = dock.tree.topLevelItem(0)
    study.setExpanded(True)
    wait_until(lambda: study.childCount() == 5 and not dock.work.busy)
    report = next(study.child(i) for i in range(5) if study.child(i).text(3) == "SR")
    dock.tree.setCurrentItem(report)
    dock.load.click()
    wait_until(lambda: "ventricle" in dock.status.text())
    dock.parent().show()
    dock.parent().raise_()
    viewer.dims.point = tuple(session.volume.grid.to_world(VENTRICLE))
    show_plane(viewer, Plane.AXIAL)
    wait_until(lambda: not study.child(0).icon(0).isNull())
    hide_notifications()
    settle()
    viewer.screenshot(OUT / "pacs.png", canvas_only=False, flash=False)
    segment.close_dock()
    viewer.close()


def hide_notifications() -> None:
    """Hide the notifications of napari that cover a part of the viewer."""
    for widget in QApplication.allWidgets():
        if type(widget).__name__ == "NapariQtNotification":
            widget.hide()


def search(dock: object) -> None:
    """Press Search and wait."""
    wait_until(lambda: not dock.work.busy)
    dock.filters.search.click()
    wait_until(lambda: "stud" in dock.status.text() and not dock.work.busy)


def write_studies(folder: Path) -> None:
    """The MNI brain as the series of made-up patients."""
    brain = mni152()[0][1]["metadata"]["medvlm"]["volume"]
    data = np.flip(1000 * np.asarray(brain.data)[::2, ::2, ::2], (1, 2)).astype(np.int16)
    for number, (patient, (day, study, series)) in enumerate(STUDIES.items(), 1):
        uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
        for at, description in enumerate(series, 1):
            write_series(
                folder / f"{number}-{at}",
                data[::at],
                origin=(-98, -98, -72),
                step=(0, 0, 2 * at),
                PixelSpacing=[2, 2],
                SliceThickness=2 * at,
                PatientName=patient,
                PatientID=f"{1000 + number}",
                PatientBirthDate="",
                PatientSex="O",
                StudyID=str(number),
                StudyDate=day,
                StudyTime="120000",
                AccessionNumber="",
                ReferringPhysicianName="",
                Manufacturer="made up",
                StudyDescription=study,
                SeriesDescription=description,
                SeriesNumber=at,
                Modality="MR",
                **uids,
            )


if __name__ == "__main__":
    main()
