//! What people can ask for: `flows.toml`, read into types that cannot hold a wrong value.
//!
//! Only [`Flows::parse`] makes these types, and it either gives all of the file or every mistake in
//! it. A [`Target`] has everything that applies to it already worked out, from the file, the flow and
//! itself, so that nobody else merges levels.

mod duration;
mod mistakes;
mod parse;
mod section;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use duration::{Duration, in_words};
#[cfg(feature = "policy")]
pub(crate) use mistakes::{Lines, quoted};
pub use mistakes::{Mistake, Mistakes};

use crate::names::{Group, Org};

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Flows {
    /// The Slack workspace (`T…`) or Enterprise Grid organisation (`E…`) whose people may ask.
    pub slack_workspace_id: String,
    /// The Okta org in which the groups are.
    pub okta_org: Org,
    /// Where failures are told that belong to no target.
    pub error_channel: Channel,
    /// The flows, in the order of the file; there may be none.
    pub flows: Vec<Flow>,
    /// What is right but hardly meant, by line; for whoever edits the file.
    pub warnings: Vec<Mistake>,
}

/// One kind of access people can ask for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Flow {
    /// Its name: lower-case letters, digits and `-`, at most 40; unique in the file.
    pub name: String,
    /// What people see, at most 75 characters.
    pub label: String,
    /// Text at the head of the form, in Slack's mrkdwn, at most 3000 characters.
    pub header: Option<String>,
    /// What the form asks for besides target, reason and duration; at most 10.
    pub fields: Vec<Field>,
    /// What can be asked for, in the order of the file; at least one.
    pub targets: Vec<Target>,
}

/// One Okta group that can be asked for, with everything that applies to it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// What people see, at most 75 characters; unique in its flow, whatever the case.
    pub label: String,
    /// The group; unique in its flow. Its id is the target's option value in a form.
    pub group: Group,
    /// The members of this Okta group may decide, if the policy says so. None: the policy alone
    /// decides.
    pub approver_group: Option<Group>,
    /// How many different people must approve, from 1 to 10.
    pub approvals_needed: u32,
    /// The durations that are offered, shortest first, none longer than `max_duration`; at least
    /// one.
    pub durations: Vec<Duration>,
    /// The longest that one request, or a chain of extensions, may last.
    pub max_duration: Duration,
    /// How long a request waits for a decision.
    pub request_timeout: Duration,
    /// Where the card is posted for those who decide.
    pub route: Route,
    /// Where it is posted too if nobody answers, or if it can be posted nowhere else; never where it was
    /// asked from.
    pub fallback: Option<Route>,
    /// How long it waits before it is; with a fallback, shorter than `request_timeout`.
    pub fallback_after: Duration,
    /// How long it waits before whoever decides is reminded; each time it waits twice as long. None:
    /// nobody is reminded.
    pub remind_after: Option<Duration>,
    /// Where failures are told.
    pub error_channel: Channel,
    /// The Slack people (`U…`, `W…`) and user groups (`S…`) that the card mentions.
    pub notify: Vec<String>,
    /// Words for the policy, by name: those of the file, the flow and the target, the nearest
    /// winning.
    pub tags: BTreeMap<String, String>,
}

/// One question of a flow's form.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Its name: lower-case letters, digits and `-`, at most 40; unique in its flow.
    pub name: String,
    /// What people see, at most 75 characters.
    pub label: String,
    /// What can be answered.
    pub kind: FieldKind,
    /// Whether it must be answered.
    pub required: bool,
}

/// What can be answered to a question.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// One of these, each at most 75 characters, in the order of the file; at least one.
    Choice(Vec<String>),
    /// Somebody in the workspace.
    Person,
    /// A day.
    Date,
}

impl Flows {
    /// The longest file that is read, in bytes.
    pub const SIZE_LIMIT: usize = 1_000_000;

    /// Reads the text of `flows.toml`.
    ///
    /// # Errors
    /// Every mistake in it. Of a text that is not TOML, only the mistakes in the TOML.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        parse::parse(text)
    }

    /// The flow of that name.
    #[must_use]
    pub fn flow(&self, name: &str) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.name == name)
    }
}

impl Flow {
    /// The target that is this group.
    #[must_use]
    pub fn target(&self, group: &Group) -> Option<&Target> {
        self.targets.iter().find(|target| &target.group == group)
    }
}

/// Where the card of a request is posted for those who decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// In this channel.
    Channel(Channel),
    /// In the channel in which the command was typed.
    AskedFrom,
    /// In the direct messages of these people (`U…`, `W…`), 1 to 10.
    People(Vec<String>),
}

/// A Slack channel: `#name`, or an id `C…` or `G…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(String);

impl Channel {
    /// `text`, if it is one. Names are at most 80 characters, without capitals, spaces and
    /// punctuation other than `-` and `_` (Slack Help Center, "Guidelines for channel names").
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_channel = if let Some(name) = text.strip_prefix('#') {
            (1..=80).contains(&name.chars().count())
                && name
                    .chars()
                    .all(|c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_'))
        } else {
            is_slack_id(text, &['C', 'G'])
        };
        is_channel.then(|| Self(text.to_owned()))
    }

    /// The name, with its `#`, or the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` looks like a Slack id of one of these `kinds`, its first letter.
pub(crate) fn is_slack_id(text: &str, kinds: &[char]) -> bool {
    let is_rest = |rest: &str| {
        (2..=40).contains(&rest.len())
            && rest
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    text.strip_prefix(kinds).is_some_and(is_rest)
}

/// Whether `text` looks like an Okta group id.
pub(crate) fn is_group_id(text: &str) -> bool {
    text.len() <= 75
        && text
            .strip_prefix("00g")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Whether `text` is a name for a flow or a field.
pub(crate) fn is_slug(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
