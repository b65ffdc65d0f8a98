"""Somebody with a browser that follows every link: what the admin shows, as it comes over the line."""

import html
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
LINK = re.compile(r'(?:href|action)="(/[^"#]*)"')
NUMBER = re.compile(r"\d+|[0-9a-f]{8}-[0-9a-f-]{27}")
LEAVE_ALONE = ("/admin/logout/", "/static/", "/docs/", "/admin/jsi18n/")


class Visitor:
    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        self.url = url
        self.session = requests.Session()
        if username:
            answer = self.post("/admin/login/", username=username, password=password, next="/admin/")
            assert "sessionid" in self.session.cookies, answer.text[:2000]

    def get(self, path: str) -> requests.Response:
        return self.session.get(urljoin(self.url, path), timeout=120)

    def post(self, path: str, form: str = "", **typed: str) -> requests.Response:
        """`form`: the page that has it, where it is another one."""
        found = TOKEN.search(self.get(form or path).text)
        token = found[1] if found else self.session.cookies.get("csrftoken", "")
        sent = {**typed, "csrfmiddlewaretoken": token}
        return self.session.post(urljoin(self.url, path), sent, headers={"Referer": self.url}, timeout=120)

    def everything(self, start: str = "/admin/") -> Iterator[tuple[str, bytes]]:
        """Each kind of page that a link leads to, twice at most: with one row and with another."""
        waiting, seen, of_kind = [start], {start}, dict[str, int]()
        while waiting:
            path = waiting.pop(0)
            answer = self.get(path)
            yield path, answer.content
            if "text/html" not in answer.headers.get("Content-Type", ""):
                continue
            for found in LINK.findall(answer.text):
                link = html.unescape(found)
                kind = NUMBER.sub("#", urlsplit(link).path) + ("?" if urlsplit(link).query else "")
                if (
                    link in seen
                    or link.startswith(LEAVE_ALONE)
                    or of_kind.get(kind, 0) >= (1 if "?" in kind else 2)
                ):
                    continue
                seen.add(link)
                of_kind[kind] = of_kind.get(kind, 0) + 1
                waiting.append(link)
