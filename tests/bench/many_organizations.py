"""A server of many simulated organizations, which differ in a number: of which one, the admin key says.

Each page is asked of one organization and kept; of the others it has other addresses. So it costs next to
nothing beside the workers that are measured. Nothing can be changed through it.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integrations.connectors.openai.simulator import Organization, endpoints
from integrations.connectors.openai.simulator.asking import Asked

OWN = "number0.example.org"
"""The domain of the organization that is asked."""


def domain(number: int) -> str:
    return f"number{number}.example.org"


def key(admin_key: str, number: int) -> str:
    """Of one of them: as long as a key is, and told apart by its end."""
    return f"{admin_key[:-6]}{number:06}"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, members: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.organization = Organization(owner=f"m0@{OWN}")
        for place in range(1, members):
            self.organization.add_member(f"m{place}@{OWN}")
        self._pages: dict[str, bytes] = {}

    def page(self, path: str, number: int) -> bytes:
        if path not in self._pages:
            url = urlsplit(path)
            asked = Asked(
                method="GET",
                path=url.path,
                query=parse_qs(url.query, keep_blank_values=True),
                content=b"",
                secret=self.organization.admin_key,
            )
            self._pages[path] = json.dumps(endpoints.answer(self.organization, asked)).encode()
        return self._pages[path].replace(OWN.encode(), domain(number).encode())


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        content = self.server.page(self.path, int((self.headers["authorization"] or "")[-6:]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    server = Server(members=int(sys.argv[1]))
    base_url = f"http://127.0.0.1:{server.server_port}/v1"
    sys.stdout.write(json.dumps({"base_url": base_url, "admin_key": server.organization.admin_key}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
