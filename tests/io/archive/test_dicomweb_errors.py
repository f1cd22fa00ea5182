"""A server that is down, cannot be trusted, breaks off or is none: a sentence with the remedy."""

import datetime
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import Query, StudySeries
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.servers import Login, keep_login
from tests.io.dicom_files import write_series

SERIES = StudySeries("1.2.4", "1.2.3", 1, "AX", "CT", 2)
TWO = '[{"00080018": {"Value": ["1.1"]}}, {"00080018": {"Value": ["1.2"]}}]'


def go_on(fraction, message):
    """Progress that nobody looks at."""


class Faulty(BaseHTTPRequestHandler):
    """Answers a search with two instances, and everything else as the test scripted."""

    def do_GET(self):
        self.protocol_version = "HTTP/1.1"
        self.server.asked.append(self.headers)
        if "/instances" in self.path and self.server.answer is not None:
            body = b"[]" if "offset=2" in self.path else TWO.encode()
            self.reply(200, body, {"Content-Type": "application/dicom+json"})
        else:
            self.reply(*(self.server.answer or (200, b"<html>", {})))

    def reply(self, status, body, headers):
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server(kept_logins):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    made.answer, made.asked = None, []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def archive(server, scheme="http"):
    return DicomWeb(f"{scheme}://127.0.0.1:{server.server_port}/dicom-web")


def test_a_server_that_is_down(kept_logins):
    with pytest.raises(ArchiveError, match=r"cannot be reached\. Check that the server runs"):
        DicomWeb("http://127.0.0.1:1/dicom-web").studies(Query(), go_on)


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        ((200, b"<html>", {}), "response that is not DICOMweb.*Check the path"),
        ((403, b"", {}), "does not allow this"),
        ((503, b"", {}), "error 503"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), "redirects to another address"),
    ],
)
def test_answers_that_are_none(server, answer, reported):
    server.answer = answer
    with pytest.raises(ArchiveError, match=reported):
        archive(server).studies(Query(), go_on)


@pytest.mark.parametrize("kind", ["first only", "cut in the pixels", "fewer bytes than announced"])
def test_half_a_stream_leaves_nothing(server, tmp_path, kind, phantom):
    write_series(tmp_path, phantom[0].data[:2])
    first, second = (p.read_bytes() for p in sorted(tmp_path.iterdir()))
    head = b"\r\n--X\r\nContent-Type: application/dicom\r\n\r\n"
    parts = {"first only": [first], "cut in the pixels": [first, second[:-300]]}
    body = b"".join(head + part for part in parts.get(kind, [first, second])) + b"\r\n--X--"
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=X'}
    if kind == "fewer bytes than announced":
        headers["Content-Length"] = str(len(body) + 1000)
    server.answer = (200, body, headers)
    asked = archive(server)
    with pytest.raises(
        ArchiveError, match="closed the connection.*partial results are discarded.*again"
    ):
        asked.fetch(SERIES, go_on)
    assert not list(asked.cache.root.iterdir())


def certificate(folder):
    """A certificate for this machine that nobody has signed, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(pem + made.public_bytes(encoding))
    return folder / "both.pem"


def test_a_certificate_is_trusted_only_after_consent(server, tmp_path, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None
    with pytest.raises(ArchiveError, match=r"cannot be trusted.*REQUESTS_CA_BUNDLE"):
        archive(server, "https").studies(Query(), go_on)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "both.pem"))
    with pytest.raises(ArchiveError, match="response that is not DICOMweb"):
        archive(server, "https").studies(Query(), go_on)


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        (Login("", "a-token"), "Bearer a-token"),
        (Login("me", "word"), "Basic bWU6d29yZA=="),
        (None, None),
    ],
)
def test_a_token_or_a_password_is_sent(server, login, sent):
    if login is not None:
        keep_login(f"http://127.0.0.1:{server.server_port}", login)
    server.answer = (200, b"[]", {"Content-Type": "application/dicom+json"})
    assert archive(server).studies(Query(), go_on) == ()
    assert server.asked[0].get("Authorization") == sent
