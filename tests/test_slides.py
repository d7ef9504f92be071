"""What stands on the sheets: all questions and surprises of the course, nothing from outside."""

import re

import nbformat
from helpers import REPOSITORY
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from classroom import slides

HEAD = "# A title\n\nYou make\n[a map](x.md).\n\n![A map](x.png)"


def test_each_question_and_each_surprise_of_the_course_stands_on_a_sheet():
    chapters = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))
    told = (REPOSITORY / "INSTRUCTORS.md").read_text("utf-8")
    rows = slides.SURPRISE.findall(told)
    sheets = [slides.sheet(path, rows) for path in chapters]
    asked = [path.read_text("utf-8").count("**Predict first:**") for path in chapters]
    assert [len(one["questions"]) for one in sheets] == asked and min(asked) > 0
    assert sum(len(one["surprises"]) for one in sheets) == len(rows) > 40
    assert all(one["surprises"] and one["time"] for one in sheets)
    answered = [bool(q.get("picture") or q["text"]) for one in sheets for q in one["questions"]]
    assert all(answered)


def test_a_sheet_holds_what_its_notebook_says(tmp_path):
    drawn = new_output("display_data", data={"image/png": "aGk="})
    cells = [new_markdown_cell(HEAD), new_markdown_cell("| Time | 5 minutes |")]
    cells += [new_markdown_cell("Look.\n\n**Predict first:** how\nmany `x < 1`? And why?\n\nMore.")]
    cells += [new_code_cell("1", outputs=[new_output("stream", text="one\n" * 12)])]
    cells += [new_markdown_cell("**Predict first:** which?"), new_code_cell("2", outputs=[drawn])]
    cells += [new_markdown_cell("**What to notice.** Three."), new_code_cell("3", outputs=[drawn])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "07_x.ipynb")
    (tmp_path / "x.png").write_bytes(b"hi")
    row = ("07", "first map", "a *lot*", "little", "Say `<it>`.")
    made = slides.sheet(tmp_path / "07_x.ipynb", [row, ("06", *row[1:])])
    assert (made["title"], made["promise"], made["time"]) == (
        "A title",
        "You make a map.",
        "5 minutes",
    )
    first, second = made["questions"]
    assert first["ask"] == "How many <code>x &lt; 1</code>? And why?"
    assert first["text"] == "\n".join(["…", *["one"] * slides.LONGEST])  # the first cell's
    assert second == {"ask": "Which?", "picture": "data:image/png;base64,aGk="}
    assert made["surprises"] == [
        ["first map", "a <em>lot</em>", "little", "Say <code>&lt;it&gt;</code>."]
    ]
    log = new_output("stream", text="epoch  1/2  loss 1.0\nepoch  2/2  loss 0.5\n")
    assert slides.shown([new_code_cell("fit", outputs=[log]), *cells[5:6]]) == {
        "picture": "data:image/png;base64,aGk="
    }


def test_both_pages_are_whole_and_ask_for_nothing(tmp_path):
    for path in slides.build(tmp_path):
        page = path.read_text("utf-8")
        loads = re.findall(r'(?:src|href)="(.{5})', page)
        assert page.count("<section") == 15 and set(loads) == {"data:"} and "url(" not in page
