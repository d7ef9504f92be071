"""Measurements beside the library: run as `python -m benchmarks.<name>`."""

import segkit  # noqa: F401  sets TensorFlow's log level before TensorFlow is loaded
