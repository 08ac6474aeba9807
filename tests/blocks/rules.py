"""What Slack takes: its own models (`slack_sdk`), and the limits that these let pass.

`problems(kind, content)` says what is wrong with one thing that Stint sends to Slack to be shown.
The kinds, and what their content is:

- `message`, `ephemeral`: `{"text": …, "blocks": […]}`, as for `chat.postMessage`, `chat.update` and
  `chat.postEphemeral`; no `blocks`, null or an empty list is a message of its text alone
- `modal`: the view, as for `views.open` and `views.update`
- `home`: the view, as for `views.publish`
- `options`: `{"options": […]}` or `{"option_groups": […]}`, the answer while somebody types
- `errors`: `{"errors": {"<block_id>": "text"}, "blocks": […]}`, the errors in the answer to a form,
  and the blocks of that form

Only what Stint uses is known: another type of block or element is a problem until its limits are
written down here. A limit counts UTF-16 units, which are never fewer than what Slack counts.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple

from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import Block, Option, OptionGroup
from slack_sdk.models.views import View

KINDS = ("message", "modal", "home", "options", "ephemeral", "errors")

# Every rule, and what it says. Whoever adds one adds a line that breaks it to test_rules.py.
RULES = {
    "models": "Slack's own models take it",
    "models-keep": "Slack's own models know every field of it",
    "shape": "an object, a list, a text, a number, a boolean where there must be one",
    "field": "no field that Slack does not know, at any depth",
    "missing": "every field that Slack wants",
    "text-empty": "no text without anything to see",
    "text-long": "no text longer than its place takes",
    "text-plain": "`plain_text` where Slack takes no markup",
    "markup": "in markup, `<` `>` `&` only in what is meant; no channel is pinged",
    "blocks": "1 to 50 blocks in a message, 1 to 100 in a view",
    "block-type": "only the types of blocks that have their place there",
    "block-id": "no two blocks with the same id",
    "elements": "1 to 25 elements in a row, 1 to 10 texts in a context or beside each other",
    "element-type": "only the types of elements that have their place there",
    "action-id": "no two elements with the same action in a block",
    "id-long": "an id of 1 to 255 characters",
    "options": "1 to 100 options, in at most 100 groups, not both in groups and without",
    "option-value": "a value of 1 to 75 characters (the older reference; 150 in the newer)",
    "initial": "set from the start only to what can be chosen or typed",
    "bounds": "a length, number or count within its bounds, the least not above the most",
    "style": "`primary` or `danger`",
    "focus": "one element at most has the focus",
    "submit": "a form with inputs can be submitted; a Home has no form around it",
    "metadata": "at most 3000 characters of private metadata",
    "size": "at most 250 kB in a view, 13000 characters in the blocks of a message",
    "errors": "each error is that of an input block of the form",
}

VIEW_BYTES = 250_000
# Not in the reference; refused as `msg_blocks_too_long` from about 13200 on (bolt-js, issue 2509).
BLOCKS_UNITS = 13_000


class Problem(NamedTuple):
    """What breaks which rule, and where: a JSON pointer."""

    rule: str
    at: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at or '/'}: {self.what}"


def problems(kind: str, content: Any) -> list[Problem]:
    """Everything that is wrong with `content`."""
    check = Check()
    if kind in ("message", "ephemeral"):
        check.message(content)
    elif kind in ("modal", "home"):
        check.view(content, kind)
    elif kind == "options":
        check.answered_options(content)
    elif kind == "errors":
        check.errors(content)
    else:
        check.say("shape", "", f"no kind `{kind}`: one of {', '.join(KINDS)}")
    return check.found


def units(text: str) -> int:
    """How long a text is."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_visible(text: str) -> bool:
    """Whether there is anything to see in it: neither space nor control nor format character."""
    return any(unicodedata.category(c)[0] not in "ZC" for c in text)


# What may stand between `<` and `>`.
MARKED = re.compile(
    r"@[UW][A-Z0-9]+"
    r"|#[CGD][A-Z0-9]+(\|[^<>]*)?"
    r"|!subteam\^S[A-Z0-9]+(\|[^<>]*)?"
    r"|!date\^-?[0-9]+\^[^<>^|]*\{[a-z_]+\}[^<>^|]*(\^https://[^<>|^]+)?\|[^<>]+"
    r"|(https?://|mailto:)[^<>|\s]+(\|[^<>]+)?"
)
ESCAPED = re.compile(r"&(amp|lt|gt);")

# The fields of each block and element: those it must have, and those it may have.
BLOCKS: dict[str, tuple[set[str], set[str]]] = {
    "section": (set(), {"text", "fields", "accessory", "expand"}),
    "header": ({"text"}, set()),
    "divider": (set(), set()),
    "context": ({"elements"}, set()),
    "actions": ({"elements"}, set()),
    "input": ({"label", "element"}, {"hint", "optional", "dispatch_action"}),
}
EVERYWHERE = {"section", "header", "divider", "context", "actions"}
# Slack takes an input elsewhere too, where nothing submits it.
SURFACES = {"message": EVERYWHERE, "home": EVERYWHERE, "modal": EVERYWHERE | {"input"}}

ASKING = {"placeholder", "focus_on_load"}
ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
    "button": ({"text"}, {"value", "style", "confirm", "url", "accessibility_label"}),
    "plain_text_input": (
        set(),
        {"multiline", "min_length", "max_length", "initial_value", "dispatch_action_config"}
        | ASKING,
    ),
    "number_input": (
        {"is_decimal_allowed"},
        {"min_value", "max_value", "initial_value", "dispatch_action_config"} | ASKING,
    ),
    "static_select": (set(), {"options", "option_groups", "initial_option", "confirm"} | ASKING),
    "external_select": (set(), {"initial_option", "min_query_length", "confirm"} | ASKING),
    "users_select": (set(), {"initial_user", "confirm"} | ASKING),
    "datepicker": (set(), {"initial_date", "confirm"} | ASKING),
}
INPUTS = ELEMENTS.keys() - {"button"}
PRESSED = ELEMENTS.keys() - {"plain_text_input", "number_input"}
FLAGS = {
    "expand",
    "optional",
    "dispatch_action",
    "focus_on_load",
    "multiline",
    "is_decimal_allowed",
    "emoji",
    "verbatim",
    "clear_on_close",
    "notify_on_close",
    "submit_disabled",
}


class Check:
    """Goes through one thing and collects what is wrong."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def say(self, rule: str, at: str, what: str) -> None:
        assert rule in RULES, rule
        self.found.append(Problem(rule, at, what))

    # The kinds.

    def message(self, content: Any) -> None:
        if not self.object("", content, {"text"}, {"blocks"}):
            return
        self.words("/text", content.get("text"), 4000)
        if isinstance(content.get("text"), str):
            self.markup("/text", content["text"])
        blocks = content.get("blocks")
        if blocks is None or blocks == []:
            return
        self.blocks("/blocks", blocks, "message", 50)
        length = units(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
        if length > BLOCKS_UNITS:
            self.say("size", "/blocks", f"{length} characters")
        self.models("/blocks", blocks, lambda: [parsed(block) for block in Block.parse_all(blocks)])

    def view(self, content: Any, kind: str) -> None:
        required = {"type", "blocks"} | ({"title"} if kind == "modal" else set())
        optional = {"private_metadata", "callback_id", "external_id"}
        if kind == "modal":
            optional |= {"submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"}
        if not self.object("", content, required, optional):
            return
        if content.get("type") != kind:
            self.say("shape", "/type", f"`{content.get('type')}` where `{kind}` is shown")
        for key in ("title", "submit", "close"):
            if kind == "home" and key in content:
                self.say("submit", f"/{key}", "a Home has none")
            self.text(f"/{key}", content, key, 24)
        for key in ("callback_id", "external_id"):
            self.identifier("", content, key)
        metadata = content.get("private_metadata", "")
        if not isinstance(metadata, str):
            self.say("shape", "/private_metadata", "no text")
        elif units(metadata) > 3000:
            self.say("metadata", "/private_metadata", f"{units(metadata)} characters")
        blocks = content.get("blocks")
        self.blocks("/blocks", blocks, kind, 100)
        blocks = [block for block in blocks or [] if isinstance(block, dict)]
        inputs = [block for block in blocks if block.get("type") == "input"]
        if kind == "modal" and inputs and "submit" not in content:
            self.say("submit", "", "inputs, and no `submit`")
        elements = [block.get("element") for block in inputs]
        focused = [
            it for it in elements if isinstance(it, dict) and it.get("focus_on_load") is True
        ]
        if len(focused) > 1:
            self.say("focus", "/blocks", f"{len(focused)} elements")
        size = len(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "replace"
            )
        )
        if size > VIEW_BYTES:
            self.say("size", "", f"{size} bytes")
        self.models("", content, lambda: View(**content).to_dict())

    def answered_options(self, content: Any) -> None:
        if not self.object("", content, set(), {"options", "option_groups"}):
            return
        # Nothing that fits is a fine answer.
        if content != {"options": []}:
            self.options("", content)
        options = content.get("options") or []
        groups = content.get("option_groups") or []
        self.models(
            "/options", options, lambda: [parsed(it) for it in Option.parse_all(options) or []]
        )
        self.models(
            "/option_groups",
            groups,
            lambda: [parsed(it) for it in OptionGroup.parse_all(groups) or []],
        )

    def errors(self, content: Any) -> None:
        if not self.object("", content, {"errors", "blocks"}, set()):
            return
        errors, blocks = content.get("errors"), content.get("blocks")
        if not isinstance(errors, dict) or not isinstance(blocks, list):
            self.say("shape", "", "`errors` is an object, and `blocks` a list")
            return
        if not errors:
            self.say("errors", "/errors", "there is none")
        inputs = {
            block.get("block_id")
            for block in blocks
            if isinstance(block, dict) and block.get("type") == "input"
        }
        for block_id, text in errors.items():
            if block_id not in inputs:
                self.say("errors", f"/errors/{block_id}", "no input block of the form")
            self.words(f"/errors/{block_id}", text, 2000)

    # What they are made of.

    def blocks(self, at: str, blocks: Any, surface: str, most: int) -> None:
        seen: set[str] = set()
        for index, block in enumerate(self.items("blocks", at, blocks, most)):
            here = f"{at}/{index}"
            kind = block.get("type") if isinstance(block, dict) else None
            if not isinstance(kind, str) or kind not in SURFACES[surface]:
                self.say("block-type", here, f"`{kind}` in a {surface}")
                continue
            required, optional = BLOCKS[kind]
            self.object(here, block, required | {"type"}, optional | {"block_id"})
            self.identifier(here, block, "block_id")
            if (block_id := block.get("block_id")) in seen:
                self.say("block-id", here, f"`{block_id}` again")
            if isinstance(block_id, str):
                seen.add(block_id)
            self.block(here, block, kind)

    def block(self, at: str, block: dict[str, Any], kind: str) -> None:
        if kind == "section":
            if "text" not in block and "fields" not in block:
                self.say("missing", at, "neither `text` nor `fields`")
            self.text(f"{at}/text", block, "text", 3000, plain=False)
            if "fields" in block:
                for index, _ in enumerate(
                    fields := self.items("elements", f"{at}/fields", block["fields"], 10)
                ):
                    self.text(f"{at}/fields/{index}", fields, index, 2000, plain=False)
            if "accessory" in block:
                self.element(f"{at}/accessory", block["accessory"], PRESSED)
        elif kind == "header":
            self.text(f"{at}/text", block, "text", 150)
        elif kind == "context":
            for index, _ in enumerate(
                texts := self.items("elements", f"{at}/elements", block.get("elements"), 10)
            ):
                self.text(f"{at}/elements/{index}", texts, index, 3000, plain=False)
        elif kind == "actions":
            seen: set[str] = set()
            for index, element in enumerate(
                self.items("elements", f"{at}/elements", block.get("elements"), 25)
            ):
                here = f"{at}/elements/{index}"
                self.element(here, element, PRESSED)
                action_id = element.get("action_id") if isinstance(element, dict) else None
                if isinstance(action_id, str) and action_id in seen:
                    self.say("action-id", here, f"`{action_id}` again")
                elif isinstance(action_id, str):
                    seen.add(action_id)
        elif kind == "input":
            self.text(f"{at}/label", block, "label", 2000)
            self.text(f"{at}/hint", block, "hint", 2000)
            if "element" in block:
                self.element(f"{at}/element", block["element"], INPUTS)

    def element(self, at: str, element: Any, allowed: Iterable[str]) -> None:
        kind = element.get("type") if isinstance(element, dict) else None
        if not isinstance(kind, str) or kind not in allowed:
            self.say("element-type", at, f"`{kind}`")
            return
        required, optional = ELEMENTS[kind]
        self.object(at, element, required | {"type", "action_id"}, optional)
        self.identifier(at, element, "action_id")
        self.text(f"{at}/placeholder", element, "placeholder", 150)
        self.confirm(f"{at}/confirm", element)
        if kind == "button":
            self.text(f"{at}/text", element, "text", 75)
            for key, most in (("value", 2000), ("url", 3000), ("accessibility_label", 75)):
                if key in element:
                    self.words(
                        f"{at}/{key}", element[key], most, shown=key == "accessibility_label"
                    )
            self.style(at, element)
        elif kind == "plain_text_input":
            self.typed(at, element)
        elif kind == "number_input":
            self.number(at, element)
        elif kind == "static_select":
            options = self.options(at, element)
            if "initial_option" in element and element["initial_option"] not in options:
                self.say("initial", f"{at}/initial_option", "is not offered")
        elif kind == "external_select":
            self.count(at, element, "min_query_length", 0, 3000)
            if "initial_option" in element:
                self.option(f"{at}/initial_option", element["initial_option"])
        elif kind == "users_select":
            user = element.get("initial_user", "U1")
            if not isinstance(user, str) or not re.fullmatch("[UW][A-Z0-9]+", user):
                self.say("initial", f"{at}/initial_user", f"`{user}` is no user")
        elif kind == "datepicker" and "initial_date" in element:
            self.date(f"{at}/initial_date", element["initial_date"])

    def confirm(self, at: str, element: dict[str, Any]) -> None:
        if "confirm" not in element:
            return
        confirm = element["confirm"]
        if self.object(at, confirm, {"title", "text", "confirm", "deny"}, {"style"}):
            self.text(f"{at}/title", confirm, "title", 100)
            self.text(f"{at}/text", confirm, "text", 300, plain=False)
            self.text(f"{at}/confirm", confirm, "confirm", 30)
            self.text(f"{at}/deny", confirm, "deny", 30)
            self.style(at, confirm)

    def style(self, at: str, of: dict[str, Any]) -> None:
        if of.get("style", "primary") not in ("primary", "danger"):
            self.say("style", f"{at}/style", f"`{of['style']}`")

    def typed(self, at: str, element: dict[str, Any]) -> None:
        self.dispatched(at, element)
        self.count(at, element, "min_length", 0, 3000)
        self.count(at, element, "max_length", 1, 3000)
        most = element.get("max_length", 3000)
        if (
            isinstance(most, int)
            and isinstance(least := element.get("min_length", 0), int)
            and least > most
        ):
            self.say("bounds", f"{at}/min_length", f"{least} is more than {most}")
        if "initial_value" in element:
            self.words(f"{at}/initial_value", element["initial_value"], 3000, shown=False)
            if isinstance(most, int) and units(str(element["initial_value"])) > most:
                self.say("initial", f"{at}/initial_value", f"longer than {most}")

    def number(self, at: str, element: dict[str, Any]) -> None:
        self.dispatched(at, element)
        decimal = (
            r"-?[0-9]+(\.[0-9]+)?" if element.get("is_decimal_allowed") is True else "-?[0-9]+"
        )
        numbers: dict[str, float] = {}
        for key in ("min_value", "initial_value", "max_value"):
            value = element.get(key, "0")
            if not isinstance(value, str) or not re.fullmatch(decimal, value):
                self.say("bounds", f"{at}/{key}", f"`{value}` is no such number in a text")
            elif key in element:
                numbers[key] = float(value)
        least, most = (
            numbers.get("min_value", float("-inf")),
            numbers.get("max_value", float("inf")),
        )
        if least > most:
            self.say("bounds", f"{at}/min_value", f"{least} is more than {most}")
        elif (
            not least
            <= numbers.get("initial_value", least if least > float("-inf") else most)
            <= most
        ):
            self.say("initial", f"{at}/initial_value", f"not between {least} and {most}")

    def dispatched(self, at: str, element: dict[str, Any]) -> None:
        if "dispatch_action_config" not in element:
            return
        at = f"{at}/dispatch_action_config"
        config = element["dispatch_action_config"]
        if self.object(at, config, {"trigger_actions_on"}, set()):
            moments = self.items(
                "shape", f"{at}/trigger_actions_on", config["trigger_actions_on"], 2
            )
            if not set(map(str, moments)) <= {"on_enter_pressed", "on_character_entered"}:
                self.say("shape", f"{at}/trigger_actions_on", f"{moments}")

    def date(self, at: str, value: Any) -> None:
        try:
            fine = isinstance(value, str) and date.fromisoformat(value).isoformat() == value
        except ValueError:
            fine = False
        if not fine:
            self.say("initial", at, f"`{value}` is no date")

    def options(self, at: str, of: dict[str, Any]) -> list[Any]:
        """Checks the options and groups in `of`, and gives all the options."""
        if ("options" in of) == ("option_groups" in of):
            self.say("options", at, "either `options` or `option_groups`")
        every: list[Any] = []
        lists = [(at, of)] if "options" in of else []
        if "option_groups" in of:
            for index, group in enumerate(
                self.items("options", f"{at}/option_groups", of["option_groups"], 100)
            ):
                here = f"{at}/option_groups/{index}"
                if self.object(here, group, {"label", "options"}, set()):
                    self.text(f"{here}/label", group, "label", 75)
                    lists.append((here, group))
        for here, holder in lists:
            for index, option in enumerate(
                self.items("options", f"{here}/options", holder.get("options"), 100)
            ):
                self.option(f"{here}/options/{index}", option)
                every.append(option)
        return every

    def option(self, at: str, option: Any) -> None:
        # A `url` is for overflow menus only.
        if not self.object(at, option, {"text", "value"}, {"description"}):
            return
        self.text(f"{at}/text", option, "text", 75)
        self.text(f"{at}/description", option, "description", 75)
        value = option.get("value")
        if not isinstance(value, str) or not 1 <= units(value) <= 75:
            self.say("option-value", f"{at}/value", f"`{value}`")

    # The smallest parts.

    def object(self, at: str, value: Any, required: set[str], optional: set[str]) -> bool:
        if not isinstance(value, dict):
            self.say("shape", at, "no object")
            return False
        for key in sorted(required - {key for key, it in value.items() if it is not None}):
            self.say("missing", at, f"no `{key}`")
        for key in sorted(value.keys() - required - optional):
            self.say("field", f"{at}/{key}", "Slack does not know it")
        for key in sorted(value.keys() & FLAGS):
            if not isinstance(value[key], bool):
                self.say("shape", f"{at}/{key}", "neither true nor false")
        return required <= value.keys()

    def items(self, rule: str, at: str, value: Any, most: int) -> list[Any]:
        if not isinstance(value, list):
            self.say("shape", at, "no list")
            return []
        if not 1 <= len(value) <= most:
            self.say(rule, at, f"{len(value)}, which is not 1 to {most}")
        return value

    def count(self, at: str, of: dict[str, Any], key: str, least: int, most: int) -> None:
        value = of.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.say("bounds", f"{at}/{key}", f"{value}, which is not {least} to {most}")

    def identifier(self, at: str, of: dict[str, Any], key: str) -> None:
        value = of.get(key, "x")
        if not isinstance(value, str) or not 1 <= units(value) <= 255:
            self.say("id-long", f"{at}/{key}", f"`{value}`")

    def text(self, at: str, of: Any, key: Any, most: int, plain: bool = True) -> None:
        """The text object in `of` under `key`, if there is one."""
        if isinstance(of, dict) and key not in of:
            return
        value = of[key]
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in ("plain_text", "mrkdwn"):
            self.say("shape", at, "no text object")
            return
        if plain and kind != "plain_text":
            self.say("text-plain", at, "has markup")
        optional = {"emoji"} if kind == "plain_text" else {"verbatim"}
        if self.object(at, value, {"type", "text"}, optional):
            self.words(f"{at}/text", value["text"], most)
            if kind == "mrkdwn" and isinstance(value["text"], str):
                self.markup(f"{at}/text", value["text"])

    def words(self, at: str, text: Any, most: int, shown: bool = True) -> None:
        """A text. What is not `shown` as it is may be invisible, but not nothing but space."""
        if not isinstance(text, str):
            self.say("shape", at, "no text")
        elif not (is_visible(text) if shown else text.strip()):
            self.say("text-empty", at, f"{text!r}")
        elif units(text) > most:
            self.say("text-long", at, f"{units(text)} characters, not 1 to {most}")

    def markup(self, at: str, text: str) -> None:
        rest = text
        for part in re.findall("<[^<>]*>", text):
            if not MARKED.fullmatch(part[1:-1]):
                self.say("markup", at, f"`{part}`")
            rest = rest.replace(part, "", 1)
        rest = ESCAPED.sub("", rest)
        # At the start of a line `>` begins a quotation.
        rest = re.sub("^>+", "", rest, flags=re.MULTILINE)
        if stray := re.search("[<>&]", rest):
            self.say("markup", at, f"a `{stray.group()}` that is not escaped")

    def models(self, at: str, sent: Any, parse: Callable[[], Any]) -> None:
        """Has Slack's models take `sent` apart and put it together again."""
        try:
            kept = parse()
        except Exception as error:  # They raise whatever comes: TypeError, KeyError, their own.
            self.say("models", at, f"{type(error).__name__}: {error}")
            return
        for where, what in differences(sent, kept):
            # Blocks and elements that are unknown are left out, and so are fields.
            self.say("models-keep", at + where, what)


def parsed(model: JsonObject | None) -> Any:
    """What a model makes of what it was made from, itself and everything in it validated."""
    return model and model.to_dict()


def differences(sent: Any, kept: Any, at: str = "") -> Iterable[tuple[str, str]]:
    """What of `sent` is not in `kept`; what is empty need not be."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            if key in kept:
                yield from differences(value, kept[key], f"{at}/{key}")
            elif value not in (None, "", [], {}):
                yield f"{at}/{key}", "left out by Slack's models"
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for index, value in enumerate(sent):
            yield from differences(value, kept[index], f"{at}/{index}")
    elif sent != kept:
        yield at, "changed or left out by Slack's models"


# What they leave out they also log.
logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
