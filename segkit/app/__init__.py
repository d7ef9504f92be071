"""A web app: a picture or GeoTIFF in, its map out, with legend, areas, clean-up and downloads.

Taught in notebook 12. It listens on this machine alone, asks nobody outside, keeps what it is given
in a temporary folder (some results; uploads for a day), and turns what goes wrong into sentences.
"""

import os
import tomllib
from html import escape
from importlib.util import find_spec
from pathlib import Path

from segkit import datasets, rasters
from segkit.app import desk

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"} | os.environ
# This machine is asked directly, whatever stands between it and the network.
os.environ["no_proxy"] = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},127.0.0.1"
os.environ.setdefault("GRADIO_TEMP_DIR", str(desk.FOLDER / "uploads"))

import gradio as gr  # after what it reads when it is imported

#: Looks, words and numbers of the page.
CSS, INTRO, TOLD = (Path(__file__).with_name(f"page.{kind}") for kind in ("css", "md", "toml"))
PAGE = tomllib.loads(TOLD.read_text("utf-8"))


def answer(upload: str | None, first: str, second: str):
    """Map an upload by one model or two; yield results and a line that says how it goes."""
    try:
        if not upload:
            raise ValueError("choose a picture first, or take the example.")
        yield from desk.run(upload, [first] + [second] * (second != "none"))
    except Exception as error:
        known = isinstance(error, (ValueError, OSError, MemoryError))  # told in their own words
        told = str(error) if known else type(error).__name__
        yield [], f"<b>No map:</b> {escape(told.replace(f'{desk.FOLDER}/', ''))}"


def example() -> str:
    """Return a square of the embedded city's scene, half a kilometer wide, with coordinates."""
    city, target = datasets.find("sample").tiles[0].image.parents[3], desk.FOLDER / "example.tif"
    rasters.cloud_optimized(f"vrt://{city}/scene/scene.tif?srcwin=0,0,1024,1024", target)
    return str(target)


def build() -> gr.Blocks:
    """Build the page."""
    names = list(desk.known())
    with gr.Blocks(**PAGE["page"]) as blocks:
        gr.Markdown(INTRO.read_text("utf-8"))
        results = gr.State([])
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                kinds = [*desk.PICTURES, *desk.RASTERS]
                upload = gr.File(label="Picture: PNG, JPEG or GeoTIFF", file_types=kinds)
                sample = gr.Button("Take the example", visible=bool(find_spec("cityscape")))
                first = gr.Dropdown(names, value=names[0], label="Model")
                second = gr.Dropdown(["none", *names], value="none", label="Another, beside it")
                with gr.Row():
                    go, stop = gr.Button("Map it", variant="primary"), gr.Button("Cancel")
                seen = gr.Slider(0, 1, 0.6, step=0.05, label="Opacity of the map")
                layer = gr.Radio(["map", "confidence"], value="map", label="Over the picture")
                cleaning = [gr.Slider(**slider) for slider in PAGE["cleaning"]]
            with gr.Column(scale=3, min_width=320):
                said, view = gr.HTML("Ready.", elem_id="said"), gr.HTML(elem_id="view")
                prepare = gr.Button("Prepare downloads")
                files = gr.Files(label="PNG, GeoTIFF, GeoPackage, areas", interactive=False)
        shown = [results, layer, *cleaning]
        work = go.click(answer, [upload, first, second], [results, said], show_progress_on=said)
        work.then(desk.page, shown, view)
        stopped = stop.click(None, cancels=[work])
        stopped.then(lambda: ([], "Stopped."), None, [results, said], show_progress="hidden")
        sample.click(example, None, upload)
        seen.input(None, seen, None, js=PAGE["seen"])
        gr.on([x.change for x in shown[1:]], desk.page, shown, view, trigger_mode="always_last")
        prepare.click(desk.downloads, results, files)
    return blocks.queue(**PAGE["queue"])


def launch(port: int | None = None, server_name="127.0.0.1", **how):
    """Start the app and return; `.close()` ends it, `.block_thread()` waits for Ctrl+C.

    Args:
        port: of the address; the first free one from 7860 on by default.
        server_name: whom it listens to. Others than this machine need a login and a proxy in front.
        how: more of what Gradio's `launch` takes, such as inline=True in a notebook.

    Returns:
        The page, as `build` gave it.
    """
    desk.FOLDER.mkdir(mode=0o700, exist_ok=True)  # before Gradio makes it, for all to read
    desk.THREAD.apply_async(desk.prepare, (next(iter(desk.known().values())),))
    blocks, where = build(), {"server_name": server_name, "server_port": port, "css_paths": CSS}
    blocks.launch(**PAGE["launch"] | where | how, theme=gr.themes.Default(**PAGE["fonts"]))
    print(f"The app is at {blocks.local_url}", flush=True)
    return blocks
