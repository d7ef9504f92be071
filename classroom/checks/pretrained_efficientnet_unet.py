"""Checks of notebook 04 Pretrained EfficientNet U-Net."""

import numpy as np

from classroom.checks.verdict import Wrong, call, check, near, numbers


@check(
    "Set `share`: weights that learn with a frozen encoder, divided by those that learn without.",
    "Less than a third learns: the decoder, which is new.",
)
def learning_share(share):
    """04, knob: the share of weights that learn with a frozen encoder (Lite0: 0.23, B4: 0.31)."""
    (share,) = numbers(share, 1)
    if share > 100:
        raise Wrong("This is a number of weights. Divide it by how many learn without freezing.")
    if share > 1:
        raise Wrong(
            "A share lies between 0 and 1: no percentage, and the smaller count in the numerator."
        )
    if near(share, 1, 0.005):
        raise Wrong(
            "Both counts are alike: call `models.unfreeze(model)` before the first, and "
            "`models.freeze(model)` before the second."
        )
    if near(share, 0.2241, 0.0003) or near(share, 0.3132, 0.0003):
        raise Wrong(
            "Nearly: this is divided by all weights, also those that are only stored. Divide by "
            "the weights that learn before freezing."
        )
    if near(share, 0.2289, 0.0003):
        raise Wrong(
            "Nearly: the norms stand still in the larger count. `models.unfreeze(model)` lets them "
            "learn, too."
        )
    if near(share, 0.77, 0.02) or near(share, 0.69, 0.02):
        raise Wrong("This is the share that is held still. What is asked for is the rest.")
    if not (near(share, 0.2265, 0.006) or near(share, 0.3147, 0.006)):
        raise Wrong(
            "Count the numbers in `model.trainable_weights`, once before freezing, once after."
        )


@check(
    "`prepared` takes a patch, uint8 (H, W, 3); it returns what goes into the model.",
    "Raw pixels: the model scales by itself, in training and on any map.",
)
def raw_pixels(prepared):
    """04, repair: patches scaled by their own minimum and maximum, before a model that scales."""
    roof, water, sand = (120, 110, 100), (20, 40, 60), (230, 215, 190)
    dark, bright = np.full((2, 8, 8, 3), 0, np.uint8)
    dark[:], bright[:] = water, sand
    dark[0, 0] = bright[0, 0] = roof
    found = [np.asarray(call(prepared, patch.copy()), float) for patch in (dark, bright)]
    if found[0].shape != dark.shape:
        raise Wrong(f"A patch of {dark.shape} comes back as {found[0].shape}: keep its shape.")
    if not near(found[0][0, 0], found[1][0, 0], 1e-4):
        beside = [", ".join(f"{x:.3g}" for x in one[0, 0]) for one in found]
        top = "Back on 0 to 255, but: t" if found[0].max() > 99 and found[0].min() >= 0 else "T"
        raise Wrong(
            f"{top}he same roof, {roof}, comes out as ({beside[0]}) beside water and as "
            f"({beside[1]}) beside sand. Each patch is scaled by what happens to be in it."
        )
    if near(found, [dark, bright], 1e-3):
        return
    if np.min(found) < 0:
        raise Wrong("Some pixels are below 0: they are scaled here, and again inside the model.")
    if np.max(found) <= 1:
        raise Wrong("All patches alike now, but the model expects 0 to 255: it would see black.")
    raise Wrong("The pixels are not those of the patch: which step does the model not do itself?")
