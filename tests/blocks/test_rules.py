"""The check itself: what is fine passes, and each rule finds the line that breaks it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rules import RULES, problems
from test_surfaces import lines

Json = dict[str, Any]
HERE = Path(__file__).parent


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": True}


def marked(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def option(value: str = "v", label: str = "An option", **more: Any) -> Json:
    return {"text": plain(label), "value": value, **more}


def section(text: str = "hello", **more: Any) -> Json:
    return {"type": "section", "text": marked(text), **more}


def button(action_id: str = "approve", **more: Any) -> Json:
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain("Approve"),
        "value": "R1",
        **more,
    }


def row(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def asks(kind: str, **more: Any) -> Json:
    """An input block; what is for the block itself begins with an underscore."""
    block = {key[1:]: more.pop(key) for key in list(more) if key.startswith("_")}
    element = {"type": kind, "action_id": "a", **more}
    return {"type": "input", "block_id": "a", "label": plain("A"), "element": element, **block}


def confirm(**more: Any) -> Json:
    yes, no = plain("Yes"), plain("No")
    return {"title": plain("Sure?"), "text": marked("Really?"), "confirm": yes, "deny": no, **more}


def message(*blocks: Any, text: Any = "hello") -> tuple[str, Any]:
    return "message", {"text": text, "blocks": list(blocks)}


def modal(*blocks: Any, **more: Any) -> tuple[str, Any]:
    view = {
        "type": "modal",
        "title": plain("Stint"),
        "submit": plain("Submit"),
        "close": plain("Cancel"),
    }
    return "modal", {**view, "blocks": list(blocks), **more}


def without(key: str, line: tuple[str, Any]) -> tuple[str, Any]:
    kind, content = copy.deepcopy(line)
    del content[key]
    return kind, content


def home(*blocks: Any, **more: Any) -> tuple[str, Any]:
    return "home", {"type": "home", "blocks": list(blocks), **more}


def options(*all: Any, **more: Any) -> tuple[str, Any]:
    return "options", {"options": list(all), **more}


def errors(by_block: Any, *blocks: Any) -> tuple[str, Any]:
    return "errors", {"errors": by_block, "blocks": list(blocks)}


MANY = [option(f"v{at}") for at in range(100)]
FINE: list[tuple[str, Any]] = [
    message(),
    ("ephemeral", {"text": "not you"}),
    ("ephemeral", {"text": "not you", "blocks": None}),
    message(
        section(
            "*Okta Access* request by <@U01ALICE> :key:\n> a &amp; b &lt;c&gt;", block_id="head"
        ),
        {"type": "header", "text": plain("A header")},
        {"type": "divider"},
        {"type": "section", "fields": [marked("a"), plain("b")] * 5},
        section("x" * 3000, accessory=button(style="primary", confirm=confirm(style="danger"))),
        {
            "type": "context",
            "elements": [marked("until <!date^1764000000^{date_short_pretty} {time}|2025-11-24>")]
            * 10,
        },
        row(*[button(f"b{at}") for at in range(25)], block_id="decide"),
        section(
            "in <#C01REQUESTS>, <!subteam^S01ONCALL>, see <https://a.example/?b=1&amp;c=2|this>"
        ),
    ),
    message(*[{"type": "divider"}] * 50, text="x" * 4000),
    modal(section()),
    without("submit", modal(section())),
    modal(
        asks(
            "plain_text_input",
            multiline=True,
            min_length=0,
            max_length=3000,
            initial_value="x",
            focus_on_load=True,
        ),
        asks(
            "number_input",
            _block_id="b",
            is_decimal_allowed=False,
            min_value="1",
            max_value="9",
            initial_value="9",
        ),
        asks("number_input", _block_id="b2", is_decimal_allowed=True, min_value="-0.5"),
        asks("plain_text_input", _block_id="b3", initial_value="\u202e"),
        asks(
            "static_select",
            _block_id="c",
            _dispatch_action=True,
            options=MANY,
            initial_option=MANY[7],
        ),
        asks(
            "static_select",
            _block_id="d",
            option_groups=[{"label": plain("g"), "options": MANY[:5]}] * 100,
        ),
        asks(
            "external_select",
            _block_id="e",
            min_query_length=0,
            initial_option=option(),
            placeholder=plain("p"),
        ),
        asks(
            "users_select", _block_id="f", _optional=True, _hint=plain("h"), initial_user="W01ALICE"
        ),
        asks("datepicker", _block_id="g", initial_date="2026-02-28"),
        section(block_id="h", accessory=asks("users_select")["element"]),
        callback_id="request",
        private_metadata="m" * 3000,
        notify_on_close=False,
    ),
    home(section(), *[row(button()) for _ in range(99)]),
    options(),
    options(*MANY),
    options(option("v" * 75, "l" * 75, description=plain("d" * 75))),
    ("options", {"option_groups": [{"label": plain("g"), "options": MANY}]}),
    errors({"a": "too bad"}, section(block_id="head"), asks("plain_text_input")),
]

# What breaks each rule.
BROKEN: dict[str, list[tuple[str, Any]]] = {
    "models": [
        message(section("x" * 3001)),
        message(row(button(style="green"))),
        message(row(*[button(f"b{at}") for at in range(26)])),
        modal(asks("datepicker", initial_date="tomorrow")),
        modal(asks("static_select", options=[*MANY, option()])),
        modal(section(), title=plain("t" * 25)),
        message({"type": "header", "text": plain("h" * 151)}),
        options(option("v" * 151)),
    ],
    "models-keep": [
        message(section(colour="red")),
        message({"type": "dance"}),
        modal(section(), colour="red"),
        modal(asks("plain_text_input", min_value="1")),
        options(option(icon="x")),
    ],
    "shape": [
        ("letter", {}),
        ("message", "hello"),
        message(text=7),
        ("message", {"text": "x", "blocks": {}}),
        message({"type": "section", "text": "hello"}),
        message({"type": "section", "text": {"type": "markdown", "text": "hello"}}),
        modal(asks("plain_text_input", multiline="yes")),
        modal(asks("plain_text_input", _optional=1)),
        modal(
            asks("plain_text_input", dispatch_action_config={"trigger_actions_on": ["on_leave"]})
        ),
        ("home", modal(section())[1]),
        ("errors", {"errors": [], "blocks": []}),
        options("a"),
    ],
    "field": [
        message(section(colour="red")),
        message({"type": "section", "text": {**marked("x"), "emoji": True}}),
        message({"type": "header", "text": {**plain("x"), "verbatim": True}}),
        message(row(button(placeholder=plain("p")))),
        message(row(button(confirm=confirm(size=1)))),
        modal(asks("plain_text_input", _colour="red")),
        modal(asks("external_select", options=MANY)),
        modal(asks("static_select", options=[option(url="https://a.example")])),
        modal(section(), id="V1"),
        options(option(icon="x")),
        options(more=True),
    ],
    "missing": [
        ("message", {"blocks": []}),
        message({"type": "section"}),
        message({"type": "actions"}),
        message(row({"type": "button", "text": plain("x")})),
        message(row(button(confirm={"title": plain("t")}))),
        modal(asks("number_input")),
        modal(asks("plain_text_input", _label=None)),
        without("title", modal(section())),
        options({"text": plain("x")}),
        ("errors", {"errors": {}}),
    ],
    "text-empty": [
        message(text=""),
        message(section(" \n")),
        message({"type": "header", "text": plain("\u200b")}),
        message({"type": "context", "elements": [marked("")]}),
        message({"type": "section", "fields": [marked("")]}),
        message(row(button(value=""))),
        message(row(button(text=plain("")))),
        message(row(button(confirm=confirm(title=plain(""))))),
        modal(section(), submit=plain("")),
        modal(asks("plain_text_input", initial_value="")),
        modal(asks("plain_text_input", placeholder=plain(""))),
        options(option(label="")),
        errors({"a": ""}, asks("plain_text_input")),
    ],
    "text-long": [
        message(text="x" * 4001),
        message(section("🔑" * 1501)),
        message({"type": "header", "text": plain("x" * 151)}),
        message({"type": "section", "fields": [marked("x" * 2001)]}),
        message({"type": "context", "elements": [marked("x" * 3001)]}),
        message(row(button(text=plain("x" * 76)))),
        message(row(button(value="x" * 2001))),
        message(row(button(url="https://a.example/" + "x" * 3000))),
        message(row(button(accessibility_label="x" * 76))),
        message(row(button(confirm=confirm(title=plain("x" * 101))))),
        message(row(button(confirm=confirm(text=plain("x" * 301))))),
        message(row(button(confirm=confirm(confirm=plain("x" * 31))))),
        message(row(button(confirm=confirm(deny=plain("x" * 31))))),
        modal(section(), title=plain("x" * 25)),
        modal(section(), submit=plain("x" * 25)),
        modal(section(), close=plain("x" * 25)),
        modal(asks("plain_text_input", _label=plain("x" * 2001))),
        modal(asks("plain_text_input", _hint=plain("x" * 2001))),
        modal(asks("plain_text_input", placeholder=plain("x" * 151))),
        options(option(label="x" * 76)),
        options(option(description=plain("x" * 76))),
        ("options", {"option_groups": [{"label": plain("x" * 76), "options": MANY}]}),
    ],
    "text-plain": [
        message({"type": "header", "text": marked("x")}),
        message(row(button(text=marked("x")))),
        modal(section(), title=marked("x")),
        modal(asks("plain_text_input", _label=marked("x"))),
        modal(asks("plain_text_input", _hint=marked("x"))),
        modal(asks("plain_text_input", placeholder=marked("x"))),
        options({"text": marked("x"), "value": "v"}),
        options(option(description=marked("x"))),
    ],
    "markup": [
        message(section("<!channel> look")),
        message(section("<!here|here>")),
        message(section("a < b")),
        message(section("a > b")),
        message(section("R&D")),
        message(section("&quot;")),
        message(section("<@U01AL…")),
        message(section("<javascript:alert(1)|x>")),
        message(text="<!everyone>"),
        message({"type": "context", "elements": [marked("<!date^soon^{time}|x>")]}),
    ],
    "blocks": [
        message(*[{"type": "divider"}] * 51),
        modal(*[{"type": "divider"}] * 101),
        home(*[{"type": "divider"}] * 101),
        modal(),
        home(),
    ],
    "block-type": [
        message({"type": "dance"}),
        message("hello"),
        message(asks("plain_text_input")),
        home(asks("plain_text_input")),
    ],
    "block-id": [
        message(section(block_id="a"), section(block_id="a")),
        modal(asks("plain_text_input"), asks("plain_text_input")),
        home(section(block_id="a"), row(button(), block_id="a")),
    ],
    "elements": [
        message(row()),
        message(row(*[button(f"b{at}") for at in range(26)])),
        message({"type": "context", "elements": []}),
        message({"type": "context", "elements": [marked("x")] * 11}),
        message({"type": "section", "fields": []}),
        message({"type": "section", "fields": [marked("x")] * 11}),
    ],
    "element-type": [
        message(row({"type": "plain_text_input", "action_id": "a"})),
        message(row({"type": "dance", "action_id": "a"})),
        message(section(accessory=asks("number_input", is_decimal_allowed=True)["element"])),
        modal(asks("button", text=plain("x"))),
        modal(asks("checkboxes", options=MANY)),
    ],
    "action-id": [
        message(row(button(), button())),
        home(row(button("a"), button("b"), button("a"))),
    ],
    "id-long": [
        message(section(block_id="x" * 256)),
        message(section(block_id="")),
        message(row(button("x" * 256))),
        modal(section(), callback_id="x" * 256),
        modal(section(), external_id="x" * 256),
    ],
    "options": [
        options(*MANY, option()),
        options(*MANY, option_groups=[{"label": plain("g"), "options": MANY}]),
        ("options", {"option_groups": [{"label": plain("g"), "options": []}]}),
        ("options", {"option_groups": [{"label": plain("g"), "options": MANY}] * 101}),
        modal(asks("static_select", options=[])),
        modal(asks("static_select")),
        modal(asks("static_select", options=[*MANY, option()])),
    ],
    "option-value": [
        options(option("v" * 76)),
        options(option("")),
        options(option(7)),  # type: ignore[arg-type]
        modal(asks("static_select", options=[option("v" * 76)])),
        modal(asks("external_select", initial_option=option("v" * 76))),
    ],
    "initial": [
        modal(asks("static_select", options=MANY, initial_option=option("other"))),
        modal(asks("users_select", initial_user="alice")),
        modal(asks("datepicker", initial_date="2026-02-30")),
        modal(asks("datepicker", initial_date="20260228")),
        modal(asks("plain_text_input", max_length=2, initial_value="xyz")),
        modal(asks("number_input", is_decimal_allowed=False, max_value="9", initial_value="10")),
        modal(asks("number_input", is_decimal_allowed=False, min_value="1", initial_value="0")),
    ],
    "bounds": [
        modal(asks("plain_text_input", max_length=3001)),
        modal(asks("plain_text_input", max_length=0)),
        modal(asks("plain_text_input", min_length=-1)),
        modal(asks("plain_text_input", min_length=9, max_length=8)),
        modal(asks("number_input", is_decimal_allowed=False, min_value=1)),
        modal(asks("number_input", is_decimal_allowed=False, initial_value="0.5")),
        modal(asks("number_input", is_decimal_allowed=True, min_value="2", max_value="1")),
        modal(asks("external_select", min_query_length=True)),
    ],
    "style": [
        message(row(button(style="green"))),
        message(row(button(confirm=confirm(style="green")))),
    ],
    "focus": [
        modal(
            asks("plain_text_input", focus_on_load=True),
            asks("users_select", _block_id="b", focus_on_load=True),
        )
    ],
    "submit": [
        without("submit", modal(asks("plain_text_input"))),
        home(section(), submit=plain("Submit")),
        home(section(), title=plain("Stint")),
    ],
    "metadata": [modal(section(), private_metadata="x" * 3001)],
    "size": [
        modal(*[section("漢" * 3000) for _ in range(30)]),
        message(*[section("x" * 2700) for _ in range(5)]),
    ],
    "errors": [
        errors({"b": "too bad"}, asks("plain_text_input")),
        errors({"head": "too bad"}, section(block_id="head"), asks("plain_text_input")),
        errors({}, asks("plain_text_input")),
    ],
}


@pytest.mark.parametrize("line", FINE, ids=[f"{at}-{kind}" for at, (kind, _) in enumerate(FINE)])
def test_what_is_fine_passes(line: tuple[str, Any]) -> None:
    kind, content = line
    before = copy.deepcopy(content)
    assert [str(problem) for problem in problems(kind, content)] == []
    assert content == before


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_breaks_it(rule: str) -> None:
    for kind, content in BROKEN[rule]:
        found = problems(kind, content)
        assert rule in {problem.rule for problem in found}, (
            f"{kind} {json.dumps(content)[:300]}: {found}"
        )


def test_every_rule_is_tried() -> None:
    assert BROKEN.keys() == RULES.keys()


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Checks what is in the folder, as `tests/run` does."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--surfaces",
        str(folder),
    ]
    command.append(str(HERE / "test_surfaces.py"))
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write(file: Path, lines: list[tuple[str, Any]]) -> None:
    texts = [
        json.dumps({"kind": kind, "from": "here", "content": content}) for kind, content in lines
    ]
    file.write_text("".join(text + "\n" for text in texts))


def test_a_folder_of_all_that_is_fine_passes(tmp_path: Path) -> None:
    write(tmp_path / "one.jsonl", FINE[:5])
    write(tmp_path / "two.jsonl", FINE[5:] + FINE[:1])
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "checked: 4 message, 3 modal, 1 home, 4 options, 2 ephemeral, 1 errors" in done.stdout


def test_nothing_to_check_is_no_success(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = check(folder)
        assert done.returncode == 1, done.stdout
        assert "there is no file of JSON lines" in done.stdout


@pytest.mark.parametrize("kind", ["message", "modal", "home", "options"])
def test_a_kind_that_is_not_there_is_no_success(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "some.jsonl", [line for line in FINE if line[0] != kind])
    done = check(tmp_path)
    assert done.returncode == 1, done.stdout
    assert f"nothing of ['{kind}']" in done.stdout


def test_a_line_that_breaks_a_rule_is_found_and_told(tmp_path: Path) -> None:
    broken = {rule: next(line for line in BROKEN[rule] if line[0] != "letter") for rule in RULES}
    for rule, line in broken.items():
        write(tmp_path / f"{rule}.jsonl", [*FINE[:3], line])
    write(tmp_path / "fine.jsonl", FINE)
    done = check(tmp_path)
    assert done.returncode == 1, done.stdout
    for rule, (kind, _) in broken.items():
        assert f"[{rule}.jsonl]" in done.stdout
        assert f"line 4, {kind} from here: {rule} at " in done.stdout
    assert f"{len(RULES)} failed, 2 passed" in done.stdout


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"kind": "message"}', '{"kind": "letter", "from": "here", "content": {}}']
)
def test_a_line_that_is_no_such_line_is_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "some.jsonl"
    write(file, FINE)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises((AssertionError, pytest.fail.Exception), match=f"line {len(FINE) + 1} is "):
        list(lines(file))
