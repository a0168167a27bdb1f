"""The service against its own description: schemathesis sends what it allows, what it forbids, and sequences."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.application import create_app
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.services.loading import load
from data.sample import read_catalogue
from tests.conftest import settings_for
from tests.serving import serving

_PROGRAM = Path(sys.executable).with_name("schemathesis")
_HOOKS = "tests.contract.schemathesis_hooks"
_CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "unsupported_method", "allow_header_conformance",
    "missing_required_header",
)  # fmt: skip
# Not among them: that all is accepted that a schema allows (rules about what is stored, conditions and page tokens go
# beyond it), and that nothing is left of what was deleted (its ledger and history are).


@dataclass(frozen=True)
class Described:
    """How it ended."""

    code: int
    cases: int
    said: str


async def compare_with_description(
    postgres: EmbeddedAddress, connection: Any, *, examples: int, seed: int, folder: Path
) -> Described:
    """Run all phases with up to `examples` cases for each operation and phase, on a database of their own."""
    await connection.execute("CREATE DATABASE described")
    try:
        settings = settings_for(postgres, DB_NAME="described", LOG_LEVEL="error")
        await migrate(settings)
        await load(settings, read_catalogue(), actor="test")
        async with serving(create_app(settings)) as url:
            process = await asyncio.create_subprocess_exec(
                _PROGRAM, "run", f"{url}/openapi.json", "--checks", ",".join(_CHECKS), "--seed", str(seed),
                "--max-examples", str(examples), "--continue-on-failure", "--request-timeout", "20", "--no-shrink",
                "--no-color",
                cwd=folder,
                env={**os.environ, "SCHEMATHESIS_HOOKS": _HOOKS, "PYTHONPATH": str(Path(__file__).parents[2])},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await process.communicate()
    finally:
        await connection.execute("DROP DATABASE described WITH (FORCE)")
    said = output.decode()
    generated = re.search(r"([\d,]+) generated", said)
    return Described(process.returncode or 0, int(generated[1].replace(",", "")) if generated else 0, said)
