//! Block Kit, as far as Stint needs it, in types that cannot exceed Slack's limits.
//!
//! A text that is too long is shortened at a word with `…`, an empty one becomes a dash, a second
//! block with the same id takes the place of the first, and whatever is beyond the greatest number of
//! blocks, fields or options is left out. The limits are those of Slack's Block Kit reference.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::text::{self, Mrkdwn};

const MESSAGE_BLOCKS: usize = 50;
const VIEW_BLOCKS: usize = 100;
/// A view may have 250 kB; what is around its blocks fits in the rest.
const VIEW_BYTES: usize = 220_000;
/// Slack refuses to update a message with a longer text.
const MESSAGE_TEXT: usize = 4000;
const SECTION_TEXT: usize = 3000;
const CONTEXT_TEXT: usize = 2000;
const FIELDS: usize = 10;
const FIELD_TEXT: usize = 2000;
const ELEMENTS: usize = 25;
const CONTEXT_ELEMENTS: usize = 10;
const HEADER: usize = 150;
const TITLE: usize = 24;
const LABEL: usize = 2000;
const ID: usize = 255;
const BUTTON: usize = 75;
const BUTTON_VALUE: usize = 2000;
const OPTION: usize = 75;
const OPTIONS: usize = 100;
const PLACEHOLDER: usize = 150;
const TYPED: usize = 3000;
const METADATA: usize = 3000;

/// A message: the blocks, and the text that notifications and screen readers use instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    text: Mrkdwn,
    blocks: Blocks<MESSAGE_BLOCKS>,
}

impl Message {
    /// A message whose text is `text`; it is also its only block until another is added.
    #[must_use]
    pub fn new(text: impl Into<Mrkdwn>) -> Self {
        Self {
            text: text.into().within(MESSAGE_TEXT),
            blocks: Blocks::default(),
        }
    }

    /// The message with `block` below the others.
    #[must_use]
    pub fn with(mut self, block: impl Into<Option<Block>>) -> Self {
        self.blocks.add(block.into());
        self
    }

    /// The text that notifications and screen readers use.
    #[must_use]
    pub fn text(&self) -> &Mrkdwn {
        &self.text
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("text", &self.text)?;
        if self.blocks.list.is_empty() {
            map.serialize_entry("blocks", &[section(self.text.clone())])?;
        } else {
            map.serialize_entry("blocks", &self.blocks)?;
        }
        map.end()
    }
}

/// A modal. It gets a submit button with its first input at the latest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "modal")]
pub struct View {
    title: Text,
    close: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    submit: Option<Text>,
    #[serde(skip_serializing_if = "String::is_empty")]
    callback_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    private_metadata: String,
    blocks: Blocks<VIEW_BLOCKS>,
}

impl View {
    /// A modal that can only be closed.
    #[must_use]
    pub fn modal(title: &str) -> Self {
        Self {
            title: Text::plain(title, TITLE),
            close: Text::plain("Close", TITLE),
            submit: None,
            callback_id: String::new(),
            private_metadata: String::new(),
            blocks: Blocks::default(),
        }
    }

    /// A modal that can be submitted with a button labelled `submit`, and is then told from others by
    /// `callback_id`.
    #[must_use]
    pub fn form(callback_id: &str, title: &str, submit: &str) -> Self {
        Self {
            close: Text::plain("Cancel", TITLE),
            submit: Some(Text::plain(submit, TITLE)),
            callback_id: identifier(callback_id),
            ..Self::modal(title)
        }
    }

    /// The view with `metadata`, which comes back with everything done in it. More than 3000
    /// characters are left out whole.
    #[must_use]
    pub fn metadata(mut self, metadata: String) -> Self {
        if text::units(&metadata) <= METADATA {
            self.private_metadata = metadata;
        }
        self
    }

    /// The view with `block` below the others.
    #[must_use]
    pub fn with(mut self, block: impl Into<Option<Block>>) -> Self {
        self.blocks.add(block.into());
        self
    }

    /// The view with `input` below the others.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.submit
            .get_or_insert_with(|| Text::plain("Submit", TITLE));
        self.blocks.add(Some(input.0));
        self
    }
}

/// What a person sees in the app's Home tab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "home")]
pub struct Home {
    blocks: Blocks<VIEW_BLOCKS>,
}

impl Home {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `block` below the others.
    #[must_use]
    pub fn with(mut self, block: impl Into<Option<Block>>) -> Self {
        self.blocks.add(block.into());
        self
    }
}

/// Blocks, each with an id of its own, `MAX` at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Blocks<const MAX: usize> {
    list: Vec<Block>,
    #[serde(skip)]
    bytes: usize,
}

impl<const MAX: usize> Blocks<MAX> {
    fn add(&mut self, block: Option<Block>) {
        let Some(block) = block else { return };
        let bytes = serde_json::to_vec(&block).map_or(usize::MAX, |json| json.len() + 1);
        let twin = self
            .list
            .iter_mut()
            .find(|known| known.block_id.is_some() && known.block_id == block.block_id);
        if bytes > VIEW_BYTES.saturating_sub(self.bytes) {
            return;
        }
        if let Some(twin) = twin {
            *twin = block;
        } else if self.list.len() < MAX {
            self.list.push(block);
        } else {
            return;
        }
        self.bytes += bytes;
    }
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    #[serde(skip_serializing_if = "Option::is_none")]
    block_id: Option<String>,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    Section {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Text>,
        #[serde(skip_serializing_if = "Option::is_none")]
        accessory: Option<Button>,
    },
    Header {
        text: Text,
    },
    Divider,
    Context {
        elements: Vec<Text>,
    },
    Actions {
        elements: Vec<Button>,
    },
    Input {
        label: Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<Text>,
        optional: bool,
        element: WithId,
    },
}

impl Block {
    fn new(kind: Kind) -> Self {
        Self {
            block_id: None,
            kind,
        }
    }

    /// The block under the id `id`.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.block_id = Some(identifier(id));
        self
    }

    /// A section with `button` at its right; other blocks stay as they are.
    #[must_use]
    pub fn beside(mut self, button: Button) -> Self {
        if let Kind::Section { accessory, .. } = &mut self.kind {
            *accessory = Some(button);
        }
        self
    }
}

/// A paragraph.
#[must_use]
pub fn section(text: impl Into<Mrkdwn>) -> Block {
    Block::new(Kind::Section {
        text: Some(Text::mrkdwn(&text.into(), SECTION_TEXT)),
        fields: Vec::new(),
        accessory: None,
    })
}

/// Short texts in two columns, ten at most; no block where there is none.
#[must_use]
pub fn fields(texts: impl IntoIterator<Item = Mrkdwn>) -> Option<Block> {
    let fields: Vec<Text> = texts
        .into_iter()
        .take(FIELDS)
        .map(|text| Text::mrkdwn(&text, FIELD_TEXT))
        .collect();
    (!fields.is_empty()).then(|| {
        Block::new(Kind::Section {
            text: None,
            fields,
            accessory: None,
        })
    })
}

/// A headline.
#[must_use]
pub fn header(text: &str) -> Block {
    Block::new(Kind::Header {
        text: Text::plain(text, HEADER),
    })
}

/// A line between blocks.
#[must_use]
pub fn divider() -> Block {
    Block::new(Kind::Divider)
}

/// Small print, ten texts at most; no block where there is none.
#[must_use]
pub fn context(texts: impl IntoIterator<Item = Mrkdwn>) -> Option<Block> {
    let elements: Vec<Text> = texts
        .into_iter()
        .take(CONTEXT_ELEMENTS)
        .map(|text| Text::mrkdwn(&text, CONTEXT_TEXT))
        .collect();
    (!elements.is_empty()).then(|| Block::new(Kind::Context { elements }))
}

/// Buttons in a row, 25 at most and each action once; no block where there is none.
#[must_use]
pub fn actions(buttons: impl IntoIterator<Item = Button>) -> Option<Block> {
    let mut elements: Vec<Button> = Vec::new();
    for button in buttons {
        let known = elements.iter().any(|b| b.action_id == button.action_id);
        if elements.len() < ELEMENTS && !known {
            elements.push(button);
        }
    }
    (!elements.is_empty()).then(|| Block::new(Kind::Actions { elements }))
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "button")]
pub struct Button {
    action_id: String,
    text: Text,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Confirm {
    title: Text,
    text: Text,
    #[serde(rename = "confirm")]
    yes: Text,
    #[serde(rename = "deny")]
    no: Text,
}

impl Button {
    /// A button labelled `label`, known as `action_id`, that sends `value`.
    #[must_use]
    pub fn new(action_id: &str, label: &str, value: &str) -> Self {
        Self {
            action_id: identifier(action_id),
            text: Text::plain(label, BUTTON),
            value: identifier_within(value, BUTTON_VALUE),
            style: None,
            confirm: None,
        }
    }

    /// The same in green.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.style = Some("primary");
        self
    }

    /// The same in red.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.style = Some("danger");
        self
    }

    /// The same, asking first: a title, a question, and what the buttons for yes and no say.
    #[must_use]
    pub fn confirm(mut self, title: &str, question: &str, yes: &str, no: &str) -> Self {
        self.confirm = Some(Confirm {
            title: Text::plain(title, 100),
            text: Text::plain(question, 300),
            yes: Text::plain(yes, 30),
            no: Text::plain(no, 30),
        });
        self
    }
}

/// One thing that a form asks for. Only a [`View`] takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input(Block);

impl Input {
    /// Asks for `label` with `element`; block and action are both known as `id`.
    #[must_use]
    pub fn new(id: &str, label: &str, element: Element) -> Self {
        let id = identifier(id);
        Self(Block {
            block_id: Some(id.clone()),
            kind: Kind::Input {
                label: Text::plain(label, LABEL),
                hint: None,
                optional: false,
                element: WithId {
                    action_id: id,
                    element,
                },
            },
        })
    }

    /// The same with an explanation below.
    #[must_use]
    pub fn hint(mut self, text: &str) -> Self {
        if let Kind::Input { hint, .. } = &mut self.0.kind {
            *hint = Some(Text::plain(text, LABEL));
        }
        self
    }

    /// The same, which may be left empty.
    #[must_use]
    pub fn optional(mut self, yes: bool) -> Self {
        if let Kind::Input { optional, .. } = &mut self.0.kind {
            *optional = yes;
        }
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct WithId {
    action_id: String,
    #[serde(flatten)]
    element: Element,
}

/// How a form asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Element(Widget);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Widget {
    PlainTextInput {
        multiline: bool,
        max_length: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_value: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        placeholder: Option<Text>,
    },
    NumberInput {
        is_decimal_allowed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_value: Option<String>,
    },
    StaticSelect {
        options: Vec<Choice>,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_option: Option<Choice>,
    },
    ExternalSelect {
        min_query_length: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_option: Option<Choice>,
        #[serde(skip_serializing_if = "Option::is_none")]
        placeholder: Option<Text>,
    },
    UsersSelect {
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_user: Option<String>,
    },
    Datepicker {
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_date: Option<String>,
    },
}

impl Element {
    /// Free text of at most `max_length` characters (3000 at most), already filled with `initial`.
    #[must_use]
    pub fn text(multiline: bool, max_length: usize, initial: Option<&str>) -> Self {
        let max_length = max_length.clamp(1, TYPED);
        Self(Widget::PlainTextInput {
            multiline,
            max_length,
            initial_value: initial
                .map(|text| text::cut(text, max_length, false))
                .filter(|text| !text.trim().is_empty()),
            placeholder: None,
        })
    }

    /// A whole number, already filled with `initial`.
    #[must_use]
    pub fn whole_number(initial: Option<i64>) -> Self {
        Self(Widget::NumberInput {
            is_decimal_allowed: false,
            initial_value: initial.map(|number| number.to_string()),
        })
    }

    /// One of `choices`, 100 at most, already set to the one whose value is `initial`.
    #[must_use]
    pub fn select(choices: impl IntoIterator<Item = Choice>, initial: Option<&str>) -> Self {
        let mut options = choices_of(choices);
        if options.is_empty() {
            options.push(Choice::new("", "none"));
        }
        let initial_option = options
            .iter()
            .find(|choice| Some(choice.value.as_str()) == initial)
            .cloned();
        Self(Widget::StaticSelect {
            options,
            initial_option,
        })
    }

    /// One of whatever the app offers while the person types, already set to `initial`.
    #[must_use]
    pub fn search(placeholder: &str, initial: Option<Choice>) -> Self {
        Self(Widget::ExternalSelect {
            min_query_length: 0,
            initial_option: initial,
            placeholder: Some(Text::plain(placeholder, PLACEHOLDER)),
        })
    }

    /// A person of the workspace, already set to `initial`.
    #[must_use]
    pub fn person(initial: Option<&str>) -> Self {
        Self(Widget::UsersSelect {
            initial_user: initial.map(str::to_owned),
        })
    }

    /// A day, already set to `initial`.
    #[must_use]
    pub fn date(initial: Option<jiff::civil::Date>) -> Self {
        Self(Widget::Datepicker {
            initial_date: initial.map(|date| date.to_string()),
        })
    }
}

/// One of several things to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    text: Text,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text>,
}

impl Choice {
    /// A choice shown as `label`. A value of more than 75 characters is sent as its beginning: see
    /// [`Choice::value_of`].
    #[must_use]
    pub fn new(label: &str, value: &str) -> Self {
        Self {
            text: Text::plain(label, OPTION),
            value: Self::value_of(value),
            description: None,
        }
    }

    /// The same with an explanation below.
    #[must_use]
    pub fn described(mut self, text: &str) -> Self {
        self.description = Some(Text::plain(text, OPTION));
        self
    }

    /// What Slack sends back when the choice for `value` was made.
    #[must_use]
    pub fn value_of(value: &str) -> String {
        identifier_within(value, OPTION)
    }
}

/// What is offered while a person types, 100 at most: the answer to Slack's question for options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choices {
    options: Vec<Choice>,
}

impl Choices {
    /// The first hundred of `choices`.
    #[must_use]
    pub fn new(choices: impl IntoIterator<Item = Choice>) -> Self {
        Self {
            options: choices_of(choices),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Text {
    PlainText { text: String, emoji: bool },
    // `verbatim`: Slack makes no mention and no link of what merely looks like one.
    Mrkdwn { text: Mrkdwn, verbatim: bool },
}

impl Text {
    fn plain(text: &str, limit: usize) -> Self {
        Self::PlainText {
            text: text::plain(text, limit),
            emoji: true,
        }
    }

    fn mrkdwn(text: &Mrkdwn, limit: usize) -> Self {
        Self::Mrkdwn {
            text: text.within(limit),
            verbatim: true,
        }
    }
}

fn choices_of(choices: impl IntoIterator<Item = Choice>) -> Vec<Choice> {
    let mut options: Vec<Choice> = Vec::new();
    for choice in choices {
        if options.len() == OPTIONS {
            break;
        }
        if !options.iter().any(|known| known.value == choice.value) {
            options.push(choice);
        }
    }
    options
}

fn identifier(id: &str) -> String {
    identifier_within(id, ID)
}

fn identifier_within(id: &str, limit: usize) -> String {
    if id.trim().is_empty() {
        "none".to_owned()
    } else {
        text::cut(id, limit, false)
    }
}
