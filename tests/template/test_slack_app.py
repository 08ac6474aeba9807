"""The manifest of the Slack app asks for what the code uses, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from templates import ROOT

MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "slack-app.yaml").read_text())
URL = "https://stint.example.com/slack/events"

# The bot scopes that a method of Slack's Web API wants, from its page at
# https://docs.slack.dev/reference/methods. The e-mail that `users.info` answers wants the second.
SCOPES: dict[str, set[str]] = {
    "auth.test": set(),
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "users.info": {"users:read", "users:read.email"},
    "views.open": set(),
    "views.publish": set(),
    "views.update": set(),
}


def code(*folders: str) -> str:
    """The code of some folders, without its tests."""
    files: Iterator[Path] = (
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.rs"))
        if "tests" not in file.parts and file.name != "tests.rs"
    )
    return "\n".join(file.read_text() for file in files)


def urls(value: Any) -> Iterator[str]:
    """Every address in the manifest."""
    if isinstance(value, str) and value.startswith("https://"):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from urls(item)


def test_the_scopes_are_those_of_the_methods_that_are_called() -> None:
    client = (ROOT / "shared" / "slack" / "src" / "client.rs").read_text()
    called = set(re.findall(r'"([a-z]+\.[a-zA-Z.]+)"', client))
    unknown = called - SCOPES.keys()
    assert not unknown, f"which scopes do {sorted(unknown)} want?"
    assert "chat.postMessage" in called

    # The command and the shortcut want a scope of their own.
    wanted = {"commands"}.union(*(SCOPES[method] for method in called))

    assert sorted(MANIFEST["oauth_config"]["scopes"]["bot"]) == sorted(wanted)
    assert MANIFEST["oauth_config"].keys() == {"scopes"}
    assert MANIFEST["oauth_config"]["scopes"].keys() == {"bot"}


def test_the_shortcut_is_the_one_that_the_code_knows() -> None:
    [callback] = re.findall(r'SHORTCUT: &str = "([^"]+)"', code("functions/slack-ingress/src"))
    [shortcut] = MANIFEST["features"]["shortcuts"]

    assert shortcut["callback_id"] == callback
    assert shortcut["type"] == "global"


def test_the_command_is_the_one_that_people_are_told_of() -> None:
    [command] = MANIFEST["features"]["slash_commands"]

    assert command["command"] == "/access"
    # Mentions in the reason stay as they were typed.
    assert command["should_escape"] is False


def test_the_home_tab_is_there_if_the_code_fills_it() -> None:
    fills = ".publish_home(" in code("functions", "shared/drive")
    subscribed = MANIFEST["settings"].get("event_subscriptions", {}).get("bot_events", [])

    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is fills
    assert subscribed == (["app_home_opened"] if fills else [])


def test_events_that_are_asked_for_are_known_to_the_code() -> None:
    known = code("functions/slack-ingress/src", "shared/slack/src")

    for event in MANIFEST["settings"]["event_subscriptions"]["bot_events"]:
        assert f'"{event}"' in known


def test_people_can_be_written_to() -> None:
    home = MANIFEST["features"]["app_home"]

    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is True


def test_options_are_asked_for_where_the_code_offers_them() -> None:
    asked = "ExternalSelect" in code("shared/slack/src")
    interactivity = MANIFEST["settings"]["interactivity"]

    assert interactivity["is_enabled"] is True
    assert ("message_menu_options_url" in interactivity) is asked


def test_one_address_is_to_be_replaced_everywhere() -> None:
    text = (ROOT / "infra" / "slack-app.yaml").read_text()
    readme = (ROOT / "README.md").read_text()

    assert list(urls(MANIFEST)) == [URL] * 4
    assert "which is here four times" in text
    assert set(urls(yaml.safe_load(text.replace(URL, "https://a.example/slack/events")))) == {
        "https://a.example/slack/events"
    }
    assert URL in readme


def test_the_texts_are_not_too_long_for_slack() -> None:
    shown = MANIFEST["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    assert len(MANIFEST["features"]["shortcuts"][0]["name"]) <= 24
