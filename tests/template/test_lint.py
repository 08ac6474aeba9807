"""What AWS's own tools say of the templates: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from templates import CONNECTOR, ROOT, TEMPLATE

BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a tool in the root folder; it sends nothing anywhere and needs no account."""
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_REGION": "us-east-1"}
    return subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("template", [TEMPLATE, CONNECTOR], ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(template: Path) -> None:
    done = run(BIN / "cfn-lint", template)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("template", "environment"),
    [(TEMPLATE, "default"), (TEMPLATE, "staging"), (CONNECTOR, "default")],
    ids=lambda value: getattr(value, "name", value),
)
def test_sam_takes_it(template: Path, environment: str) -> None:
    done = run(
        BIN / "sam", "validate", "--lint", "--template", template, "--config-env", environment
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    broken = tmp_path / "template.yaml"
    broken.write_text(TEMPLATE.read_text().replace("BillingMode:", "BilingMode:"))

    assert run(BIN / "cfn-lint", broken).returncode != 0
