//! Block Kit, as far as Stint needs it, in types that cannot exceed Slack's limits.
//!
//! A text that is too long is shortened at a word with `…`, an empty one becomes a dash, a second
//! block with the same id takes the place of the first, and whatever is beyond the greatest number of
//! blocks, fields or options is left out; buttons stay. The limits are those of Slack's Block Kit
//! reference, where nothing else is said.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::text::{self, Mrkdwn};

const MESSAGE_BLOCKS: usize = 50;
const VIEW_BLOCKS: usize = 100;
/// How much the blocks of a message may have together, in UTF-16 units of their JSON. Not in Slack's
/// reference: it refuses with `msg_blocks_too_long` from about 13,200 characters on, of which about 12,000
/// may be text (told in issue 2509 of slackapi/bolt-js).
const MESSAGE_UNITS: usize = 12_000;
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
    blocks: Vec<Block>,
}

impl Message {
    /// A message whose text is `text`; it is also its only block until another is added.
    #[must_use]
    pub fn new(text: impl Into<Mrkdwn>) -> Self {
        Self {
            text: text.into().within(MESSAGE_TEXT),
            blocks: Vec::new(),
        }
    }

    /// The message with `block` below the others.
    #[must_use]
    pub fn with(mut self, block: impl Into<Option<Block>>) -> Self {
        match block.into() {
            None => {}
            Some(block) => match twin(&mut self.blocks, &block) {
                Some(twin) => *twin = block,
                None => self.blocks.push(block),
            },
        }
        self
    }

    /// The text that notifications and screen readers use.
    #[must_use]
    pub fn text(&self) -> &Mrkdwn {
        &self.text
    }

    /// Whether something in its blocks was shortened or left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.blocks.iter().any(|block| block.is_cut) || self.sent().len() < self.blocks.len()
    }

    /// The blocks that fit, buttons first.
    fn sent(&self) -> Vec<&Block> {
        let is_actions = |block: &Block| matches!(block.kind, Kind::Actions { .. });
        let (mut left, mut room) = (MESSAGE_BLOCKS, MESSAGE_UNITS);
        let mut fits = |block: &Block| {
            let size =
                serde_json::to_string(block).map_or(usize::MAX, |json| text::units(&json) + 1);
            let fits = left > 0 && size <= room;
            if fits {
                left -= 1;
                room -= size;
            }
            fits
        };
        let blocks = &self.blocks;
        let buttons: Vec<bool> = blocks.iter().map(|it| is_actions(it) && fits(it)).collect();
        let blocks = blocks.iter().zip(buttons);
        let sent = blocks.filter(|(it, button)| *button || (!is_actions(it) && fits(it)));
        sent.map(|(block, _)| block).collect()
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("text", &self.text)?;
        let sent = self.sent();
        if sent.is_empty() {
            map.serialize_entry("blocks", &[section(self.text.clone())])?;
        } else {
            map.serialize_entry("blocks", &sent)?;
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
    blocks: Blocks,
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
    /// characters are left out whole, and so is blank space.
    #[must_use]
    pub fn metadata(mut self, metadata: String) -> Self {
        if text::units(&metadata) <= METADATA && !metadata.trim().is_empty() {
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
    blocks: Blocks,
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

/// The blocks of a view, each with an id of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Blocks {
    list: Vec<Block>,
    #[serde(skip)]
    bytes: usize,
}

impl Blocks {
    fn add(&mut self, block: Option<Block>) {
        let Some(block) = block else { return };
        let bytes = serde_json::to_vec(&block).map_or(usize::MAX, |json| json.len() + 1);
        if bytes > VIEW_BYTES.saturating_sub(self.bytes) {
            return;
        }
        if let Some(twin) = twin(&mut self.list, &block) {
            *twin = block;
        } else if self.list.len() < VIEW_BLOCKS {
            self.list.push(block);
        } else {
            return;
        }
        self.bytes += bytes;
    }
}

/// The block that has the id of `block`.
fn twin<'a>(blocks: &'a mut [Block], block: &Block) -> Option<&'a mut Block> {
    let mut blocks = blocks.iter_mut();
    blocks.find(|known| known.id.is_some() && known.id == block.id)
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    #[serde(rename = "block_id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(flatten)]
    kind: Kind,
    /// Whether something in it was shortened or left out.
    #[serde(skip)]
    is_cut: bool,
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
        #[serde(skip_serializing_if = "Option::is_none")]
        dispatch_action: Option<bool>,
        label: Text,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<Text>,
        optional: bool,
        element: WithId,
    },
}

impl Block {
    fn new(kind: Kind, is_cut: bool) -> Self {
        Self {
            id: None,
            kind,
            is_cut,
        }
    }

    /// The block under the id `id`.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(identifier(id));
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
    let text = text.into().within(SECTION_TEXT);
    let is_cut = text.is_cut();
    let kind = Kind::Section {
        text: Some(Text::mrkdwn(text)),
        fields: Vec::new(),
        accessory: None,
    };
    Block::new(kind, is_cut)
}

/// As many paragraphs as `text` needs.
pub(crate) fn sections(text: &Mrkdwn) -> Vec<Block> {
    let pieces = text.pieces(SECTION_TEXT).into_iter();
    pieces.map(section).collect()
}

/// Short texts in two columns, ten at most; no block where there is none.
#[must_use]
pub fn fields(texts: impl IntoIterator<Item = Mrkdwn>) -> Option<Block> {
    let (fields, is_cut) = few(texts, FIELDS, FIELD_TEXT);
    let kind = Kind::Section {
        text: None,
        accessory: None,
        fields,
    };
    is_cut.map(|is_cut| Block::new(kind, is_cut))
}

/// A headline.
#[must_use]
pub fn header(text: &str) -> Block {
    let text = Text::plain(text, HEADER);
    Block::new(Kind::Header { text }, false)
}

/// A line between blocks.
#[must_use]
pub fn divider() -> Block {
    Block::new(Kind::Divider, false)
}

/// Small print, ten texts at most; no block where there is none.
#[must_use]
pub fn context(texts: impl IntoIterator<Item = Mrkdwn>) -> Option<Block> {
    let (elements, is_cut) = few(texts, CONTEXT_ELEMENTS, CONTEXT_TEXT);
    is_cut.map(|is_cut| Block::new(Kind::Context { elements }, is_cut))
}

/// The first `most` of `texts`, each within `limit`, and whether something is missing; nothing is where
/// there is no text.
fn few(
    texts: impl IntoIterator<Item = Mrkdwn>,
    most: usize,
    limit: usize,
) -> (Vec<Text>, Option<bool>) {
    let mut texts = texts.into_iter().map(|text| text.within(limit)).fuse();
    let first: Vec<Mrkdwn> = texts.by_ref().take(most).collect();
    let is_cut = first.iter().any(Mrkdwn::is_cut) || texts.next().is_some();
    let is_cut = (!first.is_empty()).then_some(is_cut);
    (first.into_iter().map(Text::mrkdwn).collect(), is_cut)
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
    (!elements.is_empty()).then(|| Block::new(Kind::Actions { elements }, false))
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "button")]
pub struct Button {
    action_id: String,
    text: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
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
    /// A button labelled `label`, known as `action_id`, that sends `value`; an empty one is no value.
    #[must_use]
    pub fn new(action_id: &str, label: &str, value: &str) -> Self {
        Self {
            action_id: identifier(action_id),
            text: Text::plain(label, BUTTON),
            value: (!value.trim().is_empty()).then(|| text::cut(value, BUTTON_VALUE, false)),
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
        let kind = Kind::Input {
            dispatch_action: None,
            label: Text::plain(label, LABEL),
            hint: None,
            optional: false,
            element: WithId {
                action_id: id.clone(),
                element,
            },
        };
        Self(Block::new(kind, false).id(&id))
    }

    /// The same; the app is told at once what is chosen.
    #[must_use]
    pub fn told(mut self) -> Self {
        if let Kind::Input {
            dispatch_action, ..
        } = &mut self.0.kind
        {
            *dispatch_action = Some(true);
        }
        self
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

    /// A person of the workspace, already set to `initial` where that is somebody's id.
    #[must_use]
    pub fn person(initial: Option<&str>) -> Self {
        let initial = initial.filter(|id| text::is_person(id));
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

    fn mrkdwn(text: Mrkdwn) -> Self {
        Self::Mrkdwn {
            text,
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
