//! What Slack refuses in blocks and views, as its Block Kit reference states it, in Slack's words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What Slack complains of in the blocks of a message; nothing where they are fine.
#[must_use]
pub fn message_blocks(blocks: &Value) -> Vec<String> {
    let mut check = Check::default();
    check.blocks("/blocks", blocks, 50, false);
    check.found
}

/// What Slack complains of in a view of type `kind`, `modal` or `home`; nothing where it is fine.
#[must_use]
pub fn view(view: &Value, kind: &str) -> Vec<String> {
    let mut check = Check::default();
    check.view("/view", view, kind);
    check.found
}

/// How long Slack counts a text. It is not documented what a character is: UTF-16 units are never
/// fewer than characters.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[derive(Default)]
struct Check {
    found: Vec<String>,
}

impl Check {
    fn say(&mut self, at: &str, what: impl AsRef<str>) {
        self.found
            .push(format!("{} [json-pointer:{at}]", what.as_ref()));
    }

    fn object<'a>(
        &mut self,
        at: &str,
        value: &'a Value,
        required: &[&str],
        optional: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let Some(map) = value.as_object() else {
            self.say(at, "must provide an object");
            return None;
        };
        for key in required {
            if map.get(*key).is_none_or(Value::is_null) {
                self.say(at, format!("missing required field: {key}"));
            }
        }
        for key in map.keys() {
            if !required.contains(&key.as_str()) && !optional.contains(&key.as_str()) {
                self.say(at, format!("invalid additional property: {key}"));
            }
        }
        Some(map)
    }

    fn list<'a>(&mut self, at: &str, value: Option<&'a Value>, max: usize) -> &'a [Value] {
        let Some(list) = value.and_then(Value::as_array) else {
            self.say(at, "must provide an array");
            return &[];
        };
        if list.is_empty() {
            self.say(at, "no fewer than 1 items allowed");
        }
        if list.len() > max {
            self.say(at, format!("no more than {max} items allowed"));
        }
        list
    }

    /// A string of 1 to `max` characters.
    fn string(&mut self, at: &str, value: Option<&Value>, max: usize) {
        match value.and_then(Value::as_str) {
            None => self.say(at, "must provide a string"),
            Some(text) if text.trim().is_empty() => {
                self.say(at, "must be more than 0 characters");
            }
            Some(text) if length(text) > max => {
                self.say(at, format!("must be less than {} characters", max + 1));
            }
            Some(_) => {}
        }
    }

    fn optional_string(&mut self, at: &str, map: &Map<String, Value>, key: &str, max: usize) {
        if map.contains_key(key) {
            self.string(&format!("{at}/{key}"), map.get(key), max);
        }
    }

    /// `true` or `false`, where it is there.
    fn flags(&mut self, at: &str, map: &Map<String, Value>, keys: &[&str]) {
        for key in keys {
            if map.get(*key).is_some_and(|value| !value.is_boolean()) {
                self.say(&format!("{at}/{key}"), "must be a boolean");
            }
        }
    }

    /// A whole number of `least` to `most`, where it is there.
    fn count(&mut self, at: &str, map: &Map<String, Value>, key: &str, least: u64, most: u64) {
        let value = map.get(key);
        let is_fine = |value: &Value| {
            value
                .as_u64()
                .is_some_and(|it| (least..=most).contains(&it))
        };
        if value.is_some_and(|value| !is_fine(value)) {
            let text = format!("must be between {least} and {most}");
            self.say(&format!("{at}/{key}"), text);
        }
    }

    /// A text object; `plain` where Slack takes no markup.
    fn text(&mut self, at: &str, value: Option<&Value>, plain: bool, max: usize) {
        let Some(value) = value else { return };
        let kind = value.get("type").and_then(Value::as_str);
        let optional: &[&str] = match kind {
            Some("plain_text") => &["emoji"],
            Some("mrkdwn") if !plain => &["verbatim"],
            _ => {
                self.say(at, "unsupported type of text");
                return;
            }
        };
        if let Some(map) = self.object(at, value, &["type", "text"], optional) {
            self.string(&format!("{at}/text"), value.get("text"), max);
            self.flags(at, map, optional);
        }
    }

    fn optional_text(&mut self, at: &str, map: &Map<String, Value>, key: &str, max: usize) {
        self.text(&format!("{at}/{key}"), map.get(key), true, max);
    }

    fn view(&mut self, at: &str, view: &Value, kind: &str) {
        let is_modal = kind == "modal";
        if view.get("type").and_then(Value::as_str) != Some(kind) {
            self.say(&format!("{at}/type"), format!("must be `{kind}`"));
        }
        let (required, optional): (&[&str], &[&str]) = if is_modal {
            (
                &["type", "title", "blocks"],
                &[
                    "close",
                    "submit",
                    "private_metadata",
                    "callback_id",
                    "external_id",
                    "clear_on_close",
                    "notify_on_close",
                    "submit_disabled",
                ],
            )
        } else {
            (
                &["type", "blocks"],
                &["private_metadata", "callback_id", "external_id"],
            )
        };
        let Some(map) = self.object(at, view, required, optional) else {
            return;
        };
        for key in ["title", "submit", "close"] {
            self.optional_text(at, map, key, 24);
        }
        self.optional_string(at, map, "callback_id", 255);
        self.optional_string(at, map, "external_id", 255);
        let flags = ["clear_on_close", "notify_on_close", "submit_disabled"];
        self.flags(at, map, &flags);
        // This one may be empty.
        if let Some(metadata) = map.get("private_metadata") {
            let at = format!("{at}/private_metadata");
            match metadata.as_str() {
                None => self.say(&at, "must provide a string"),
                Some(text) if length(text) > 3000 => {
                    self.say(&at, "must be less than 3001 characters");
                }
                Some(_) => {}
            }
        }
        let blocks = map.get("blocks").unwrap_or(&Value::Null);
        self.blocks(&format!("{at}/blocks"), blocks, 100, is_modal);
        let has_input = blocks
            .as_array()
            .is_some_and(|list| list.iter().any(|block| block["type"] == "input"));
        if has_input && is_modal && !map.contains_key("submit") {
            self.say(at, "missing required field: submit");
        }
        let focused = blocks.as_array().map_or(0, |list| {
            let focuses = |block: &&Value| block["element"]["focus_on_load"] == true;
            list.iter().filter(focuses).count()
        });
        if focused > 1 {
            self.say(at, "only one element can have focus_on_load set to true");
        }
        if view.to_string().len() > 250_000 {
            self.say(at, "view_too_large");
        }
    }

    fn blocks(&mut self, at: &str, blocks: &Value, max: usize, inputs: bool) {
        let mut ids = BTreeSet::new();
        for (index, block) in self.list(at, Some(blocks), max).iter().enumerate() {
            let at = format!("{at}/{index}");
            if let Some(id) = block.get("block_id").and_then(Value::as_str)
                && !ids.insert(id)
            {
                self.say(&format!("{at}/block_id"), "`block_id` already exists");
            }
            self.block(&at, block, inputs);
        }
    }

    fn block(&mut self, at: &str, block: &Value, inputs: bool) {
        let kind = block
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (required, optional): (&[&str], &[&str]) = match kind {
            "section" => (&[], &["text", "fields", "accessory", "expand"]),
            "header" => (&["text"], &[]),
            "divider" => (&[], &[]),
            "context" | "actions" => (&["elements"], &[]),
            // Slack takes them elsewhere too, but only in a form is there a button to submit them.
            "input" if inputs => (
                &["label", "element"],
                &["hint", "optional", "dispatch_action"],
            ),
            _ => {
                self.say(at, format!("unsupported type: {kind}"));
                return;
            }
        };
        let optional = [optional, &["type", "block_id"]].concat();
        let Some(map) = self.object(at, block, required, &optional) else {
            return;
        };
        self.optional_string(at, map, "block_id", 255);
        self.flags(at, map, &["expand", "optional", "dispatch_action"]);
        match kind {
            "section" => self.section(at, map),
            "header" => self.optional_text(at, map, "text", 150),
            "context" => {
                let elements = self.list(&format!("{at}/elements"), map.get("elements"), 10);
                for (index, element) in elements.iter().enumerate() {
                    self.text(
                        &format!("{at}/elements/{index}"),
                        Some(element),
                        false,
                        3000,
                    );
                }
            }
            "actions" => {
                let elements = self.list(&format!("{at}/elements"), map.get("elements"), 25);
                let mut ids = BTreeSet::new();
                for (index, element) in elements.iter().enumerate() {
                    let at = format!("{at}/elements/{index}");
                    if let Some(id) = element.get("action_id").and_then(Value::as_str)
                        && !ids.insert(id)
                    {
                        self.say(&at, "`action_id` already exists");
                    }
                    self.element(&at, element, &BUTTONS_AND_SELECTS);
                }
            }
            "input" => {
                self.optional_text(at, map, "label", 2000);
                self.optional_text(at, map, "hint", 2000);
                if let Some(element) = map.get("element") {
                    self.element(&format!("{at}/element"), element, &INPUTS);
                }
            }
            _ => {}
        }
    }

    fn section(&mut self, at: &str, map: &Map<String, Value>) {
        if !map.contains_key("text") && !map.contains_key("fields") {
            self.say(at, "missing required field: text or fields");
        }
        self.text(&format!("{at}/text"), map.get("text"), false, 3000);
        if map.contains_key("fields") {
            let fields = self.list(&format!("{at}/fields"), map.get("fields"), 10);
            for (index, field) in fields.iter().enumerate() {
                self.text(&format!("{at}/fields/{index}"), Some(field), false, 2000);
            }
        }
        if let Some(accessory) = map.get("accessory") {
            self.element(&format!("{at}/accessory"), accessory, &BUTTONS_AND_SELECTS);
        }
    }

    fn element(&mut self, at: &str, element: &Value, kinds: &[&str]) {
        let kind = element
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !kinds.contains(&kind) {
            self.say(at, format!("unsupported type: {kind}"));
            return;
        }
        let (required, optional) = fields_of(kind);
        let optional = [optional, &["type", "action_id"]].concat();
        let Some(map) = self.object(at, element, required, &optional) else {
            return;
        };
        self.optional_string(at, map, "action_id", 255);
        self.optional_text(at, map, "placeholder", 150);
        self.flags(at, map, &["focus_on_load"]);
        self.confirm(at, map);
        match kind {
            "button" => self.button(at, map),
            "plain_text_input" => self.typed(at, map),
            "number_input" => self.number(at, map),
            "static_select" => self.offered(at, map),
            "external_select" => {
                self.count(at, map, "min_query_length", 0, 3000);
                if let Some(option) = map.get("initial_option") {
                    self.option(&format!("{at}/initial_option"), option);
                }
            }
            "users_select" => {
                let user = map.get("initial_user").map(Value::as_str);
                let is_id = |id: &str| {
                    let is_plain = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit();
                    id.starts_with(['U', 'W']) && id.len() > 1 && id.bytes().all(is_plain)
                };
                if user.is_some_and(|user| !user.is_some_and(is_id)) {
                    self.say(&format!("{at}/initial_user"), "must be a valid user");
                }
            }
            _ => {
                let date = map.get("initial_date").map(Value::as_str);
                // Slack takes `YYYY-MM-DD` only.
                let is_date =
                    |date: &str| date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok();
                if date.is_some_and(|date| !date.is_some_and(is_date)) {
                    self.say(&format!("{at}/initial_date"), "must be a date");
                }
            }
        }
    }

    /// What a select offers: options, or groups of them.
    fn offered(&mut self, at: &str, map: &Map<String, Value>) {
        let mut all: Vec<&Value> = Vec::new();
        if let Some(groups) = map.get("option_groups") {
            let at = format!("{at}/option_groups");
            if map.contains_key("options") {
                self.say(&at, "cannot be combined with options");
            }
            for (index, group) in self.list(&at, Some(groups), 100).iter().enumerate() {
                let at = format!("{at}/{index}");
                if let Some(map) = self.object(&at, group, &["label", "options"], &[]) {
                    self.optional_text(&at, map, "label", 75);
                    all.extend(self.options(&at, map));
                }
            }
        } else {
            all.extend(self.options(at, map));
        }
        let initial = map.get("initial_option");
        if initial.is_some_and(|it| !all.contains(&it)) {
            let at = format!("{at}/initial_option");
            self.say(&at, "must match one of the provided options");
        }
    }

    fn options<'a>(&mut self, at: &str, map: &'a Map<String, Value>) -> &'a [Value] {
        let at = format!("{at}/options");
        let options = self.list(&at, map.get("options"), 100);
        for (index, option) in options.iter().enumerate() {
            self.option(&format!("{at}/{index}"), option);
        }
        options
    }

    fn button(&mut self, at: &str, map: &Map<String, Value>) {
        self.optional_text(at, map, "text", 75);
        self.optional_string(at, map, "value", 2000);
        self.optional_string(at, map, "url", 3000);
        self.optional_string(at, map, "accessibility_label", 75);
        let style = map.get("style").and_then(Value::as_str);
        if map.contains_key("style") && !matches!(style, Some("primary" | "danger")) {
            self.say(&format!("{at}/style"), "must be `primary` or `danger`");
        }
    }

    fn confirm(&mut self, at: &str, map: &Map<String, Value>) {
        let Some(confirm) = map.get("confirm") else {
            return;
        };
        let at = format!("{at}/confirm");
        let required = ["title", "text", "confirm", "deny"];
        if let Some(map) = self.object(&at, confirm, &required, &["style"]) {
            self.optional_text(&at, map, "title", 100);
            self.text(&format!("{at}/text"), map.get("text"), false, 300);
            self.optional_text(&at, map, "confirm", 30);
            self.optional_text(&at, map, "deny", 30);
        }
    }

    fn typed(&mut self, at: &str, map: &Map<String, Value>) {
        self.flags(at, map, &["multiline"]);
        self.dispatched(at, map);
        self.count(at, map, "min_length", 0, 3000);
        self.count(at, map, "max_length", 1, 3000);
        let bound = |key: &str| map.get(key).and_then(Value::as_u64);
        let (min, max) = (bound("min_length"), bound("max_length"));
        let max = max.unwrap_or(3000);
        if min.is_some_and(|min| min > max) {
            self.say(
                &format!("{at}/min_length"),
                "must not be more than max_length",
            );
        }
        let max = usize::try_from(max).unwrap_or(3000);
        self.optional_string(at, map, "initial_value", max);
    }

    /// A number as the text that Slack wants.
    fn number(&mut self, at: &str, map: &Map<String, Value>) {
        self.flags(at, map, &["is_decimal_allowed"]);
        self.dispatched(at, map);
        let is_decimal = map.get("is_decimal_allowed") == Some(&Value::Bool(true));
        let mut of = |key: &str| -> Option<f64> {
            let value = map.get(key)?;
            let text = value.as_str();
            let is_fine = |text: &&str| is_decimal || text.parse::<i64>().is_ok();
            let number = text.filter(is_fine).and_then(|text| text.parse().ok());
            if number.is_none() {
                self.say(&format!("{at}/{key}"), "must be a number in a string");
            }
            number
        };
        let (min, value, max) = (of("min_value"), of("initial_value"), of("max_value"));
        let is_above = |low: Option<f64>, high: Option<f64>| {
            low.zip(high).is_some_and(|(low, high)| low > high)
        };
        if is_above(min, max) {
            self.say(
                &format!("{at}/min_value"),
                "must not be more than max_value",
            );
        }
        if is_above(min, value) || is_above(value, max) {
            let at = format!("{at}/initial_value");
            self.say(&at, "must be between min_value and max_value");
        }
    }

    /// When typing is told to the app.
    fn dispatched(&mut self, at: &str, map: &Map<String, Value>) {
        let Some(config) = map.get("dispatch_action_config") else {
            return;
        };
        let at = format!("{at}/dispatch_action_config");
        let Some(map) = self.object(&at, config, &["trigger_actions_on"], &[]) else {
            return;
        };
        let at = format!("{at}/trigger_actions_on");
        for moment in self.list(&at, map.get("trigger_actions_on"), 2) {
            if moment != "on_enter_pressed" && moment != "on_character_entered" {
                self.say(&at, "unsupported trigger");
            }
        }
    }

    fn option(&mut self, at: &str, option: &Value) {
        if let Some(map) = self.object(at, option, &["text", "value"], &["description"]) {
            // 75 in the older reference, 150 in the newer one.
            self.string(&format!("{at}/value"), map.get("value"), 75);
            self.optional_text(at, map, "text", 75);
            self.optional_text(at, map, "description", 75);
        }
    }
}

/// The fields that an element of `kind` must and may have, beside its type and its id.
fn fields_of(kind: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        "button" => (
            &["text"],
            &["value", "style", "confirm", "url", "accessibility_label"],
        ),
        "plain_text_input" => (
            &[],
            &[
                "multiline",
                "min_length",
                "max_length",
                "initial_value",
                "dispatch_action_config",
                "placeholder",
                "focus_on_load",
            ],
        ),
        "number_input" => (
            &["is_decimal_allowed"],
            &[
                "min_value",
                "max_value",
                "initial_value",
                "dispatch_action_config",
                "placeholder",
                "focus_on_load",
            ],
        ),
        "static_select" => (
            &[],
            &[
                "options",
                "option_groups",
                "initial_option",
                "confirm",
                "placeholder",
                "focus_on_load",
            ],
        ),
        "external_select" => (
            &[],
            &[
                "initial_option",
                "min_query_length",
                "confirm",
                "placeholder",
                "focus_on_load",
            ],
        ),
        "users_select" => (
            &[],
            &["initial_user", "confirm", "placeholder", "focus_on_load"],
        ),
        _ => (
            &[],
            &["initial_date", "confirm", "placeholder", "focus_on_load"],
        ),
    }
}

const BUTTONS_AND_SELECTS: [&str; 5] = [
    "button",
    "static_select",
    "external_select",
    "users_select",
    "datepicker",
];

const INPUTS: [&str; 6] = [
    "plain_text_input",
    "number_input",
    "static_select",
    "external_select",
    "users_select",
    "datepicker",
];

/// What Slack complains of in the options that an app offers while somebody types.
#[must_use]
pub fn options(options: &Value) -> Vec<String> {
    let mut check = Check::default();
    match options.as_array() {
        // No match is a fine answer.
        Some(list) if list.is_empty() => {}
        _ => {
            for (index, option) in check
                .list("/options", Some(options), 100)
                .iter()
                .enumerate()
            {
                check.option(&format!("/options/{index}"), option);
            }
        }
    }
    check.found
}
