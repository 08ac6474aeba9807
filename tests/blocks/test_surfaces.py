"""Everything that Stint shows in Slack is what Slack takes.

The tests of Stint write down what they show: files of JSON lines, `target/surfaces/*.jsonl`, or the
folder that `--surfaces` names. A line is

    {"kind": "message", "from": "chat.postMessage", "content": {"text": "…", "blocks": […]}}

- `kind`: `message`, `modal`, `home`, `options`, `ephemeral` or `errors`
- `from`: where it came from, for whoever must find it again
- `content`: exactly as it goes to Slack; `rules.py` says what that is for each kind

The simulated Slack writes such lines of everything that it is sent and takes: `slack.shown.jsonl`
beside its journal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import checked
from rules import KINDS, problems

# Without these, whatever else was checked says nothing.
NEEDED = ("message", "modal", "home", "options")
# How many problems of one file are told.
TOLD = 20


def test_there_is_something_of_each_kind(request: pytest.FixtureRequest) -> None:
    folder: Path = request.config.getoption("--surfaces")
    files = sorted(folder.glob("*.jsonl"))
    assert files, f"there is no file of JSON lines in {folder}: run the tests of Stint first"
    counts = Counter(kind for file in files for _, kind, _, _ in lines(file))
    missing = [kind for kind in NEEDED if not counts[kind]]
    assert not missing, f"nothing of {missing} among {dict(counts)} in {folder}"


def test_what_was_shown_is_what_slack_takes(surfaces: Path) -> None:
    found: list[str] = []
    # Most of it is shown again and again.
    known: dict[tuple[str, str], list[str]] = {}
    for number, kind, source, content in lines(surfaces):
        checked[kind] += 1
        key = (kind, json.dumps(content, sort_keys=True))
        if key not in known:
            known[key] = [str(problem) for problem in problems(kind, content)]
            found += [f"line {number}, {kind} from {source}: {it}" for it in known[key]]
    told = "\n".join(found[:TOLD])
    assert not found, f"{len(found)} problems in {surfaces}:\n{told}"


def lines(file: Path) -> Iterator[tuple[int, str, str, Any]]:
    """Number, kind, origin and content of each line."""
    with file.open(encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            at = f"{file}, line {number}"
            try:
                it = json.loads(line)
            except ValueError as error:
                pytest.fail(f"{at} is no JSON: {error}")
            fine = isinstance(it, dict) and it.keys() == {"kind", "from", "content"}
            assert fine, f"{at} is not `kind`, `from` and `content`: {line[:200]}"
            assert it["kind"] in KINDS, f"{at} is of no kind of {KINDS}: `{it['kind']}`"
            yield number, it["kind"], str(it["from"]), it["content"]
