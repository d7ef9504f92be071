"""Notebooks as a learner opens them: JupyterLab started by `make lab`, all cells run, in a browser.

They run in a copy of the repository, and in the workspace that `SEGKIT_WORK` names.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from classroom.archive import copy_course

ROOT = Path(__file__).resolve().parents[2]
#: Opens a notebook once JupyterLab is up, runs all its cells, and hands back the notebook.
RUN_ALL = """
const [path, done] = arguments;
const failed = (error) => done({error: String(error)});
(async () => {
  while (!window.jupyterapp) await new Promise((next) => setTimeout(next, 100));
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
  await panel.context.ready;
  await panel.sessionContext.ready;
  app.shell.activateById(panel.id);
  while (app.shell.currentWidget !== panel) await new Promise((next) => setTimeout(next, 100));
  await app.commands.execute("notebook:clear-all-cell-outputs");
  await app.commands.execute("notebook:run-all-cells");
  done(panel.content.model.toJSON());
})().catch(failed);
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab in a copy of the repository; its address."""
    scratch = tmp_path_factory.mktemp("lab")
    copy, log = copy_course(scratch / "course"), scratch / "log"
    (copy / ".venv").symlink_to(Path(sys.prefix).resolve())
    flags = "--no-browser --port=0 --expose-app-in-browser --allow-root --LabApp.news_url="
    chosen = {"PYTHONPATH": str(copy), "SEGKIT_PROFILE": "smoke", "SEGKIT_DATASET": "sample"}
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    chosen |= {name: str(scratch / folder) for name, folder in own.items()}
    command = ["make", "--old-file=.venv/ready", "lab", f"FLAGS={flags}"]
    with log.open("w") as file:
        server = subprocess.Popen(
            command, cwd=copy, env={**os.environ, **chosen}, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield address(log, server)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def address(log: Path, server) -> str:
    """Wait until the server says where it is; return that, with its token."""
    for _ in range(360):
        if found := re.search(r"http://localhost:\d+/\S*\?token=\w+", log.read_text("utf-8")):
            return found[0]
        try:
            server.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"JupyterLab did not start:\n{log.read_text('utf-8')[-2000:]}")


def test_all_cells_run_in_the_browser(lab, browser, tmp_path, name="07_basemap_visualization"):
    browser.get(lab)
    found = browser.execute_async_script(RUN_ALL, f"notebooks/{name}.ipynb")
    browser.save_screenshot(str(tmp_path / f"{name}.png"))
    assert "error" not in found, found
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in code)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
