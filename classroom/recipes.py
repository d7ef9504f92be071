"""The trainings of notebooks 03, 04 and 05, which show this code; `course.catch_up` runs it too.

Each takes a profile of the course, the files of tiles and of patches, and where the model goes. The
model's record says which profile trained it.
"""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from cityscape import mountains
from classroom import course
from classroom.course import Profile
from segkit import losses, metrics, models, patches, pipeline, store, training, weights
from segkit.classes import LANDSLIDE, ClassScheme

#: Crops in a batch of notebook 04.
TRANSFER_BATCH = 8
#: Images, pixels of a patch and their overlap in the leak of notebook 06.
LEAK_IMAGES, LEAK_SIZE, LEAK_OVERLAP = 24, 128, 0.5

Trained = tuple[keras.Model, pd.DataFrame]
Pairs = tuple[np.ndarray, np.ndarray]


def train(
    model: keras.Model, profile: Profile, tiles_h5: Path, patches_h5: Path, path: Path, **more
) -> pd.DataFrame:
    """Train a network of notebook 03 or 04; `more` goes to `training.fit`. Return the history."""
    scheme, train_tiles = store.scheme(tiles_h5), patches.tiles(patches_h5, "train")
    crops = pipeline.crops(tiles_h5, train_tiles, profile.crop, profile.batch_size)
    validation = pipeline.batches(patches_h5, "validation", profile.batch_size)
    plan = {"epochs": profile.epochs, "steps": profile.steps, **more}
    note = {"profile": profile.name}
    return training.fit(model, crops, validation, scheme, path, record=note, **plan)


def unet(profile: Profile, tiles_h5: Path, patches_h5: Path, path: Path, **more) -> Trained:
    """Train the U-Net of notebook 03; `more` goes to `training.fit`.

    Returns:
        The model and its history.
    """
    training.setup(seed=0)
    card = store.card(tiles_h5)
    model = models.unet(len(card.scheme), profile.width, channels=len(card.bands))
    return model, train(model, profile, tiles_h5, patches_h5, path, **more)


def encoder_file(variant: str) -> Path | None:
    """Return the encoder's ImageNet weights, or None, saying so, where they cannot be had."""
    try:
        found = weights.imagenet(variant)
    except weights.WeightsNotFound:
        print("encoder: random, for there are no ImageNet weights here")
        return None
    print("encoder: pretrained on ImageNet")
    return found


def transfer(profile: Profile) -> Profile:
    """Return a profile with the crops and steps of notebook 04."""
    sizes = {"crop": profile.transfer_crop, "batch_size": TRANSFER_BATCH}
    return replace(profile, epochs=profile.transfer_epochs, steps=profile.transfer_steps, **sizes)


def efficientnet(profile: Profile, tiles_h5: Path, patches_h5: Path, path: Path) -> Trained:
    """Train the EfficientNet U-Net of notebook 04.

    Returns:
        The model and its history.
    """
    training.setup(seed=0)
    card, variant = store.card(tiles_h5), profile.encoder
    file = encoder_file(variant)
    model = models.efficientnet_unet(len(card.scheme), file, variant, len(card.bands))
    models.unfreeze(model, norms=file is None)
    return model, train(model, transfer(profile), tiles_h5, patches_h5, path)


def pixel_counts(tiles_h5: Path, tile_ids: list[str]) -> np.ndarray:
    """Count the pixels of each class in some tiles, but the ignored ones; int64 (classes,)."""
    scheme = store.scheme(tiles_h5)
    masks = (store.read(tiles_h5, name)[1] for name in tile_ids)
    labeled = (mask[mask != scheme.ignore_index] for mask in masks)
    return sum(np.bincount(mask, minlength=len(scheme)) for mask in labeled)


def rare_class_loss(scheme: ClassScheme, class_weights: list[float]):
    """Blend focal Tversky and weighted cross-entropy, for classes of few pixels (notebook 05)."""
    ignored = scheme.ignore_index
    return losses.blend(
        partial(losses.focal_tversky, ignore_index=ignored),
        partial(losses.weighted_crossentropy, class_weights=class_weights, ignore_index=ignored),
        weights=(0.6, 0.4),
    )


def tuned(profile: Profile, tiles_h5: Path, patches_h5: Path, path: Path, **more) -> Trained:
    """Train the U-Net of notebook 05, with a loss for rare classes; `more` goes to `training.fit`.

    Returns:
        The model and its history.
    """
    training.setup(seed=1)
    card, train_tiles = store.card(tiles_h5), patches.tiles(patches_h5, "train")
    class_weights = losses.balanced_weights(pixel_counts(tiles_h5, train_tiles).tolist())
    loss = rare_class_loss(card.scheme, class_weights)
    plan = {"epochs": profile.tuned_epochs, "patience": 8, "loss": loss, **more}
    model = models.unet(len(card.scheme), profile.width, channels=len(card.bands))
    return model, train(model, profile, tiles_h5, patches_h5, path, **plan)


def leak_arms(patches_h5: Path, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Deal out overlapping patches for the leak of notebook 06.

    Of some images the patch in the middle is the test. Both arms train on equally many patches of
    the same images; "with" has those that share pixels with a test patch, "without" has none.

    Returns:
        The positions of the test patches, and those of each arm.
    """
    listed, size = patches.index(patches_h5), store.attributes(patches_h5)["size"]
    rng, corner = np.random.default_rng(seed), ["row", "column"]
    chosen = rng.permutation(listed["tile"].unique())[:LEAK_IMAGES]
    listed = listed[listed["tile"].isin(chosen)]
    places = listed.groupby("tile")[corner]
    middle = places.transform(lambda starts: np.unique(starts)[starts.nunique() // 2])
    away = (listed[corner] - middle).abs().max(axis=1)
    test, near = listed.index[away == 0], listed.index[away.between(1, size - 1)]
    far = rng.permutation(listed.index[away >= size])
    count = len(far) * 2 // 3
    with_neighbors = np.concatenate([near, far[: count - len(near)]])
    return test.to_numpy(), {"without": far[:count], "with": with_neighbors}


def fit_arrays(
    model: keras.Model, loss, images: np.ndarray, masks: np.ndarray, passes: int
) -> None:
    """Train so many times through arrays that fit into memory, as they are, in batches of 16."""
    rate = keras.optimizers.schedules.CosineDecay(1e-3, passes * math.ceil(len(images) / 16))
    optimizer = training.AdamW(rate)
    model.compile(optimizer, loss)
    model.fit(images, masks, batch_size=16, epochs=passes, verbose=0)


def leak_trial(patches_h5: Path, seed: int, passes: int) -> dict[str, np.ndarray]:
    """Train the network of notebook 04 on both arms of `leak_arms`.

    Returns:
        For each arm, int64 (N, C, C): the matrices of the same test patches.
    """
    scheme, (test, arms), found = store.scheme(patches_h5), leak_arms(patches_h5, seed), {}
    images, masks = patches.read(patches_h5, test)
    for name, positions in arms.items():
        training.setup(seed=seed)
        model = models.efficientnet_unet(len(scheme), weights.imagenet("lite0"), "lite0")
        models.unfreeze(model, norms=False)
        if course.profile().name == "smoke":  # that it runs is enough
            positions = positions[:48]
        learned = patches.read(patches_h5, positions)
        fit_arrays(model, training.default_loss(scheme), *learned, passes)
        answers = models.predict(model, images.astype(np.float32)).argmax(axis=-1)
        pairs = zip(masks, answers, strict=True)
        found[name] = np.stack([metrics.confusion(mask, one, len(scheme)) for mask, one in pairs])
    return found


def landslide_net(
    profile: Profile, patches_h5: Path, path: Path, loss, seed=0, build=models.unet, keep=None
) -> Trained:
    """Train a network of notebook 10 on chips of landslides.

    Args:
        profile, patches_h5, path: see the top of this file.
        loss: of (truth, probabilities).
        seed: of weights, order and augmentation.
        build: `models.unet` or `models.attention_unet`.
        keep: for each band 1, or 0 to blank it; None keeps all.

    Returns:
        The model and its history.
    """
    training.setup(seed=seed)
    card = store.card(patches_h5)
    model = build(len(card.scheme), profile.width, channels=len(card.bands))
    how = {"batch_size": profile.batch_size, "seed": seed}
    learn = pipeline.batches(patches_h5, "train", augment=True, **how)
    validation = pipeline.batches(patches_h5, "validation", **how)
    if keep is not None:
        learn, validation = (x.map(lambda a, y: (a * keep, y)) for x in (learn, validation))
    plan = {"epochs": profile.tuned_epochs, "steps": profile.steps, "loss": loss}
    return model, training.fit(model, learn, validation, card.scheme, path, **plan)


def chips(train: int = 60, test: int = 20) -> tuple[Pairs, Pairs]:
    """Draw chips of the embedded mountains, to train on and to score on.

    Returns:
        Two pairs of images float32 (N, 128, 128, 14), each band scaled to 0–255 by what the
        training chips hold, and masks uint8 (N, 128, 128): 1 is landslide.
    """
    drawn = [mountains.chip(number) for number in range(1, train + test + 1)]
    images, masks = (np.stack(part) for part in zip(*drawn, strict=True))
    low, high = np.percentile(images[:train], [1, 99], axis=(0, 1, 2))
    images = (255 * (images - low) / (high - low)).clip(0, 255).astype(np.float32)
    return (images[:train], masks[:train]), (images[train:], masks[train:])


def rare_losses(masks: np.ndarray) -> dict:
    """Return the losses that notebook 05 compares, for these masks of landslides."""
    class_weights = losses.balanced_weights(np.bincount(masks.ravel(), minlength=2).tolist())
    weighted = partial(losses.weighted_crossentropy, class_weights=class_weights)
    return {
        "cross-entropy": losses.weighted_crossentropy,
        "weighted cross-entropy": weighted,
        "cross-entropy and Dice": training.default_loss(LANDSLIDE),
        "focal Tversky and weighted": rare_class_loss(LANDSLIDE, class_weights),
    }


def slide_losses(masks: np.ndarray) -> dict:
    """Return the losses that notebook 10 compares, for these masks of two classes."""
    named = rare_losses(masks)
    chosen = {k: named[k] for k in ("cross-entropy", "focal Tversky and weighted")}
    return chosen | {"focal Tversky": losses.focal_tversky}


def landslides(train: Pairs, test: Pairs, loss, seed: int, passes: int) -> np.ndarray:
    """Train a U-Net on `chips`; return the matrix (2, 2) of those held out."""
    training.setup(seed=seed)
    model = models.unet(2, 16, channels=train[0].shape[-1])
    fit_arrays(model, loss, *train, passes)
    images, masks = test
    return metrics.confusion(masks, models.predict(model, images).argmax(axis=-1), 2)
