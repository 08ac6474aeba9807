"""What docs/operations.md must say about what the template makes."""

from __future__ import annotations

import re
from typing import Any

from templates import ROOT, TEMPLATE, read

PAGE = (ROOT / "docs" / "operations.md").read_text()


def alarms() -> dict[str, Any]:
    """The alarms, by the names of their resources."""
    resources = read(TEMPLATE)["Resources"].items()
    return {
        name: resource["Properties"]
        for name, resource in resources
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_every_alarm_has_a_section_that_says_what_to_do() -> None:
    before, part = PAGE.split("\n## The alarms\n")
    part = part.split("\n## ")[0]
    sections = re.findall(r"^### (\w+)\n\n(\S.*)", part, re.MULTILINE)
    assert [name for name, _ in sections] == list(alarms())
    assert "###" not in before


def test_every_metric_of_an_alarm_is_explained() -> None:
    metrics = {it["MetricName"] for it in alarms().values() if it["Namespace"] == "Stint"}
    assert metrics and all(f"| `{metric}` |" in PAGE for metric in metrics)


def test_what_the_page_names_is_there() -> None:
    assert (ROOT / "infra" / "by-hand" / "end-every-grant").stat().st_mode & 0o111
    for page in ("README.md", "docs/deploy.md"):
        assert "operations.md" in (ROOT / page).read_text(), page
