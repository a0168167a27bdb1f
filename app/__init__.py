"""Goods API: a catalogue and stock service."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("goods-api")
except PackageNotFoundError:  # run from a source tree that Poetry has not installed
    __version__ = "0+unknown"
