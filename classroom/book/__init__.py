"""The course as a website: the notebooks with their stored outputs; nothing is executed.

    make book      (or: python -m classroom.book)

writes it to `work/book/`. Solutions are folded below their exercises; where a page first uses a
word of the glossary, it is a link. It is built without a network, and its pages ask for nothing
from outside. A build with a broken link fails, and the website that was there stays.
"""

import io
import re
import shutil
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from classroom import publish
from classroom.book import links, pages, words
from segkit import files

COLOR = re.compile(r"\x1b\[[\d;]*m")
STYLE = Path(__file__).with_name("style.css")
CONFIG = {
    "project": "Pixels to Maps",
    "author": "Pixels to Maps contributors",
    "html_title": "Pixels to Maps",
    "language": "en",
    "smartquotes": False,  # texts as the notebooks have them
    "extensions": ["myst_nb"],
    "nb_execution_mode": "off",
    "myst_heading_anchors": 4,
    "html_theme": "sphinx_book_theme",
    "html_static_path": [str(STYLE)],
    "html_css_files": [STYLE.name],
    "html_copy_source": False,
    "html_use_index": False,
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_theme_options": {
        "use_download_button": False,  # of a page's source; each page offers its notebook
        "home_page_in_toc": True,
        "navbar_persistent": [],  # search is in the margin
    },
}


def describe(_, document: nodes.document, __: str) -> None:
    """Give the pictures that cells have shown a text, for readers who cannot see them."""
    for picture in document.findall(nodes.image):
        picture["alt"] = picture.get("alt") or "Picture drawn by the cell above"


def build(target: Path, root: Path = publish.ROOT, repository: str | None = None) -> Path:
    """Build the website; the folder appears whole or not at all.

    Args:
        target: its folder; one that is there is replaced.
        root: the repository's folder.
        repository: owner/name on GitHub, for buttons; None for no buttons.

    Returns:
        The target.

    Raises:
        ValueError: Sphinx warned of something, or a page has a broken link, loads something from
            outside, or is too large.
    """
    warnings = io.StringIO()
    with tempfile.TemporaryDirectory() as scratch, files.whole(target) as part:
        source, doctrees = Path(scratch, "source"), Path(scratch, "doctrees")
        config = {**CONFIG, "include_patterns": pages.write(source, root, repository)}
        glossary = (root / pages.GLOSSARY).read_text("utf-8")
        linker = words.Linker(glossary, pages.GLOSSARY.rpartition(".")[0])
        with docutils_namespace():  # Sphinx's own words are gone afterwards
            app = Sphinx(
                source, None, part, doctrees, "html", config, status=None, warning=warnings
            )
            app.connect("doctree-resolved", linker)
            app.connect("doctree-resolved", describe)
            app.build()
        told = COLOR.sub("", warnings.getvalue()).replace(f"{source}/", "").splitlines()
        if found := [line for line in told if line] + links.faults(part):
            raise ValueError("\n".join([f"The book has {len(found)} faults:", *found]))
        shutil.rmtree(target, ignore_errors=True)
    return target
