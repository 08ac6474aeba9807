//! What Slack sends: slash commands, clicks, forms, questions for options, events.
//!
//! Only what Stint needs is kept. Fields that Slack adds are passed over and fields that it leaves out
//! or sends as null are absent; what cannot be told without them is an error.

use std::collections::BTreeMap;

use access::{Click, SlackUser};
use serde::Deserialize;
use serde_json::Value;

/// One thing that Slack tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A slash command.
    Command(Command),
    /// A button was pressed or something was chosen, in a message or a view.
    BlockActions(BlockActions),
    /// A form was submitted.
    ViewSubmission(ViewSubmission),
    /// A form was closed by hand.
    ViewClosed(ViewClosed),
    /// A shortcut, global or on a message.
    Shortcut(Shortcut),
    /// What can be chosen from is asked for.
    BlockSuggestion(BlockSuggestion),
    /// The address is being verified: answer with the challenge.
    UrlVerification {
        /// What to answer with.
        challenge: String,
    },
    /// An event of the Events API.
    Event(Event),
    /// The certificate is being verified: answer 200 with nothing.
    SslCheck,
    /// Something that Stint does not know.
    Other {
        /// Its type, as Slack calls it.
        kind: String,
    },
}

/// Who did it, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The person.
    pub user: SlackUser,
    /// The workspace in which it was done or, failing that, the person's own, or the organization: an
    /// app that is installed in a whole organization is not always told the workspace.
    pub team: Option<String>,
    /// The workspace that the person belongs to, where Slack says so.
    pub home: Option<String>,
    /// The Enterprise Grid organization (`E…`) that the workspace belongs to, if it belongs to one.
    pub enterprise: Option<String>,
}

impl By {
    /// Whether they did it in, and belong to, `workspace`: a workspace (`T…`) or an Enterprise Grid
    /// organization (`E…`). Slack does not always tell where somebody belongs: looking the person up
    /// tells more.
    #[must_use]
    pub fn is_of(&self, workspace: &str) -> bool {
        let is_home = |home: &String| home == workspace || Some(home) == self.enterprise.as_ref();
        if workspace.starts_with('E') {
            // Which workspaces an organization has is not told.
            let home = self.home.as_ref().filter(|home| home.starts_with('E'));
            self.enterprise.as_deref() == Some(workspace) && home.is_none_or(is_home)
        } else {
            self.team.as_deref() == Some(workspace) && self.home.as_ref().is_none_or(is_home)
        }
    }
}

/// A slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who.
    pub by: By,
    /// The command with its slash.
    pub command: String,
    /// What follows it; may be empty.
    pub text: String,
    /// The id of the channel in which it was typed.
    pub channel: Option<String>,
    /// Opens one view, within three seconds.
    pub trigger_id: String,
}

/// Something pressed or chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockActions {
    /// Who.
    pub by: By,
    /// Opens one view, within three seconds.
    pub trigger_id: Option<String>,
    /// The message in which it happened.
    pub message: Option<MessageRef>,
    /// The view in which it happened.
    pub view: Option<ViewRef>,
    /// What was pressed; Slack sends one at a time.
    pub actions: Vec<Action>,
    /// What is filled in, by block id.
    pub values: Values,
}

/// Where a click happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// The channel's id.
    pub channel: String,
    /// The message's timestamp.
    pub ts: String,
    /// Whether only the person who clicked sees it.
    pub ephemeral: bool,
    /// Its text, escaped as Slack escapes it; none where Slack does not send the message back.
    pub text: Option<String>,
}

/// A view, as Slack sends it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRef {
    /// Its id.
    pub id: String,
    /// What the app told it from others by.
    pub callback_id: String,
    /// What the app stored in it.
    pub private_metadata: String,
    /// Its version.
    pub hash: Option<String>,
    /// `modal` or `home`.
    pub kind: String,
    /// The ids of its input blocks, from the top: only to these can an error be shown.
    pub inputs: Vec<String>,
    /// The texts of its sections, by block id, as the app sent them.
    pub sections: BTreeMap<String, String>,
}

/// One press of a button, or one choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Which element.
    pub action_id: String,
    /// In which block.
    pub block_id: String,
    /// The button's value or the choice made.
    pub value: Option<String>,
    /// When, as Slack counts it.
    pub action_ts: Option<String>,
}

/// A submitted form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSubmission {
    /// Who.
    pub by: By,
    /// Which form.
    pub view: ViewRef,
    /// What was filled in, by block id.
    pub values: Values,
    /// Opens one view, within three seconds.
    pub trigger_id: Option<String>,
}

/// A closed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewClosed {
    /// Who.
    pub by: By,
    /// Which form.
    pub view: ViewRef,
}

/// A shortcut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcut {
    /// Who.
    pub by: By,
    /// Which one.
    pub callback_id: String,
    /// Opens one view, within three seconds.
    pub trigger_id: String,
    /// When, as Slack counts it.
    pub action_ts: Option<String>,
}

/// What can be chosen from, asked while a person types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSuggestion {
    /// Who.
    pub by: By,
    /// In which element.
    pub action_id: String,
    /// In which block.
    pub block_id: String,
    /// What was typed so far.
    pub typed: String,
    /// In which view.
    pub view: Option<ViewRef>,
}

/// An event of the Events API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `Ev…`, the same in every delivery.
    pub id: String,
    /// Who, where a person did it. Where they belong is not told: `home` is never there.
    pub by: Option<By>,
    /// The workspace.
    pub team: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody opened the app's Home or Messages tab.
    AppHomeOpened {
        /// Who.
        user: SlackUser,
        /// `home` or `messages`.
        tab: String,
    },
    /// Anything else, by Slack's name for it.
    Other(String),
}

/// What is filled in, by block id: text, the value of the choice, the day, the person. What is empty
/// is not there; several choices are joined with a comma.
pub type Values = BTreeMap<String, String>;

/// Why a body is not understood. It will not be understood the next time either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Neither a form nor JSON.
    #[error("the content type is neither a form nor JSON")]
    ContentType,
    /// Not what its content type says.
    #[error("the body is not what its content type says")]
    Malformed,
    /// Something without which it means nothing is not there.
    #[error("the payload has no `{0}`")]
    Missing(&'static str),
}

impl Payload {
    /// Reads `body`, which came as `content_type`. Verify its signature first.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Self, PayloadError> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return event(&serde_json::from_slice(body).map_err(|_| PayloadError::Malformed)?);
        }
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(PayloadError::ContentType);
        }
        let form: Form = serde_urlencoded::from_bytes(body).map_err(|_| PayloadError::Malformed)?;
        match field(&form, "payload") {
            Some(json) => {
                interaction(serde_json::from_str(json).map_err(|_| PayloadError::Malformed)?)
            }
            None => command(&form),
        }
    }

    /// Who did it; none for what no person does.
    #[must_use]
    pub fn by(&self) -> Option<&By> {
        match self {
            Self::Command(it) => Some(&it.by),
            Self::BlockActions(it) => Some(&it.by),
            Self::ViewSubmission(it) => Some(&it.by),
            Self::ViewClosed(it) => Some(&it.by),
            Self::Shortcut(it) => Some(&it.by),
            Self::BlockSuggestion(it) => Some(&it.by),
            Self::Event(it) => it.by.as_ref(),
            Self::UrlVerification { .. } | Self::SslCheck | Self::Other { .. } => None,
        }
    }

    /// The name of the click: the same for every delivery of it, and no other's. That of an event is
    /// the event's id.
    #[must_use]
    pub fn click_id(&self) -> Option<Click> {
        if let Self::Event(it) = self {
            return Some(Click::new(&it.id));
        }
        let by = self.by()?;
        let moment = match self {
            Self::BlockActions(it) => it
                .actions
                .first()
                .and_then(|a| Some(format!("{}.{}", a.action_id, a.action_ts.as_ref()?))),
            Self::ViewSubmission(it) => Some(format!(
                "{}.{}",
                it.view.id,
                it.view.hash.as_deref().unwrap_or("submitted")
            )),
            Self::Shortcut(it) => it.action_ts.clone(),
            _ => None,
        };
        let trigger_id = match self {
            Self::Command(it) => Some(&it.trigger_id),
            Self::BlockActions(it) => it.trigger_id.as_ref(),
            Self::ViewSubmission(it) => it.trigger_id.as_ref(),
            Self::Shortcut(it) => Some(&it.trigger_id),
            _ => None,
        };
        trigger_id
            .filter(|id| !id.is_empty())
            .cloned()
            .or_else(|| Some(format!("{}.{}", by.user, moment?)))
            .map(Click::new)
    }
}

/// The fields of a form, as they came.
type Form = Vec<(String, String)>;

/// What the field `key` holds; of several, the last.
fn field<'f>(form: &'f Form, key: &str) -> Option<&'f String> {
    let mut fields = form.iter().rev();
    fields.find(|(name, _)| name == key).map(|(_, value)| value)
}

fn command(form: &Form) -> Result<Payload, PayloadError> {
    let text = |key: &str| field(form, key).filter(|value| !value.is_empty()).cloned();
    let Some(command) = text("command") else {
        return match text("ssl_check") {
            Some(_) => Ok(Payload::SslCheck),
            None => Err(PayloadError::Missing("command")),
        };
    };
    Ok(Payload::Command(Command {
        by: By {
            user: SlackUser::new(text("user_id").ok_or(PayloadError::Missing("user_id"))?),
            team: text("team_id").or_else(|| text("enterprise_id")),
            home: None,
            enterprise: text("enterprise_id"),
        },
        command,
        text: text("text").unwrap_or_default(),
        channel: text("channel_id"),
        trigger_id: text("trigger_id").ok_or(PayloadError::Missing("trigger_id"))?,
    }))
}

fn event(json: &Value) -> Result<Payload, PayloadError> {
    let text = |at: &str| {
        json.pointer(at)
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
    };
    match text("/type").as_deref() {
        Some("url_verification") => Ok(Payload::UrlVerification {
            challenge: text("/challenge").ok_or(PayloadError::Missing("challenge"))?,
        }),
        Some("event_callback") => {
            let kind = text("/event/type").ok_or(PayloadError::Missing("event.type"))?;
            let id = text("/event_id").ok_or(PayloadError::Missing("event_id"))?;
            let enterprise =
                text("/enterprise_id").or_else(|| text("/authorizations/0/enterprise_id"));
            let team = text("/team_id")
                .or_else(|| text("/authorizations/0/team_id"))
                .or_else(|| enterprise.clone());
            if kind != "app_home_opened" {
                let kind = EventKind::Other(kind);
                let by = None;
                return Ok(Payload::Event(Event { id, by, team, kind }));
            }
            let user = text("/event/user").map(SlackUser::new);
            let user = user.ok_or(PayloadError::Missing("event.user"))?;
            let tab = text("/event/tab").unwrap_or_else(|| "home".to_owned());
            Ok(Payload::Event(Event {
                id,
                by: Some(By {
                    user: user.clone(),
                    team: team.clone(),
                    home: None,
                    enterprise,
                }),
                team,
                kind: EventKind::AppHomeOpened { user, tab },
            }))
        }
        Some(kind) => Ok(Payload::Other {
            kind: kind.to_owned(),
        }),
        None => Err(PayloadError::Missing("type")),
    }
}

fn interaction(json: Value) -> Result<Payload, PayloadError> {
    let kind = json.get("type").and_then(Value::as_str);
    let kind = kind.ok_or(PayloadError::Malformed)?;
    if !matches!(
        kind,
        "block_actions"
            | "view_submission"
            | "view_closed"
            | "shortcut"
            | "message_action"
            | "block_suggestion"
    ) {
        let kind = kind.to_owned();
        return Ok(Payload::Other { kind });
    }
    let wire: Wire = serde_json::from_value(json).map_err(|_| PayloadError::Malformed)?;
    let by = wire.by()?;
    let values = match (&wire.view, &wire.state) {
        (
            Some(WireView {
                state: Some(state), ..
            }),
            _,
        )
        | (_, Some(state)) => values_of(state),
        _ => Values::new(),
    };
    let trigger_id = wire.trigger_id.clone().filter(|id| !id.is_empty());
    let message = wire.message();
    let view = wire.view.map(WireView::into_ref);
    Ok(match wire.kind.as_str() {
        "block_actions" => Payload::BlockActions(BlockActions {
            by,
            trigger_id,
            message,
            view,
            actions: wire
                .actions
                .unwrap_or_default()
                .into_iter()
                .map(WireAction::into_action)
                .collect(),
            values,
        }),
        "view_submission" => Payload::ViewSubmission(ViewSubmission {
            by,
            view: view.ok_or(PayloadError::Missing("view"))?,
            values,
            trigger_id,
        }),
        "view_closed" => Payload::ViewClosed(ViewClosed {
            by,
            view: view.ok_or(PayloadError::Missing("view"))?,
        }),
        "block_suggestion" => Payload::BlockSuggestion(BlockSuggestion {
            by,
            action_id: wire.action_id.ok_or(PayloadError::Missing("action_id"))?,
            block_id: wire.block_id.unwrap_or_default(),
            typed: wire.value.unwrap_or_default(),
            view,
        }),
        _ => Payload::Shortcut(Shortcut {
            by,
            callback_id: wire
                .callback_id
                .ok_or(PayloadError::Missing("callback_id"))?,
            trigger_id: trigger_id.ok_or(PayloadError::Missing("trigger_id"))?,
            action_ts: wire.action_ts,
        }),
    })
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    team: Option<Value>,
    enterprise: Option<Value>,
    user: Option<WireUser>,
    trigger_id: Option<String>,
    channel: Option<Value>,
    container: Option<WireContainer>,
    message: Option<WireMessage>,
    view: Option<WireView>,
    state: Option<Value>,
    actions: Option<Vec<WireAction>>,
    callback_id: Option<String>,
    action_id: Option<String>,
    block_id: Option<String>,
    value: Option<String>,
    action_ts: Option<String>,
}

impl Wire {
    fn by(&self) -> Result<By, PayloadError> {
        let user = self.user.as_ref().ok_or(PayloadError::Missing("user"))?;
        let home = user.team_id.clone();
        let view = self.view.as_ref().and_then(|view| view.team_id.clone());
        let own = self.team.as_ref().and_then(|team| {
            let enterprise = team.get("enterprise_id").and_then(Value::as_str);
            enterprise.map(str::to_owned)
        });
        let enterprise = own.or_else(|| id_of(self.enterprise.as_ref()));
        // The organization says less than a workspace does.
        let is_workspace = |home: &String| !home.starts_with('E');
        let team = id_of(self.team.as_ref())
            .or_else(|| home.clone().filter(is_workspace))
            .or(view)
            .or_else(|| home.clone())
            .or_else(|| enterprise.clone());
        Ok(By {
            user: SlackUser::new(&user.id),
            team,
            home,
            enterprise,
        })
    }

    fn message(&self) -> Option<MessageRef> {
        let container = self.container.as_ref();
        let channel = container
            .and_then(|it| it.channel_id.clone())
            .or_else(|| id_of(self.channel.as_ref()))?;
        let ts = container
            .and_then(|it| it.message_ts.clone())
            .or_else(|| self.message.as_ref()?.ts.clone())?;
        let ephemeral = container.and_then(|it| it.is_ephemeral).unwrap_or(false);
        let text = self.message.as_ref().and_then(|it| it.text.clone());
        Some(MessageRef {
            channel,
            ts,
            ephemeral,
            text,
        })
    }
}

/// The id of what Slack describes by an object or, here and there, by its id alone.
fn id_of(value: Option<&Value>) -> Option<String> {
    let value = value?;
    let id = value.as_str().or_else(|| value.get("id")?.as_str());
    id.filter(|id| !id.is_empty()).map(str::to_owned)
}

#[derive(Deserialize)]
struct WireUser {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct WireContainer {
    message_ts: Option<String>,
    channel_id: Option<String>,
    is_ephemeral: Option<bool>,
}

#[derive(Deserialize)]
struct WireMessage {
    ts: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct WireView {
    id: String,
    team_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    callback_id: Option<String>,
    private_metadata: Option<String>,
    hash: Option<String>,
    state: Option<Value>,
    blocks: Option<Vec<Value>>,
}

impl WireView {
    fn into_ref(self) -> ViewRef {
        let (mut inputs, mut sections) = (Vec::new(), BTreeMap::new());
        for block in self.blocks.into_iter().flatten() {
            let text = |at: &str| block.pointer(at).and_then(Value::as_str).map(str::to_owned);
            match (
                text("/type").as_deref(),
                text("/block_id"),
                text("/text/text"),
            ) {
                (Some("input"), Some(id), _) => inputs.push(id),
                (Some("section"), Some(id), Some(text)) => {
                    sections.insert(id, text);
                }
                _ => {}
            }
        }
        ViewRef {
            id: self.id,
            callback_id: self.callback_id.unwrap_or_default(),
            private_metadata: self.private_metadata.unwrap_or_default(),
            hash: self.hash,
            kind: self.kind.unwrap_or_else(|| "modal".to_owned()),
            inputs,
            sections,
        }
    }
}

#[derive(Deserialize)]
struct WireAction {
    action_id: Option<String>,
    block_id: Option<String>,
    action_ts: Option<String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

impl WireAction {
    fn into_action(self) -> Action {
        Action {
            value: value_of(&self.rest),
            action_id: self.action_id.unwrap_or_default(),
            block_id: self.block_id.unwrap_or_default(),
            action_ts: self.action_ts,
        }
    }
}

/// `state.values[block_id][action_id]`, in which what is empty is null or missing.
fn values_of(state: &Value) -> Values {
    let blocks = state.get("values").and_then(Value::as_object);
    let filled = blocks
        .into_iter()
        .flatten()
        .filter_map(|(block, elements)| {
            let filled = elements.as_object()?.values();
            let value = filled.filter_map(Value::as_object).find_map(value_of)?;
            Some((block.clone(), value))
        });
    let mut values = Values::new();
    values.extend(filled);
    values
}

/// Where an element keeps what it holds, if that is one thing.
const ONE: [&str; 8] = [
    "value",
    "selected_option",
    "selected_user",
    "selected_date",
    "selected_time",
    "selected_date_time",
    "selected_conversation",
    "selected_channel",
];

/// Where it keeps several.
const MANY: [&str; 4] = [
    "selected_options",
    "selected_users",
    "selected_conversations",
    "selected_channels",
];

/// What an element holds, whatever kind of element it is.
fn value_of(element: &serde_json::Map<String, Value>) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(option) => Some(option.get("value")?.as_str()?.to_owned()),
        _ => None,
    };
    let one = ONE.iter().find_map(|key| text(element.get(*key)?));
    one.or_else(|| {
        let list = MANY.iter().find_map(|key| element.get(*key)?.as_array())?;
        let all: Vec<String> = list.iter().filter_map(text).collect();
        (!all.is_empty()).then(|| all.join(", "))
    })
}
