"""Serves the pages over HTTP, to browsers on this machine alone."""

from __future__ import annotations

import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mmbench.errors import UserError, did_you_mean
from mmbench.view.folders import find_runs
from mmbench.view.library import Library
from mmbench.view.pages import Page, address, failure_page, place_of, run_page, runs_page

LOOPBACK = "127.0.0.1"

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ViewServer(ThreadingHTTPServer):
    """Serves the runs of a folder on the loopback address.

    Parameters
    ----------
    root : Path
        A folder of runs, or a run's folder.
    port : int
        0 for any that is free.

    Attributes
    ----------
    hosts : list of str
        How a browser may call it: a page of elsewhere that has its own name lead here does not.
    origin : str
        What all addresses begin with.
    url : str
        Where the runs are listed; the run's page where ``root`` is a run's folder.

    Raises
    ------
    UserError
        There is no such folder, or the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        if not root.is_dir():
            what = "is no folder" if root.exists() else f"does not exist{_near(root)}"
            raise UserError(f"view: {root} {what}; a folder of runs was expected")
        self.library = Library(root)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise UserError(
                f"--port {port}: cannot be had: {error.strerror}; 0 takes any that is free"
            ) from None
        at = "" if self.server_port == 80 else f":{self.server_port}"
        self.hosts = [f"{name}{at}" for name in (LOOPBACK, "localhost")]
        self.origin = f"http://{self.hosts[0]}"
        is_run = "" in find_runs(self.library.root)
        self.url = self.origin + (address("") if is_run else "/")

    def server_bind(self) -> None:
        """Bind, and ask no name server what the machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, but for browsers that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    timeout = 30  # seconds that a connection may say nothing

    def parse_request(self) -> bool:
        """Read a request; answer here what is refused whatever it asks for."""
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "runs are read, and nothing is changed")
        elif self.headers.get_all("Host") not in [[host] for host in self.server.hosts]:
            self.send_error(HTTPStatus.FORBIDDEN, f"the address begins with {self.server.origin}")
        else:
            return True
        return False

    def do_GET(self) -> None:
        """Answer with a page."""
        library, path = self.server.library, self.path.partition("?")[0]
        try:
            if path == "/":
                self._send(HTTPStatus.OK, runs_page(str(library.root), library.runs()))
                return
            place = place_of(path)
            run = None if place is None else library.read(place)
            if run is None:
                self.send_error(HTTPStatus.NOT_FOUND, "there is no such run")
            else:
                self._send(HTTPStatus.OK, run_page(run))
        except UserError as error:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def do_HEAD(self) -> None:
        """Answer with a page's headers."""
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer that there is no page."""
        status = HTTPStatus(code)
        self._send(status, failure_page(status.phrase, message or status.description))

    def _send(self, status: HTTPStatus, page: Page) -> None:
        content = page.text.encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", page.policy)
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Say no versions."""
        return "mmbench"

    def log_message(self, format: str, *values: object) -> None:
        """Print no line for each page."""


def _near(root: Path) -> str:
    beside = root.parent
    names = [each.name for each in beside.iterdir() if each.is_dir()] if beside.is_dir() else []
    return did_you_mean(root.name, names)
