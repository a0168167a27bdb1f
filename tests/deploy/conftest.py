"""The image that the shipped Dockerfile makes."""

import pytest

from tests.deploy.engine import IMAGE, docker, need_engine


@pytest.fixture(scope="session")
def image() -> str:
    need_engine()
    docker("build", "--quiet", f"--tag={IMAGE}", ".", seconds=600)
    return IMAGE
