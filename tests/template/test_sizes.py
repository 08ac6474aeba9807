"""`tests/sizes` fails when a function is too large."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from templates import ROOT

MIB = 1024 * 1024
FUNCTIONS = ["SlackIngress", "Approval", "Escalation", "Deescalation"]


def weigh(build: Path) -> subprocess.CompletedProcess[str]:
    """Runs the script on a build."""
    command = [sys.executable, str(ROOT / "tests" / "sizes"), str(build)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build whose functions are all just under their limits; random bytes do not get smaller."""
    for function in FUNCTIONS:
        put(tmp_path, function, (4 if function == "Approval" else 3) * MIB - 64 * 1024)
    return tmp_path


def put(build: Path, function: str, size: int) -> None:
    """Makes the binary of a function."""
    (build / function).mkdir(exist_ok=True)
    (build / function / "bootstrap").write_bytes(random.Random(1).randbytes(size))


def test_functions_under_their_limits_pass(build: Path) -> None:
    done = weigh(build)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == FUNCTIONS


@pytest.mark.parametrize(("function", "limit"), [("Escalation", 3), ("Approval", 4)])
def test_a_function_over_its_limit_fails(build: Path, function: str, limit: int) -> None:
    put(build, function, limit * MIB + 1)

    done = weigh(build)

    assert done.returncode == 1
    assert f"`{function}` is {limit}.00 MiB zipped, and may be {limit} MiB" in done.stderr


def test_a_function_that_was_not_built_fails(build: Path) -> None:
    (build / "Deescalation" / "bootstrap").unlink()

    done = weigh(build)

    assert done.returncode == 1
    assert "run `sam build`" in done.stderr
