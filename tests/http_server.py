"""A server on this machine that sends the same body for every path."""

import http.server
import threading
from contextlib import contextmanager


@contextmanager
def serving(host, port=0, *, body, **headers):
    """Serve ``body`` with headers; the port, and the headers of the requests in a list.

    Underscores in names of headers stand for hyphens.
    """
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            requests.append(self.headers)
            self.send_response(200)
            for name, value in {**headers, "Content_Length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, requests
        finally:
            server.shutdown()
            thread.join()
