"""Grading: what a notebook claims counts for nothing, what it answers counts once."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from classroom import grading, notebooks

RIGHT = "checks.rare_scores((0.978, 0.421))"


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    """The row of a notebook 10 with one right answer, one wrong, and several claims."""
    claim = new_output("execute_result", data={"text/plain": "Right. So it is."})
    sources = ["from classroom import checks", RIGHT, "checks.cheapest_threshold(0.9)"]
    sources += [
        f"# checks.chip_mean(1) did not work\n{RIGHT}",
        "!true\nchecks.cheapest_threshold(0.9)",
    ]
    sources += ["print('Right. ')  # checks.chip_mean(", "'Right. checks.chip_mean('", "1 / 0"]
    cells = [new_code_cell(source, outputs=[claim], execution_count=1) for source in sources]
    path = tmp_path_factory.mktemp("in") / "10_by_somebody.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    before = path.read_bytes()
    found = grading.grade(path)
    assert path.read_bytes() == before
    return found


def test_each_right_answer_counts_once_and_no_claim_counts(row):
    assert (row["right"], row["of"]) == (1, 3)
    assert row["not yet"] == "cheapest_threshold, chip_mean" and row["notes"] == ""


@pytest.mark.parametrize(
    "above", ["np.mean?", "files = !ls", "x = (1\n     % 4)", "%time 1", "%%time"]
)
def test_lines_for_jupyter_hide_no_answer(above):
    assert grading._shown(f"{above}\n{RIGHT}") == "rare_scores"


def test_what_lies_beside_a_notebook_answers_nothing(tmp_path):
    (tmp_path / "classroom.py").write_text("class checks: rare_scores = staticmethod(lambda x: 1)")
    path = tmp_path / "10_by_anna.ipynb"
    cells = [new_code_cell(f"from classroom import checks\n{RIGHT}")]
    nbformat.write(new_notebook(cells=cells), path)
    assert grading.grade(path)["right"] == 1


def test_every_notebook_asks_for_checks_that_are_there():
    from classroom import checks

    for path in notebooks.NOTEBOOKS:
        wanted = grading.asked(path.name)
        assert wanted and all(hasattr(checks, name) for name in wanted)
    assert grading.asked("something.ipynb") == set()


def test_one_odd_file_costs_nobody_else_the_row(tmp_path, monkeypatch, capsys):
    odd, fine = tmp_path / "10_a_login_page.ipynb", tmp_path / "by_anna.ipynb"
    odd.write_text("<html>login</html>")
    kernel = {"kernelspec": {"name": "conda-env-geo-py", "display_name": "geo"}}
    cells = [new_code_cell(f"print('x' * 10**6)\nfrom classroom import checks\n{RIGHT}")]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), fine)
    monkeypatch.setattr("sys.argv", ["grading", str(odd), str(fine)])
    grading.main()
    said = capsys.readouterr().out
    assert "10_a_login_page.ipynb, notes not run: NotJSONError" in said
    assert "by_anna.ipynb, right 1, of 1" in said and "begin with the number of a notebook" in said


def test_a_notebook_that_never_ends_is_stopped_and_keeps_what_it_had(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "TIMEOUT_S", 20)
    cells = [
        new_code_cell(f"from classroom import checks\n{RIGHT}"),
        new_code_cell("import time\nwhile 1:\n    time.sleep(1)"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "10_x.ipynb")
    row = grading.grade(tmp_path / "10_x.ipynb")
    assert row["right"] == 1 and row["notes"] == "stopped: CellTimeoutError"
