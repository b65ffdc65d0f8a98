"""Pages of a web server whose database goes away while it serves, and comes back."""

from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
import requests

from tests.stack.installation import WebOnALine, eventually

pytestmark = pytest.mark.services

SECONDS = 30.0
WAITS_FOR_A_LOCK = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def signed_in(web: WebOnALine) -> requests.Session:
    session = requests.Session()
    login = f"{web.url}/admin/login/"
    session.get(login, timeout=SECONDS)
    typed = {
        "username": "admin",
        "password": web.password,
        "csrfmiddlewaretoken": session.cookies["csrftoken"],
    }
    assert session.post(login, typed, timeout=SECONDS).status_code == 200
    return session


def says_when_to_come_again(answer: requests.Response) -> bool:
    assert "The database does not answer" in answer.text
    assert "Traceback" not in answer.text
    return (answer.status_code, answer.headers.get("Retry-After")) == (503, "30")


def test_a_page_says_that_the_database_is_away_until_it_is_back_without_a_restart(
    web_on_a_line: WebOnALine,
) -> None:
    ada = signed_in(web_on_a_line)
    home = f"{web_on_a_line.url}/admin/"
    assert ada.get(home, timeout=SECONDS).status_code == 200
    served_by = web_on_a_line.processes["web"].pid

    for _ in range(2):
        web_on_a_line.to_database.cut()
        assert says_when_to_come_again(ada.get(home, timeout=SECONDS))
        assert ada.get(f"{web_on_a_line.url}/healthz", timeout=SECONDS).status_code == 200
        web_on_a_line.to_database.mend()
        assert "Log out" in ada.get(home, timeout=SECONDS).text
    assert web_on_a_line.processes["web"].pid == served_by


def test_a_page_whose_question_is_cut_off_says_so_too(web_on_a_line: WebOnALine) -> None:
    ada = signed_in(web_on_a_line)
    home = f"{web_on_a_line.url}/admin/"
    with psycopg.connect(web_on_a_line.database) as keeper, ThreadPoolExecutor() as at_once:
        keeper.execute("LOCK TABLE integrations_integration")
        asked: Future[requests.Response] = at_once.submit(ada.get, home, timeout=SECONDS)
        eventually(lambda: web_on_a_line.rows(WAITS_FOR_A_LOCK), SECONDS, "The question")
        web_on_a_line.to_database.cut()
        assert says_when_to_come_again(asked.result(SECONDS))
    web_on_a_line.to_database.mend()
    assert ada.get(home, timeout=SECONDS).status_code == 200
