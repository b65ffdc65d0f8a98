"""Questions are answered with passages of the docs: words in, passages and sources out, whatever is typed."""

import re
from html import escape

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from cakewalk.documents import library
from cakewalk.documents.searching import Index, Passage

GUIDE = "/docs/integration-guides/openai-platform"


def sources(question: str, address: str = "/docs/settings") -> list[str]:
    """Where the answers stand, the best first."""
    answer = Client().get(address, {"ask": question})
    assert answer.status_code == 200
    return re.findall(r'<h2><a href="([^"]+)">', answer.content.decode())


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("why is my project key refused?", f"{GUIDE}#if-the-key-is-refused"),
        ("Which KEY do I need: sk-admin or sk-proj?", f"{GUIDE}#3-choose-api-keys"),
        ("how do I rotate the key", "/docs/integrations/openai#rotating-the-key"),
        ("okta", "/docs/directory#identity-providers-scim"),
        ("Do I need Redis?", "/docs/running#in-several-processes"),
        ("which removals wait for an approver?", "/docs/runbook#plan-held-for-approval"),
        ("exit status of sync", "/docs/commands#exit-status-of-sync-approve-and-restore"),
        (
            "what becomes of the keys of a leaver",
            "/docs/how-a-job-works#what-a-leaver-leaves-behind",
        ),
        ("rotáte thé kèy", "/docs/integrations/openai#rotating-the-key"),
    ],
)
def test_a_question_finds_its_passage(question: str, source: str) -> None:
    assert source in sources(question)


def test_an_answer_quotes_the_passage_and_marks_what_was_asked() -> None:
    html = Client().get(GUIDE, {"ask": "project key refused"}).content.decode()
    text = re.sub(r"</?mark>", "", html)

    assert "This is a project key: it begins with sk-proj-" in text
    assert "<mark>project</mark> <mark>key</mark>" in html
    assert "Connect OpenAI Platform" in text
    assert f'href="{GUIDE}"' in html


def test_at_the_address_with_md_the_answer_is_markdown() -> None:
    answer = Client().get(f"{GUIDE}.md", {"ask": "why is my project key refused?"})
    text = answer.content.decode()

    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.startswith("# Answers: why is my project key refused?\n")
    assert f"## [Connect OpenAI Platform / If the key is refused]({GUIDE}.md#if-the-key-is-refused)" in text
    assert "> This is a project key: it begins with sk-proj-" in text


@pytest.mark.parametrize("address", [GUIDE, f"{GUIDE}.md", "/docs/", "/docs/settings"])
@pytest.mark.parametrize("question", ["zebra quagga", "?!", "\N{PILE OF POO}", "\x01\x02\x03"])
def test_nothing_found_says_so_and_what_to_try(address: str, question: str) -> None:
    text = Client().get(address, {"ask": question}).content.decode()

    assert "Nothing in the documentation matches." in text
    assert "Ask with fewer words" in text


@pytest.mark.parametrize("question", ["", "   ", "\0", "\n\t"])
def test_no_question_is_the_page_itself(question: str) -> None:
    asked = Client().get(GUIDE, {"ask": question}).content
    assert asked == Client().get(GUIDE).content


@pytest.mark.parametrize("address", [GUIDE, f"{GUIDE}.md"])
@pytest.mark.parametrize(
    "question",
    [
        '"',
        "'; DROP TABLE passage; --",
        "key AND",
        "AND OR NOT",
        "NEAR(key refused, 2)",
        "path: key",
        "text : key",
        "^key*",
        "key*",
        "-key +refused",
        "{path text}: key",
        "(((key",
        "key\0refused",
        "sk-proj-…",
        "²³ ½",
        "\N{ZERO WIDTH JOINER}",
        "ключ مفتاح 鍵",
        "a" * 10_000,
        "key " * 2_500,
        "\N{PILE OF POO}key" * 1_000,
        "%00%ff",
    ],
)
def test_whatever_is_asked_is_words_and_never_a_query(address: str, question: str) -> None:
    assert Client().get(address, {"ask": question}).status_code == 200


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_at_all_is_answered(question: str) -> None:
    for found in library.index().search(question, 5):
        assert "".join(text for text, _ in found.pieces).strip()


@pytest.mark.parametrize("raw", ["ask=%ff%fe", "ask=%ed%a0%80", "ask=a&ask=key", "ask", "ask[]=key"])
def test_a_broken_query_is_no_error(raw: str) -> None:
    assert Client().get(f"{GUIDE}?{raw}").status_code == 200


def test_a_question_is_shown_as_text() -> None:
    evil = "<script>alert('key')</script> [x](javascript:alert(1)) *key*"
    html = Client().get(GUIDE, {"ask": evil}).content.decode()
    text = Client().get(f"{GUIDE}.md", {"ask": evil}).content.decode()

    assert "<script>" not in html
    assert escape(evil) in html
    assert "<script>" not in text.replace("\\<", "")
    assert "[x](" not in text.replace("\\[", "")


def test_what_passages_say_is_shown_as_text() -> None:
    index = Index([Passage("x", "", ("Title",), "the <b>key</b> \n & more")])
    assert index.search("key", 1)[0].pieces == (("the <b>", False), ("key", True), ("</b> \n & more", False))


def test_of_a_section_only_its_best_part_is_shown_and_all_words_go_before_some() -> None:
    one = Passage("x", "a", ("One",), "apples here")
    two = Passage("x", "b", ("Two",), "apples and pears, with much else to say about many other things")
    index = Index([one, two, Passage("x", "b", ("Two",), "apples apples apples")])

    assert [found.passage for found in index.search("apples pears", 5)] == [two, one]


def test_a_guide_does_not_answer_with_how_others_are_set_up() -> None:
    index = library.index("integration-guides/another")
    assert [
        one.passage.address
        for one in index.search("Click Copy clipboard", 9)
        if "guides/" in one.passage.address
    ] == []
