"""The files that a hosting space needs to run the app: the app, the library, some models.

.venv/bin/python -m classroom.space folder --model city-lite0
"""

import argparse
import shutil
import tomllib
from importlib.metadata import version
from pathlib import Path

from segkit.files import REPOSITORY
from segkit.models.files import located

#: What starts the app there. A space listens to everybody, behind a proxy of its own.
START = 'from segkit import app\n\napp.launch(7860, "0.0.0.0").block_thread()\n'
ABOUT = '---\ntitle: Map\nsdk: gradio\nsdk_version: {}\npython_version: "3.12"\n---\n'


def write(folder: str | Path, models: list[str]) -> list[Path]:
    """Write a space's files into a folder; return their paths.

    Args:
        folder: new, or one that was written before.
        models: `.keras` files, or names of those that ship.

    Raises:
        FileNotFoundError: there is no such model.
    """
    folder, found = Path(folder), [located(model) for model in models]
    shutil.copytree(REPOSITORY / "segkit", folder / "segkit", dirs_exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    for model in found:
        shutil.copyfile(model, folder / "models" / model.name)
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    needs = told["dependencies"] + told["optional-dependencies"]["app"]
    texts = {"app.py": START, "README.md": ABOUT.format(version("gradio"))}
    texts["requirements.txt"] = "\n".join(needs) + "\n"
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def main() -> None:
    """Write what the command line asks for, and say what."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append", help="city-lite0 by default")
    given = parser.parse_args()
    print(*write(given.folder, given.model or ["city-lite0"]), sep="\n")


if __name__ == "__main__":
    main()
