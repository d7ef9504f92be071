"""The options of a recorded run: read by the runner, compared by the tables."""

import argparse
import shlex
from pathlib import Path

from segkit.patches import OLDER

RESULTS = Path(__file__).parent / "results"
#: The splits, and the shares of training, validation and test. 80/20 is what courses use.
FRACTIONS = {
    "patch": (0.8, 0.0, 0.2),
    "image": (0.7, 0.15, 0.15),
    "group": (0.7, 0.15, 0.15),
}
#: Begins the name of a split that holds out one group of images: "without Tile 3".
WITHOUT = "without "
MODELS = ("unet", "attention_unet", "deeplabv3plus", "efficientnet_unet", "reference")
#: Those with an encoder of known weights.
PRETRAINED = ("efficientnet_unet", "deeplabv3plus")
#: Options that change nothing in what is learned.
ASIDE = ("results", "score_at", "tta", "measure")
#: What a step costs.
COSTS = RESULTS / "costs.csv"
#: Options that decide it.
COSTLY = ("model", "width", "stride", "variant", "crop", "batch_size", "candidates")
COSTLY += ("still_norms", "learning", "scales", "tint")


def rule(name: str) -> str:
    """Return today's name of a split; recorded rows and commands may have an older one."""
    return OLDER.get(name, name)


def split(name: str) -> str:
    """Read the name of a split; refuse one that is not known."""
    found = rule(name)
    if found not in FRACTIONS and not found.startswith(WITHOUT):
        known = ", ".join(FRACTIONS)
        raise argparse.ArgumentTypeError(f"{name!r} is not one of {known}, {WITHOUT}<group>")
    return found


def parser(description: str = "") -> argparse.ArgumentParser:
    """Return the parser of `python -m benchmarks.train`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--dataset", default="sample")
    made.add_argument("--model", default="unet", choices=MODELS)
    made.add_argument("--width", type=int, default=16, help="filters of a U-Net's first block")
    made.add_argument(
        "--split", default="image", type=split, help=f"{', '.join(FRACTIONS)}, {WITHOUT}<group>"
    )
    made.add_argument("--minutes", type=float, default=10, help="of training; scoring is extra")
    made.add_argument("--clock", default="wall", choices=("wall", "cpu", "pace"))
    made.add_argument(
        "--measure", action="store_true", help="only measure what a step costs, for --clock pace"
    )
    made.add_argument(
        "--variant", default="b4", choices=("b4", "lite0", "lite2"),
        help="of the encoder; DeepLabV3+ has ResNet-50 in place of b4",
    )  # fmt: skip
    made.add_argument("--weights", default="none", choices=("none", "imagenet"))
    made.add_argument(
        "--frozen", type=float, default=0, help="share of the minutes with a frozen encoder"
    )
    made.add_argument("--fine-rate", type=float, help="learning rate of the rest of the minutes")
    made.add_argument(
        "--encoder-rate", type=float, default=1, help="the encoder's learning rate, as a share"
    )
    made.add_argument(
        "--learning", type=float, default=1, help="share of the encoder's layers that learn"
    )
    made.add_argument("--still-norms", action="store_true", help="the encoder's batch norms stay")
    made.add_argument(
        "--share", type=float, default=1, help="share of the training images, drawn by the seed"
    )
    made.add_argument("--stride", type=int, default=1, help="pixels that a U-Net gathers first")
    made.add_argument("--dice", type=float, default=0.5, help="weight of Dice in the loss")
    made.add_argument("--average", type=float, help="share of the running mean of the weights")
    made.add_argument("--candidates", type=int, default=1, help="windows to choose a crop from")
    made.add_argument("--crop", type=int, default=128, help="pixels of a training crop")
    made.add_argument("--batch-size", type=int, default=16)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument(
        "--scales", type=float, nargs=2, help="least and greatest factor of the ground in a crop"
    )
    made.add_argument("--tint", type=float, default=0, help="how far the bands' strengths vary")
    made.add_argument("--smoothing", type=float, default=0, help="of the labels, as a share")
    made.add_argument("--six", action="store_true", help="learn Unlabeled as a sixth class")
    made.add_argument("--tta", action="store_true", help="score with test-time augmentation, too")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument(
        "--score-at", type=float, nargs="*", default=[], help="minutes at which to score, too"
    )
    made.add_argument("--results", type=Path, default=RESULTS)
    return made


def read(words: list[str] | None = None, description: str = "") -> argparse.Namespace:
    """Read a command line; refuse what the chosen model or split would pass over in silence."""
    reader = parser(description)
    found = reader.parse_args(words)
    if found.stride != 1 and found.model != "unet":
        reader.error("--stride is for --model unet")
    others = ("variant", "weights", "frozen", "fine_rate")
    others += ("encoder_rate", "learning", "still_norms")
    if found.model not in PRETRAINED and _changed(reader, found, others):
        reader.error(f"{', '.join(others)} are for --model {' or '.join(PRETRAINED)}")
    if not 0 <= found.frozen < 1 or (found.fine_rate and not found.frozen):
        reader.error("--frozen is a share of the minutes below 1; --fine-rate is for what follows")
    if found.model not in ("unet", "attention_unet") and _changed(reader, found, ("width",)):
        reader.error("--width is for --model unet or attention_unet")
    if found.share != 1 and found.split == "patch":
        reader.error("--share draws whole images: not with --split patch")
    if found.split == "patch" and _changed(reader, found, ("candidates", "scales")):
        reader.error("candidates, scales draw from whole tiles: not with --split patch")
    own = ("crop", "batch_size", "learning_rate", "dice", "average", "candidates", "six")
    own += ("tint", "smoothing", "share", "scales")
    if found.model == "reference" and (changed := _changed(reader, found, own)):
        reader.error(f"the reference recipe is fixed: without {', '.join(changed)}")
    return found


def costly(found: argparse.Namespace) -> str:
    """Name what decides the cost of a step, as in the table of costs: what is not the default."""
    usual, chosen = parser().parse_args([]), [f"model {found.model}"]
    chosen += [f"{k} {v}" for k in COSTLY[1:] if (v := getattr(found, k)) != getattr(usual, k)]
    return ", ".join(chosen).replace("_", " ")


def _changed(reader, found, names) -> list[str]:
    """Return which options differ from their defaults."""
    return [name for name in names if getattr(found, name) != reader.get_default(name)]


def recipe(command: str, without: tuple[str, ...] = ()) -> dict:
    """Return the options of a recorded command that decide what is learned, defaults too."""
    words = shlex.split(command)
    found = vars(parser().parse_args(words[words.index("benchmarks.train") + 1 :]))
    return {name: value for name, value in found.items() if name not in (*ASIDE, *without)}
