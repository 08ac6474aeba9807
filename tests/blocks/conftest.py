"""Where what is checked comes from, and how much it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rules import KINDS

ROOT = Path(__file__).parents[2]

# How many of each kind were checked.
checked: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--surfaces",
        type=Path,
        default=ROOT / "target" / "surfaces",
        help="the folder with the files of what Stint showed",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each file."""
    if "surfaces" in metafunc.fixturenames:
        folder: Path = metafunc.config.getoption("--surfaces")
        files = sorted(folder.glob("*.jsonl"))
        metafunc.parametrize("surfaces", files, ids=[file.name for file in files])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if checked:
        counts = ", ".join(f"{checked[kind]} {kind}" for kind in KINDS)
        terminalreporter.write_line(f"checked: {counts}")
