"""The command line: `segkit predict scene.tif --model dubai-lite2 --out map.tif`.

Thin over the library; taught in notebook 12. What was asked wrongly ends with a sentence and exit
code 2, what else fails with 1.
"""

import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import click

import segkit

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PLACE = click.Path(dir_okay=False, path_type=Path)
#: What a wrong request raises.
ASKED = (ValueError, LookupError, FileNotFoundError)


class Sentences(click.Group):
    """Commands whose errors are sentences."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except (*ASKED, OSError, ImportError, MemoryError) as error:
            wrong = isinstance(error, ASKED) or "rasterio" in type(error).__module__  # no raster
            told = error.args[0] if isinstance(error, KeyError) else str(error)
            raise (click.UsageError if wrong else click.ClickException)(told) from error


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(segkit.__version__)
def main() -> None:
    """Maps of land cover from satellite pictures.

    \b
    segkit predict scene.tif --model dubai-lite2 --out map.tif
    segkit areas map.tif
    """
    os.environ.setdefault("SEGKIT_PROGRESS", str(int(os.isatty(2))))
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", category=UserWarning, module="segkit|__main__")
    warnings.showwarning = lambda message, *_, **__: click.echo(f"Note: {message}", err=True)


def _free(path: Path, overwrite: bool) -> Path:
    """Return where a result goes; raise if something lies there that nobody gave up."""
    if path.exists() and not overwrite:
        raise click.UsageError(f"{path} exists: name another file, or say --overwrite")
    return path


overwrite = click.option("--overwrite", is_flag=True, help="Replace a file that is there.")


@main.command()
@click.argument("scene", type=FILE)
@click.option("--model", required=True, help="A .keras file, or city-lite0 or dubai-lite2.")
@click.option("--out", type=PLACE, help="The map, a GeoTIFF; <scene>_map.tif by default.")
@click.option("--bands", help="Which bands to read, in the model's order: 4,3,2.")
@click.option("--scaling", type=float, nargs=2, help="Values that become 0 and 255: 0 3000.")
@click.option("--overlap", type=click.FloatRange(0, 0.9), default=0.5, show_default=True)
@click.option("--tta", is_flag=True, help="Average over eight turns and flips; eight times slower.")
@click.option("--confidence", is_flag=True, help="Write how sure the model is, beside the map.")
@overwrite
def predict(scene, model, out, bands, overwrite, **how) -> None:
    """Map a SCENE: any raster, such as GeoTIFF, PNG or JPEG."""
    out = _free(out or scene.with_name(f"{scene.stem}_map.tif"), overwrite)
    _free(out.with_stem(f"{out.stem}_confidence"), overwrite or not how["confidence"])
    bands = tuple(map(int, bands.split(","))) if bands else None
    click.echo(segkit.scenes.predict(segkit.models.load(model), scene, out, bands=bands, **how))


@main.command()
@click.argument("map_tif", metavar="MAP", type=FILE)
@click.option("--out", type=PLACE, help="A CSV file; printed by default.")
@overwrite
def areas(map_tif, out, overwrite) -> None:
    """Measure the area of each class of a MAP, in hectares."""
    table = segkit.maps.areas(map_tif)
    written = out and segkit.files.settle(_free(out, overwrite), table.to_csv(index=False))
    click.echo(written or table.round(4).to_string(index=False))


@main.command()
@click.argument("map_tif", metavar="MAP", type=FILE)
@click.argument("out", type=PLACE)
@click.option("--simplify", type=click.FloatRange(0), default=0, help="Size of steps that go.")
@overwrite
def polygons(map_tif, out, simplify, overwrite) -> None:
    """Write a MAP as outlines to OUT: a .gpkg in its CRS, or a .geojson in degrees."""
    if out.suffix not in (".gpkg", ".geojson"):
        raise click.BadParameter(f"{out.name}: a .gpkg or a .geojson")
    with segkit.files.whole(_free(out, overwrite)) as part:
        one = segkit.maps.polygons(map_tif, simplify)
        # GeoJSON holds degrees, and ends at 180; to 12 digits, that small pixels keep their shape.
        # Outlines without a CRS would pass for degrees: `to_crs` refuses them.
        how = {"RFC7946": "YES", "COORDINATE_PRECISION": 12} if out.suffix == ".geojson" else {}
        (one.to_crs(one.crs or 4326) if how else one).to_file(part, layer="land_cover", **how)
    click.echo(out)


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=PLACE, required=True, help="The model, a .keras file.")
@click.option("--network", type=click.Choice(["lite0", "lite2", "unet"]), default="lite0")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=10, show_default=True)
@click.option("--crop", default=256, show_default=True, help="Of training: pixels, n × 32.")
@click.option("--seed", default=0, show_default=True)
@overwrite
def train(folder, out, network, minutes, crop, seed, overwrite) -> None:
    """Train a model on a FOLDER of images/, masks/ and classes.csv; score it on held-out images."""
    _free(out, overwrite), _free(out.with_suffix(".json"), overwrite)
    from segkit import datasets, metrics, models, patches, pipeline, store, training

    training.setup(seed=seed)
    with TemporaryDirectory() as work:
        tiles_h5 = store.build(datasets.find(str(folder.resolve())), Path(work, "tiles.h5"))
        patches_h5 = patches.cut(tiles_h5, Path(work, "patches.h5"), crop)
        patches.split(patches_h5, seed=seed)
        card, learn = store.card(tiles_h5), patches.tiles(patches_h5, "train")
        shape = {"classes": len(card.scheme), "channels": len(card.bands)}
        model, batch_size = models.unet(width=16, **shape), 16
        if network != "unet":
            model, batch_size = models.efficientnet_unet(variant=network, **shape), 8
            models.unfreeze(model, norms=False)
        crops = pipeline.crops(tiles_h5, learn, crop, batch_size, seed=seed)
        training.fit(model, crops, None, card.scheme, out, minutes=minutes)
        counts = training.evaluate(model, patches_h5, "test")
    click.echo(metrics.scores(counts, card.scheme).round(3).to_string())
    click.echo("  ".join(f"{k} {v:.3f}" for k, v in metrics.summary(counts, card.scheme).items()))


@main.command()
@click.argument("out", type=PLACE)
@click.option("--model", required=True, help="A .keras file, or city-lite0 or dubai-lite2.")
@overwrite
def export(out, model, overwrite) -> None:
    """Write a model for other programs to OUT: .onnx, which QGIS runs, or .xml for OpenVINO."""
    _free(out.with_suffix(".bin") if out.suffix == ".xml" else out, overwrite)
    click.echo(segkit.models.export(segkit.models.load(model), _free(out, overwrite)))


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Of the address; from 7860 by default.")
def app(port) -> None:
    """Open the web app on this machine."""
    segkit.app.launch(port).block_thread()


if __name__ == "__main__":
    main()
