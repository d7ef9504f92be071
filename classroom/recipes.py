"""The trainings of notebooks 03, 04 and 05, which show this code; `course.catch_up` runs it too.

Each takes a profile of the course, the files of tiles and of patches, and where the model goes. The
model's record says which profile trained it.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from classroom.course import Profile
from segkit import losses, models, patches, pipeline, store, training, weights
from segkit.classes import ClassScheme

#: Crops in a batch of notebook 04.
TRANSFER_BATCH = 8

Trained = tuple[keras.Model, pd.DataFrame]


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
    scheme, train_tiles = store.scheme(tiles_h5), patches.tiles(patches_h5, "train")
    train = pipeline.crops(tiles_h5, train_tiles, profile.crop, profile.batch_size)
    validation = pipeline.batches(patches_h5, "validation", profile.batch_size)
    class_weights = losses.balanced_weights(pixel_counts(tiles_h5, train_tiles).tolist())
    model = models.unet(len(scheme), profile.width, channels=len(train.card.bands))
    plan = {"epochs": profile.tuned_epochs, "steps": profile.steps, "patience": 8, **more}
    plan |= {"loss": rare_class_loss(scheme, class_weights), "record": {"profile": profile.name}}
    history = training.fit(model, train, validation, scheme, path, **plan)
    return model, history
