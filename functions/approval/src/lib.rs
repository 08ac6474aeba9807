//! `approval` takes what people decide in Slack: requests, approvals, denials, revocations.
//!
//! It is handed the bytes that Slack signed, and verifies them again: whoever hands them on is not
//! believed. Who may do what, `policy.cedar` says. Whatever a click comes to, it takes effect or the
//! person who clicked is told why it did not.

mod ask;
mod click;
mod decide;
mod home;
mod people;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::{Click as ClickId, RequestId};
use aws::{Clock, Config, HomePayload, Signed, SlackSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drive::Tools;
use jiff::Timestamp;
use serde::Deserialize;
use slack::card::{APPROVE, DENY, DETAILS};
use slack::home::{MORE, More};
use slack::payload::{BlockActions, EventKind, MessageRef, ViewSubmission};
use slack::signature::{SignatureError, verify};
use slack::{Payload, decision};

use click::{Click, Stop};
use rules::RuleFiles;

/// What the function needs, built once.
#[derive(Debug, Clone)]
pub struct Deps {
    tools: Tools,
    rules: Arc<RuleFiles>,
}

/// Why a click was not dealt with. The platform invokes again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS could not do it.
    #[error(transparent)]
    Drive(#[from] drive::Error),
    /// Slack could not take what the person who clicked must be told.
    #[error("the person who clicked was not told: {0}")]
    Untold(slack::Error),
}

impl From<aws::Error> for Error {
    fn from(error: aws::Error) -> Self {
        Self::Drive(error.into())
    }
}

impl Deps {
    /// Builds the clients for the stack of `config`.
    #[must_use]
    pub fn connect(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            tools: Tools::new("approval", config, clock),
            rules: Arc::new(RuleFiles::new(&config.flows_dir)),
        }
    }
}

/// Does what the person wants who clicked what `event` (an [`aws::Signed`]) carries. Where `event` is a
/// batch of the queue into which such events come when they failed for good, tells these people so.
/// Where it is an [`aws::HomePayload`], draws that Home tab.
///
/// An event without Slack's signature changes nothing.
///
/// # Errors
///
/// An event of another shape or version, and what AWS or Slack could not do; the platform invokes again.
/// What fails for good comes back once, through the queue, and ends in one that is only looked at.
pub async fn handler(deps: &Deps, event: serde_json::Value) -> Result<(), Error> {
    if let Ok(batch) = serde_json::from_value::<Batch>(event.clone()) {
        for message in batch.records {
            Box::pin(handle(deps, message.event()?, true)).await?;
        }
        return Ok(());
    }
    Box::pin(handle(deps, event, false)).await
}

/// Messages of the queue, as SQS hands them on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<QueueMessage>,
}

#[derive(Debug, Deserialize)]
struct QueueMessage {
    body: String,
}

impl QueueMessage {
    /// The event that failed, which Lambda puts into a record of the failure.
    fn event(&self) -> Result<serde_json::Value, aws::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Failure {
            request_payload: serde_json::Value,
        }
        let failure: Failure =
            serde_json::from_str(&self.body).map_err(|error| aws::Error::UnreadableEvent {
                known: access::SCHEMA_VERSION,
                error: error.to_string(),
            })?;
        Ok(failure.request_payload)
    }
}

async fn handle(deps: &Deps, event: serde_json::Value, has_failed: bool) -> Result<(), Error> {
    if event.get("home").is_some() {
        let it = HomePayload::read(event)?;
        // A Home that could not be drawn is due in the table.
        if has_failed {
            return Ok(());
        }
        return home::redraw(deps, &it.home, it.request.as_ref()).await;
    }
    let signed = Signed::read(event)?;
    let Some((payload, is_stale)) = open(deps, &signed).await? else {
        return Ok(());
    };
    let Some(by) = payload.by().cloned() else {
        tracing::info!("a payload in which nobody does anything was handed on");
        return Ok(());
    };
    if let Payload::Event(event) = &payload {
        // Nobody waits for an answer to what they did not press.
        return match &event.kind {
            EventKind::AppHomeOpened { tab, .. } if tab == "home" && !has_failed && !is_stale => {
                home::open(deps, &by.user, None).await
            }
            _ => Ok(()),
        };
    }
    let click = Click {
        id: payload
            .click_id()
            .unwrap_or_else(|| ClickId::new(&signed.signature)),
        by,
        message: clicked(&payload),
    };
    let done = if has_failed {
        Err(Stop::failed())
    } else if is_stale {
        Err(Stop::too_old())
    } else {
        Box::pin(act(deps, &click, &payload)).await
    };
    if let Err(stop) = done {
        click.answer(&deps.tools, stop).await?;
    }
    if is_in_home(&payload)
        && let Err(error) = home::seen(deps, &click.by.user).await
    {
        let user = &click.by.user;
        tracing::warn!(%user, %error, "the Home tab of {user} is as it was: {error}");
    }
    Ok(())
}

async fn act(deps: &Deps, click: &Click, payload: &Payload) -> Result<(), Stop> {
    match payload {
        Payload::ViewSubmission(form) if form.view.callback_id == slack::form::FORM => {
            ask::ask(deps, click, form).await
        }
        Payload::ViewSubmission(form) if is_decision(form) => {
            let (about, note) = decision::read(&form.view, &form.values)
                .map_err(|wrong| Stop::told(&format!("Nothing was done: {wrong}")))?;
            let button = form.view.callback_id.as_str();
            decide::press(deps, click, button, &about.request, note).await
        }
        Payload::BlockActions(pressed) => {
            for action in &pressed.actions {
                let value = action.value.as_deref().unwrap_or_default();
                let request = RequestId::new(value);
                match action.action_id.as_str() {
                    MORE => home::open(deps, &click.by.user, More::read(value)).await?,
                    DETAILS => decide::everything(deps, click, &request).await?,
                    button => decide::press(deps, click, button, &request, None).await?,
                }
            }
            Ok(())
        }
        _ => {
            tracing::info!(user = %click.by.user, "something that nobody handles was handed on");
            Ok(())
        }
    }
}

fn is_decision(form: &ViewSubmission) -> bool {
    matches!(form.view.callback_id.as_str(), APPROVE | DENY)
}

fn is_in_home(payload: &Payload) -> bool {
    let Payload::BlockActions(pressed) = payload else {
        return false;
    };
    pressed
        .view
        .as_ref()
        .is_some_and(|view| view.kind == "home")
}

/// The message in which a click was, or from which its form was opened.
fn clicked(payload: &Payload) -> Option<MessageRef> {
    match payload {
        Payload::BlockActions(BlockActions { message, .. }) => message.clone(),
        Payload::ViewSubmission(form) if is_decision(form) => {
            let (about, _) = decision::read(&form.view, &form.values).ok()?;
            Some(MessageRef {
                channel: about.channel?,
                ts: about.ts?,
                ephemeral: false,
                text: None,
            })
        }
        _ => None,
    }
}

/// What Slack signed, and whether that was more than five minutes ago; nothing if Slack did not.
async fn open(deps: &Deps, signed: &Signed) -> Result<Option<(Payload, bool)>, Error> {
    let refused = |reason: &dyn std::fmt::Display| {
        tracing::error!(%reason, "an event was refused: {reason}");
        Ok(None)
    };
    let body = match STANDARD.decode(&signed.body) {
        Ok(body) => body,
        Err(error) => return refused(&error),
    };
    let then = signed.timestamp.parse().ok();
    let Some(then) = then.and_then(|second| Timestamp::from_second(second).ok()) else {
        return refused(&SignatureError::Missing);
    };
    // Was it Slack who said it then, however long ago that is?
    let verified = |secret: &SlackSecret| {
        let (timestamp, signature) = (Some(&*signed.timestamp), Some(&*signed.signature));
        verify(&secret.signing_secret, timestamp, signature, &body, then)
    };
    let secrets = deps.tools.slack_secrets();
    if verified(&secrets.get().await?).is_err()
        && let Err(error) = verified(&secrets.get_fresh().await?)
    {
        return refused(&error);
    }
    let age = deps.tools.now().duration_since(then);
    let is_stale = age.abs() > slack::signature::WINDOW;
    match Payload::parse(&signed.content_type, &body) {
        Ok(payload) => Ok(Some((payload, is_stale))),
        Err(error) => refused(&error),
    }
}
