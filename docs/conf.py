"""The site of the documentation: `make docs`. Its navigation is what docs/index.md lists, by chapter."""

import re

from sphinx.application import Sphinx

project = "Cakewalk"
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["screenshots", "_site"]  # for whoever reads the repository

myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Cakewalk"
templates_path = ["_site"]
html_static_path = ["_site/site.css"]
html_css_files = ["site.css"]
html_logo = "../cakewalk/static/cakewalk/logo.svg"
html_favicon = html_logo
html_show_copyright = False
html_copy_source = (
    False  # each page stands as Markdown in the repository, and below /docs/ of an installation
)
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

CHAPTER = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!## ).*\n?)*)", re.MULTILINE)
ENTRY = re.compile(r"^- \[(?P<name>.+)\]\((?P<page>.+)\.md\)", re.MULTILINE)


def add_navigation(_: Sphinx, page: str, source: list[str]) -> None:
    if page == root_doc:
        source[0] += "".join(
            "\n```{toctree}\n:hidden:\n:titlesonly:\n"
            + f":caption: {chapter['title']}\n\n"
            + "\n".join(f"{name} <{page}>" for name, page in ENTRY.findall(chapter["text"]))
            + "\n```\n"
            for chapter in CHAPTER.finditer(source[0])
        )


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)
