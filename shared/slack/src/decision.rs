//! The forms behind "Deny" and "Approve with a note".

use access::RequestId;
use serde::{Deserialize, Serialize};

use crate::blocks::{Element, Input, View, section};
use crate::card::{APPROVE, DENY};
use crate::form::Wrong;
use crate::payload::{Values, ViewRef};
use crate::text::resent;

/// Asks for a reason or a note.
pub const NOTE: &str = "note";

/// The longest note, in characters.
const NOTE_LIMIT: usize = 1000;
/// How much of the summary the form shows.
const SUMMARY: usize = 1000;

/// What a decision is about; the form's private metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The request that is decided.
    pub request: RequestId,
    /// The id of the channel in which the button was pressed, if in a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The timestamp of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
}

/// The form behind the button `action`, [`DENY`] or
/// [`APPROVE_NOTE`](crate::card::APPROVE_NOTE): it asks for a reason or a note, which may be left out.
/// `summary` is the text of the card's message as Slack sent it back, which the form begins with.
#[must_use]
pub fn form(action: &str, about: &About, summary: Option<&str>) -> View {
    let (callback_id, title, submit, label, hint) = if action == DENY {
        (
            DENY,
            "Deny the request",
            "Deny",
            "Why?",
            "It is shown on the card, and the requester is told.",
        )
    } else {
        (
            APPROVE,
            "Approve the request",
            "Approve",
            "Note",
            "It is shown on the card.",
        )
    };
    let note = Input::new(NOTE, label, Element::text(true, NOTE_LIMIT, None));
    View::form(callback_id, title, submit)
        .metadata(serde_json::to_string(about).unwrap_or_default())
        .with(summary.map(|text| section(resent(text).within(SUMMARY))))
        .input(note.hint(hint).optional(true))
}

/// What the submitted `view` with its `values` decides about, and the reason or note without space
/// around it, if there is one.
pub fn read(view: &ViewRef, values: &Values) -> Result<(About, Option<String>), Wrong> {
    let wrong = |text: &str| Err(Wrong::at(NOTE, text));
    let Ok(about) = serde_json::from_str(&view.private_metadata) else {
        return wrong("this form cannot be read: close it and press the button again");
    };
    let note = values.get(NOTE).map(|note| note.trim());
    let note = note.filter(|note| !note.is_empty());
    let length = note.map_or(0, |note| note.chars().count());
    if length > NOTE_LIMIT {
        return wrong(&format!(
            "this has {length} characters, {NOTE_LIMIT} at most are kept: shorten it"
        ));
    }
    Ok((about, note.map(str::to_owned)))
}
