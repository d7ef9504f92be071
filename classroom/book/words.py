"""The words of the glossary: entries to link to, and links where a page first uses them."""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

ENTRY = re.compile(r"^- (\*\*.+?\*\*): (.+)\n*", re.MULTILINE)
BOLD = re.compile(r"\*\*([^*]+)\*\*")
MARKUP = re.compile(r"\s*\[[^\]]*\]\([^)]*\)|[*`]")
#: Words with an everyday sense, too: they are links only where they are in bold.
EVERYDAY = {
    "arm", "attribute", "card", "checkpoint", "class", "client", "closing", "features", "frame",
    "frozen", "gradient", "group", "hits", "kernel", "label", "loss", "missed", "model",
    "network", "opening", "overlap", "precision", "queue", "receipt", "register", "run",
    "schedule", "slope", "split", "step", "store", "sweep", "test", "transform", "window",
}  # fmt: skip
#: A beginning of a word in the glossary has at least so many letters.
SHORTEST = 5
#: No word is linked inside these, nor in what a cell has shown.
CLOSED = (nodes.title, nodes.reference, nodes.literal, nodes.FixedTextElement, nodes.Invisible)
OUTPUT = "cell_output"


def entries(text: str) -> list[tuple[list[str], str]]:
    """Return the entries of the glossary: one word or several, and their meaning."""
    return [(BOLD.findall(entry[1]), entry[2]) for entry in ENTRY.finditer(text)]


def page(text: str) -> str:
    """Return the glossary as a page on which each word has a place of its own."""
    listed = "\n".join("\n".join([*names, f"  {meaning}\n"]) for names, meaning in entries(text))
    return f"{ENTRY.sub('', text).rstrip()}\n\n```{{glossary}}\n{listed}```\n"


class Linker:
    """Links to the glossary, one for each entry on a page.

    Args:
        text: the glossary, as `notebooks/glossary.md` has it.
        page: the name of its page.
    """

    def __init__(self, text: str, page: str) -> None:
        self.page = page
        self.entry = {}  # word in small letters → the entry's first word, its meaning
        for names, meaning in entries(text):
            self.entry |= {name.lower(): (names[0], MARKUP.sub("", meaning)) for name in names}
        plain = [name for names, _ in entries(text) for name in names if name not in EVERYDAY]
        longest = sorted(map(re.escape, plain), key=len, reverse=True)
        self.words = re.compile(rf"(?<![\w-])({'|'.join(longest)})(?:e?s)?(?![\w-])")

    def named(self, bold: str) -> str | None:
        """Return the word of the glossary that some bold text means: "patches", "atrous" …"""
        bold = bold.lower()
        stem = bold.removesuffix("s").removesuffix("e")
        found = [word for word in (bold, bold.removesuffix("s"), stem) if word in self.entry]
        if len(stem) >= SHORTEST:
            found += [word for word in self.entry if word.startswith(stem)]
        return found[0] if found else None

    def found(self, text: nodes.Text) -> Iterator[tuple[int, int, str]]:
        """Yield where words of the glossary stand in a text: begin, end, the word."""
        if isinstance(text.parent, nodes.strong):
            if word := self.named(text):
                yield 0, len(text), word
            return
        for hit in self.words.finditer(text):
            yield *hit.span(), hit[1].lower()

    def __call__(self, app: Sphinx, document: nodes.document, name: str) -> None:
        """Link the first use of each entry on a page; for Sphinx, when a page is resolved."""
        if name == self.page:
            return
        places = app.env.domains["std"].objects
        address, seen = app.builder.get_relative_uri(name, self.page), set()
        for text in [text for text in document.findall(nodes.Text) if is_open(text)]:
            pieces, done = [], 0
            for begin, end, word in self.found(text):
                first, meaning = self.entry[word]
                if first not in seen:
                    seen.add(first)
                    goal = f"{address}#{places['term', first][1]}"
                    link = nodes.reference("", text[begin:end], internal=True, refuri=goal)
                    link["reftitle"], link["classes"] = meaning, ["term"]
                    pieces += [nodes.Text(text[done:begin]), link]
                    done = end
            if pieces:
                text.parent.replace(text, [*pieces, nodes.Text(text[done:])])


def is_open(text: nodes.Text) -> bool:
    """Return whether a text is prose of the page: no heading, no code, no link, no output."""
    node = text.parent
    while node is not None:
        if isinstance(node, CLOSED) or OUTPUT in node.get("classes", []):
            return False
        node = node.parent
    return True
