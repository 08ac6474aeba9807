//! `slack-ingress` is what Slack talks to, and the only function that the internet reaches.
//!
//! It verifies that Slack signed what came, opens forms, says inside a form what is wrong with it, and
//! answers within the three seconds that Slack waits. Whatever decides something it hands on to
//! `approval`, byte for byte, with the signature: it reads no table, calls no Okta, and is not believed.

mod answer;
mod flows_file;
mod refusal;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use access::SlackUser;
use access::flows::Flows;
use aws::{Clock, Config, Function, Handoffs, Signed, SlackSecret, SlackSecrets};
use aws_lambda_events::apigw::{
    ApiGatewayV2httpRequest as Request, ApiGatewayV2httpResponse as Response,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use slack::card::{AGAIN, APPROVE, CANCEL, DENY, DONE, EXTEND, REVOKE};
use slack::form::{self, Again, FLOW, FORM, PICKER, TARGET};
use slack::payload::{
    BlockActions, BlockSuggestion, By, Command, EventKind, MessageRef, Shortcut, ViewSubmission,
};
use slack::signature::{SIGNATURE_HEADER, SignatureError, TIMESTAMP_HEADER, verify};
use slack::text::{Mrkdwn, escaped, mention, user};
use slack::{Message, Payload, View, notice};

use flows_file::FlowsFile;
use refusal::Refusal;

/// The global shortcut that asks for access, as the app's manifest calls it.
pub const SHORTCUT: &str = "request";

/// The longest body that is taken, in bytes. In base64 it must fit into an asynchronous invocation,
/// which may have 1 MiB; the largest that Slack sends is a form with what was filled in, and a view has
/// at most 250 kB.
const BODY_LIMIT: usize = 700_000;

/// How long one call may take. Slack waits three seconds for an answer, after which nothing that is
/// answered reaches anybody.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the function needs, built once.
#[derive(Debug, Clone)]
pub struct Deps {
    clock: Arc<dyn Clock>,
    secrets: SlackSecrets,
    handoffs: Handoffs,
    http: reqwest::Client,
    slack_base: reqwest::Url,
    flows: Arc<FlowsFile>,
}

/// Why a request has no answer. API Gateway answers 500, which Slack shows to the person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing happened, and the person could not be told so otherwise.
    #[error("{user} could not be told that nothing happened: {error}")]
    Untold {
        /// The person.
        user: SlackUser,
        /// Why.
        error: slack::Error,
    },
    /// The answer cannot be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Answer(#[from] serde_json::Error),
}

impl Deps {
    /// Builds the clients for the stack of `config`.
    #[must_use]
    pub fn connect(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            secrets: SlackSecrets::new(config, clock.clone()),
            handoffs: Handoffs::new(config),
            http: config.client.clone(),
            flows: Arc::new(FlowsFile::new(&config.flows_dir)),
            slack_base: config.slack_base.clone(),
            clock,
        }
    }
}

/// Answers what Slack sent to `POST /slack/events`.
///
/// What Slack did not sign is answered 401, unread. Whatever a person does either takes effect or is
/// answered with what went wrong.
///
/// # Errors
///
/// Where nothing happened and the person cannot be told otherwise.
pub async fn handler(deps: &Deps, event: Request) -> Result<Response, Error> {
    let Some(body) = body_of(&event) else {
        tracing::warn!("a body that is not base64 was refused");
        return Ok(answer::status(400));
    };
    if body.len() > BODY_LIMIT {
        let bytes = body.len();
        tracing::warn!(bytes, "a body of {bytes} bytes was refused");
        return Ok(answer::status(413));
    }
    let header = |name: &str| event.headers.get(name)?.to_str().ok();
    let (timestamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
    let now = deps.clock.now();
    let verified = |secret: SlackSecret| {
        verify(&secret.signing_secret, timestamp, signature, &body, now).map(|()| secret)
    };
    let secrets = &deps.secrets;
    let mut secret = secrets.get().await.map(verified);
    if let Ok(Err(SignatureError::Wrong)) = secret {
        secret = secrets.get_fresh().await.map(verified);
    }
    let secret = match secret {
        Ok(Ok(secret)) => secret,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a request was refused: {error}");
            return Ok(answer::status(401));
        }
        Err(error) => {
            let hint = error.hint();
            tracing::error!(%error, hint, "nothing from Slack can be verified: {error}; {hint}");
            return Ok(answer::status(503));
        }
    };
    let content_type = header("content-type").unwrap_or_default();
    let payload = match Payload::parse(content_type, &body) {
        Ok(payload) => payload,
        Err(error) => {
            tracing::warn!(%error, "what Slack sent is not understood: {error}");
            return Ok(answer::status(400));
        }
    };
    let delivery = Delivery {
        deps,
        slack: slack::Client::new(deps.http.clone(), deps.slack_base.clone(), secret.bot_token),
        signed: Signed {
            v: access::SCHEMA_VERSION,
            timestamp: timestamp.unwrap_or_default().to_owned(),
            signature: signature.unwrap_or_default().to_owned(),
            content_type: content_type.to_owned(),
            body: STANDARD.encode(&body),
        },
    };
    delivery.answer(payload).await
}

/// The bytes that Slack sent, which are those that it signed.
fn body_of(event: &Request) -> Option<Vec<u8>> {
    let body = event.body.as_deref().unwrap_or_default();
    if event.is_base64_encoded {
        STANDARD.decode(body).ok()
    } else {
        Some(body.as_bytes().to_vec())
    }
}

/// One thing that Slack sent and signed.
struct Delivery<'a> {
    deps: &'a Deps,
    slack: slack::Client,
    signed: Signed,
}

impl Delivery<'_> {
    async fn answer(&self, payload: Payload) -> Result<Response, Error> {
        match payload {
            Payload::Command(it) => self.command(&it).await,
            Payload::Shortcut(it) if it.callback_id == SHORTCUT => self.shortcut(&it).await,
            Payload::BlockActions(it) => self.pressed(&it).await,
            Payload::ViewSubmission(it) => self.submitted(&it).await,
            Payload::BlockSuggestion(it) => self.options(&it),
            Payload::UrlVerification { challenge } => {
                answer::json(&serde_json::json!({ "challenge": challenge }))
            }
            Payload::SslCheck | Payload::ViewClosed(_) => Ok(answer::status(200)),
            Payload::Event(it) => match it.kind {
                EventKind::AppHomeOpened { .. } => Ok(answer::status(200)),
                EventKind::Other(kind) => Ok(unhandled("event", &kind)),
            },
            Payload::Shortcut(it) => Ok(unhandled("shortcut", &it.callback_id)),
            Payload::Other { kind } => Ok(unhandled("payload", &kind)),
        }
    }

    /// The flows, if there are any to be had and `by` may ask for what they offer.
    fn flows_for(&self, by: &By) -> Result<Arc<Flows>, Refusal> {
        let flows = self.deps.flows.get()?;
        if by.is_of(&flows.slack_workspace_id) {
            return Ok(flows);
        }
        let (who, team) = (&by.user, by.team.as_deref().unwrap_or_default());
        let home = by.home.as_deref().unwrap_or_default();
        tracing::warn!(user = %who, team, home, "{who} of another workspace was refused");
        Err(Refusal::foreign())
    }

    async fn command(&self, it: &Command) -> Result<Response, Error> {
        if it.text.trim().eq_ignore_ascii_case("help") {
            let flows = self.deps.flows.get().ok();
            return answer::ephemeral(&help(&it.command, flows.as_deref()));
        }
        let typed = Mrkdwn::from("`") + escaped(it.command.trim()) + "`";
        let what = || Mrkdwn::from("the request of ") + user(&it.by.user);
        let flows = match self.flows_for(&it.by) {
            Ok(flows) => flows,
            Err(refusal) => return answer::ephemeral(&refusal.message(what(), typed)),
        };
        let view = form::prefilled(&flows, &it.text);
        match self.open(&it.by, &it.trigger_id, &view).await {
            Ok(()) => Ok(answer::status(200)),
            Err(slack::Error::Expired { .. }) => answer::ephemeral(&notice::told(
                Mrkdwn::from("The form came too late for Slack, which waits three seconds. Try ")
                    + typed
                    + " again.",
            )),
            Err(error) => answer::ephemeral(&not_opened(what(), typed, &error)),
        }
    }

    async fn shortcut(&self, it: &Shortcut) -> Result<Response, Error> {
        let what = || Mrkdwn::from("the request of ") + user(&it.by.user);
        let place = || Mrkdwn::from("the shortcut");
        let message = match self.flows_for(&it.by) {
            Err(refusal) => refusal.message(what(), place()),
            Ok(flows) => {
                let view = form::prefilled(&flows, "");
                match self.open(&it.by, &it.trigger_id, &view).await {
                    Ok(()) => return Ok(answer::status(200)),
                    Err(error) => not_opened(what(), place(), &error),
                }
            }
        };
        self.tell(&it.by.user, None, &message).await
    }

    async fn pressed(&self, it: &BlockActions) -> Result<Response, Error> {
        let Some(action) = it.actions.first() else {
            return Ok(unhandled("click", ""));
        };
        let id = action.action_id.as_str();
        match id {
            APPROVE | DENY | REVOKE | DONE | CANCEL => self.hand_on_click(it, id).await,
            EXTEND | AGAIN => match self.flows_for(&it.by) {
                Ok(flows) => self.reopen(it, id, action.value.as_deref(), &flows).await,
                Err(refusal) if refusal.is_foreign => self.hand_on_click(it, id).await,
                Err(refusal) => {
                    let message = refusal.message(button(id, &it.by), place_of(it));
                    self.tell(&it.by.user, it.message.as_ref(), &message).await
                }
            },
            _ => Ok(unhandled("action", id)),
        }
    }

    /// Opens the form for more time, or for the same once more.
    async fn reopen(
        &self,
        it: &BlockActions,
        id: &str,
        value: Option<&str>,
        flows: &Flows,
    ) -> Result<Response, Error> {
        let again = value.and_then(Again::read);
        let found = again.as_ref().and_then(|again| {
            let flow = flows.flow(&again.flow)?;
            flow.target(&again.group).map(|_| (again, flow))
        });
        let message = match (found, &it.trigger_id) {
            (Some((again, flow)), Some(trigger_id)) => {
                let extends = (id == EXTEND).then_some(again);
                let view = form::form(flow, &again.prefill(), extends);
                match self.open(&it.by, trigger_id, &view).await {
                    Ok(()) => return Ok(answer::status(200)),
                    Err(error) => not_opened(button(id, &it.by), place_of(it), &error),
                }
            }
            _ => notice::problem(
                button(id, &it.by),
                place_of(it),
                "what this card is about is not offered any more",
                "ask for something else with the command or the shortcut",
            ),
        };
        self.tell(&it.by.user, it.message.as_ref(), &message).await
    }

    async fn submitted(&self, it: &ViewSubmission) -> Result<Response, Error> {
        match it.view.callback_id.as_str() {
            PICKER => match self.flows_for(&it.by) {
                Err(refusal) => answer::error(FLOW, refusal.in_form()),
                Ok(flows) => match form::picked(&flows, &it.view, &it.values) {
                    Ok(view) => answer::update(&view),
                    Err(wrong) => answer::errors(&wrong),
                },
            },
            FORM => match self.flows_for(&it.by) {
                Err(refusal) => answer::error(TARGET, refusal.in_form()),
                Ok(flows) => match form::read(&flows, &it.view, &it.values) {
                    Ok(_) => self.hand_on_form(it).await,
                    Err(wrong) => answer::errors(&wrong),
                },
            },
            _ => self.hand_on_form(it).await,
        }
    }

    fn options(&self, it: &BlockSuggestion) -> Result<Response, Error> {
        let offered = it.view.as_ref().and_then(|view| {
            let flows = self.flows_for(&it.by).ok()?;
            Some(form::options(&flows, view, &it.block_id, &it.typed))
        });
        answer::json(&offered.unwrap_or_else(|| slack::blocks::Choices::new([])))
    }

    async fn hand_on_form(&self, it: &ViewSubmission) -> Result<Response, Error> {
        let Err(error) = self.hand_on(&it.by).await else {
            return Ok(answer::status(200));
        };
        let text = format!("this could not be taken: {error}; press Submit again");
        match it.view.inputs.first() {
            Some(input) => answer::error(input, text),
            None => {
                self.tell(&it.by.user, None, &notice::told(escaped(&text)))
                    .await
            }
        }
    }

    async fn hand_on_click(&self, it: &BlockActions, id: &str) -> Result<Response, Error> {
        let Err(error) = self.hand_on(&it.by).await else {
            return Ok(answer::status(200));
        };
        let message = notice::problem(
            button(id, &it.by),
            place_of(it),
            &format!("this could not be taken: {error}"),
            "press it again; pressing it twice does no harm",
        );
        self.tell(&it.by.user, it.message.as_ref(), &message).await
    }

    /// Hands what Slack sent to `approval`.
    async fn hand_on(&self, by: &By) -> Result<(), aws::Error> {
        let hand = self.deps.handoffs.hand(Function::Approval, &self.signed);
        let handed = tokio::time::timeout(PATIENCE, hand).await;
        let handed = handed.unwrap_or_else(|_| {
            Err(aws::Error::Unavailable {
                service: "Lambda",
                error: "no answer within 2 seconds".to_owned(),
            })
        });
        if let Err(error) = &handed {
            let who = &by.user;
            tracing::error!(user = %who, %error, "what {who} did was not handed on: {error}");
        }
        handed
    }

    async fn open(&self, by: &By, trigger_id: &str, view: &View) -> Result<(), slack::Error> {
        let open = self.slack.open_view(trigger_id, view);
        let opened = tokio::time::timeout(PATIENCE, open).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(slack::Error::Unclear {
                error: "no answer within 2 seconds".to_owned(),
            })
        });
        if let Err(error) = &opened {
            let who = &by.user;
            tracing::error!(user = %who, %error, "the form for {who} was not opened: {error}");
        }
        opened.map(drop)
    }

    /// Tells `who` alone: where they clicked, or directly.
    async fn tell(
        &self,
        who: &SlackUser,
        at: Option<&MessageRef>,
        message: &Message,
    ) -> Result<Response, Error> {
        let here = match at {
            Some(at) => self.slack.post_ephemeral(&at.channel, who, message).await,
            None => Err(slack::Error::Gone {
                error: String::new(),
                hint: String::new(),
            }),
        };
        let told = match here {
            Err(slack::Error::Gone { .. }) => {
                let posted = self.slack.post_message(who.as_str(), message).await;
                posted.map(drop)
            }
            here => here,
        };
        told.map_err(|error| Error::Untold {
            user: who.clone(),
            error,
        })?;
        Ok(answer::status(200))
    }
}

/// What nobody handles is taken, so that Slack does not send it again.
fn unhandled(what: &str, name: &str) -> Response {
    tracing::info!(what, name, "nobody handles the {what} `{name}`");
    answer::status(200)
}

fn button(id: &str, by: &By) -> Mrkdwn {
    let label = match id {
        APPROVE => "Approve",
        DENY => "Deny",
        REVOKE => "Revoke",
        DONE => "I'm done",
        CANCEL => "Cancel",
        EXTEND => "Extend",
        _ => "Ask again",
    };
    Mrkdwn::from("the button *") + label + "*, pressed by " + user(&by.user)
}

fn place_of(it: &BlockActions) -> Mrkdwn {
    match &it.message {
        Some(message) => mention(&message.channel),
        None => Mrkdwn::from("the app's Home tab"),
    }
}

fn not_opened(what: Mrkdwn, place: Mrkdwn, error: &slack::Error) -> Message {
    let text = format!("the form was not opened: {error}");
    notice::problem(what, place, &text, error.hint())
}

/// What `command` takes.
fn help(command: &str, flows: Option<&Flows>) -> Message {
    let command = escaped(command.trim());
    let text = Mrkdwn::from("`")
        + command.clone()
        + "` opens the form that asks for access. What follows it fills the form, all of it optional: `"
        + command.clone()
        + " [flow] [target] [duration] [reason]`, such as `"
        + command
        + " prod 1h fixing INC-42`. A duration is written like `30m`, `1h` or `2d`.";
    let labels = flows
        .into_iter()
        .flat_map(|flows| &flows.flows)
        .map(|flow| {
            let targets = flow.targets.iter().take(10).map(|it| escaped(&it.label));
            let more = if flow.targets.len() > 10 { ", …" } else { "" };
            Mrkdwn::from("\n• *")
                + escaped(&flow.label)
                + "*: "
                + Mrkdwn::join(targets, ", ")
                + more
        });
    notice::told(text + Mrkdwn::join(labels, ""))
}
