"""The container engine of this machine, and what is asked of it. Without one nothing here is run, and says so."""

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "goods-api:0.1.0"
BASE = "python:3.14-slim-trixie"
POSTGRES = "postgres:18.6"
# What a strict orchestrator gives a container: no writable root, no capability, no way to more of either.
STRICT = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def docker(
    *arguments: str, seconds: float = 120, stdin: str | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """What `docker ARGUMENTS` prints; it has to succeed."""
    ended = tried(*arguments, seconds=seconds, stdin=stdin, environ=environ)
    assert ended.returncode == 0, f"docker {' '.join(arguments)}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
    return ended.stdout


def tried(
    *arguments: str, seconds: float = 120, stdin: str | None = None, environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """`docker ARGUMENTS`, however it ends."""
    return subprocess.run(
        ["docker", *arguments], cwd=ROOT, env={**os.environ, **(environ or {})}, input=stdin, capture_output=True,
        text=True, timeout=seconds, check=False,
    )  # fmt: skip


def described(kind: str, name: str) -> Any:
    """What the engine knows of one object."""
    return json.loads(docker(kind, "inspect", name))[0]


@functools.cache
def can_be_had(image: str) -> bool:
    """Whether the image is here, or comes when it is asked for."""
    if tried("image", "inspect", image).returncode == 0:
        return True
    try:
        return tried("pull", "--quiet", image, seconds=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def need_engine(*images: str) -> None:
    """Skip the test where there is no engine with compose, or no base image, or none of `images`."""
    try:
        answers = tried("info").returncode == 0 and tried("compose", "version").returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        answers = False
    if not answers:
        pytest.skip("not run: no container engine with compose answers here")
    for image in (BASE, *images):
        if not can_be_had(image):
            pytest.skip(f"not run: {image} can't be had here")
