"""A PACS for the tests: Orthanc with its DICOMweb plugin, in a folder of its own."""

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import requests

USER, PASSWORD = "doctor", "secret-of-the-test"
PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc/plugins")


class Orthanc:
    """The server that runs, as an administrator sees it."""

    def __init__(self, port):
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/dicom-web"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (USER, PASSWORD)

    def ask(self, path, method="GET", data=None):
        answer = self._session.request(method, self.root + path, data=data, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def is_up(self):
        try:
            return bool(self.ask("/system"))
        except requests.RequestException:
            return False

    def put(self, folder):
        """Give it all files of a folder."""
        for file in Path(folder).rglob("*.dcm"):
            self.ask("/instances", "POST", file.read_bytes())

    def empty(self):
        for patient in self.ask("/patients"):
            self.ask(f"/patients/{patient}", "DELETE")


@contextmanager
def started(folder):
    """Orthanc, until the end of the block."""
    plugin = next(p for f in PLUGINS if (p := Path(f) / "libOrthancDicomWeb.so").exists())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        ["Orthanc", folder / "orthanc.json"], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        server, end = Orthanc(port), time.monotonic() + 600
        while not server.is_up():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, "Orthanc did not start in 120 s"
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(120)
        log.close()
