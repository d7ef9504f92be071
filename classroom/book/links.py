"""Faults of a built website: links that lead nowhere, requests to the outside, large pages."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGEST_MB = 1.5  # of a page, without its pictures
OUTSIDE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')\s]*""")


class Page(HTMLParser):
    """Where a page can be entered, where it leads, and what it loads as it opens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors, self.leads, self.loads = {""}, [], []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        """Note a tag's names and addresses."""
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")}
        if tag == "a":
            self.leads += [given["href"]] if given.get("href") else []
        elif tag != "base":
            loaded = ("src", "href", "poster", "data", "srcset")
            self.loads += [
                given[key].split()[0] for key in loaded if (given.get(key) or "").strip()
            ]


def faults(folder: Path) -> list[str]:
    """Return what is wrong with a built website, a sentence for each fault."""
    folder, found = folder.resolve(), []
    written = [path for path in sorted(folder.rglob("*.html")) if path.parent.name != "_static"]
    pages = {path: Page(path.read_text("utf-8")) for path in written}
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        found += [
            f"{name} leads nowhere by {to}" for to in page.leads if lost(path, to, pages, folder)
        ]
        found += [f"{name} lacks {to}" for to in page.loads if lost(path, to, pages, folder)]
        found += [f"{name} asks outside for {to}" for to in page.loads if is_outside(to)]
        found += [f"{name} asks outside: {to}" for to in OUTSIDE.findall(path.read_text("utf-8"))]
        if (size := path.stat().st_size / 1e6) > LARGEST_MB:
            found.append(f"{name} has {size:.1f} MB; a page has at most {LARGEST_MB} MB")
    for path in sorted(folder.rglob("*.css")):
        name = path.relative_to(folder).as_posix()
        found += [f"{name} asks outside: {to}" for to in OUTSIDE.findall(path.read_text("utf-8"))]
    return found


def is_outside(target: str) -> bool:
    """Return whether an address lies on another machine."""
    parts = urlsplit(target)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def lost(path: Path, target: str, pages: dict[Path, Page], folder: Path) -> bool:
    """Return whether an address of this website, seen from a page, leads to no file or place."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or parts.fragment == "top" and not parts.path:
        return False
    goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if goal.is_dir():
        goal /= "index.html"
    if not goal.is_relative_to(folder):
        return True  # a file of this machine, not of the website
    known = pages.get(goal)
    return not goal.exists() or (known is not None and unquote(parts.fragment) not in known.anchors)
