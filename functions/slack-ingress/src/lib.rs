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

use access::flows::Flows;
use access::{RequestId, SlackUser};
use aws::{Clock, Config, Function, Handoffs, Signed, SlackSecret, SlackSecrets};
use aws_lambda_events::apigw::{
    ApiGatewayV2httpRequest as Request, ApiGatewayV2httpResponse as Response,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use slack::blocks::Button;
use slack::card::{AGAIN, APPROVE, APPROVE_NOTE, CANCEL, DENY, DETAILS, DONE, EXTEND, REVOKE};
use slack::decision::{self, About};
use slack::form::{self, Again, FLOW, FORM, PICKER, TARGET};
use slack::home::{ASK, MORE};
use slack::payload::{
    Action, BlockActions, BlockSuggestion, By, Command, EventKind, MessageRef, Shortcut, ViewRef,
    ViewSubmission,
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

/// How a message begins that offers another try, which says nothing about a request.
const LATE: &str = "The form came too late for Slack";

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
            Payload::Event(it) => match (it.kind, it.by) {
                (EventKind::AppHomeOpened { tab, .. }, Some(by)) if tab == "home" => {
                    // Where it is not handed on, Slack delivers it again.
                    let handed = self.hand_on(&by).await;
                    Ok(answer::status(handed.map_or(503, |()| 200)))
                }
                (EventKind::AppHomeOpened { .. }, _) => Ok(answer::status(200)),
                (EventKind::Other(kind), _) => Ok(unhandled("event", &kind)),
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
        let view = form::prefilled(&flows, &it.text, it.channel.as_deref());
        match self.open(&it.by, &it.trigger_id, &view).await {
            Ok(()) => Ok(answer::status(200)),
            Err(error) => {
                let again = Button::new(ASK, "Open the form", &it.text);
                answer::ephemeral(&not_opened(what(), typed, &error, again))
            }
        }
    }

    async fn shortcut(&self, it: &Shortcut) -> Result<Response, Error> {
        let what = || Mrkdwn::from("the request of ") + user(&it.by.user);
        let place = || Mrkdwn::from("the shortcut");
        let message = match self.flows_for(&it.by) {
            Err(refusal) => refusal.message(what(), place()),
            Ok(flows) => {
                let view = form::prefilled(&flows, "", None);
                match self.open(&it.by, &it.trigger_id, &view).await {
                    Ok(()) => return Ok(answer::status(200)),
                    Err(error) => {
                        let again = Button::new(ASK, "Open the form", "");
                        not_opened(what(), place(), &error, again)
                    }
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
            APPROVE | REVOKE | DONE | CANCEL | DETAILS | MORE => self.hand_on_click(it, id).await,
            DENY | APPROVE_NOTE => {
                let value = action.value.clone().unwrap_or_default();
                let at = it.message.as_ref();
                let about = About {
                    request: RequestId::new(value),
                    channel: at.map(|at| at.channel.clone()),
                    ts: at.map(|at| at.ts.clone()),
                };
                // What the card says, or the row of the Home tab.
                let text = match (at, &it.view) {
                    (None, Some(home)) => row_of(home, &action.block_id),
                    _ => at.and_then(|at| at.text.as_deref()),
                };
                let is_card =
                    |text: &&str| !text.starts_with(LATE) && !text.starts_with(notice::SORRY);
                let summary = text.filter(is_card);
                let view = decision::form(id, &about, summary);
                self.open_for(it, action, &view).await
            }
            EXTEND | AGAIN | ASK => self.ask_again(it, action).await,
            TARGET => self.chosen(it).await,
            _ => Ok(unhandled("action", id)),
        }
    }

    /// Opens the form for more time, for the same once more, or for anything.
    async fn ask_again(&self, it: &BlockActions, action: &Action) -> Result<Response, Error> {
        let id = action.action_id.as_str();
        let message = match self.flows_for(&it.by) {
            Err(refusal) => refusal.message(button(id, &it.by), place_of(it)),
            Ok(flows) => {
                if let Some(view) = asked_for(id, action.value.as_deref(), it, &flows) {
                    return self.open_for(it, action, &view).await;
                }
                notice::problem(
                    button(id, &it.by),
                    place_of(it),
                    "what this card is about is not offered any more",
                    "ask for something else with the command or the shortcut",
                )
            }
        };
        self.tell(&it.by.user, it.message.as_ref(), &message).await
    }

    /// Opens `view`, which `action` asks for.
    async fn open_for(
        &self,
        it: &BlockActions,
        action: &Action,
        view: &View,
    ) -> Result<Response, Error> {
        let id = action.action_id.as_str();
        let opened = match &it.trigger_id {
            Some(trigger_id) => self.open(&it.by, trigger_id, view).await,
            None => Err(slack::Error::Expired {
                error: "the click came without a trigger".to_owned(),
            }),
        };
        let Err(error) = opened else {
            return Ok(answer::status(200));
        };
        let value = action.value.as_deref().unwrap_or_default();
        let again = Button::new(id, label_of(id), value);
        let message = not_opened(button(id, &it.by), place_of(it), &error, again);
        self.tell(&it.by.user, it.message.as_ref(), &message).await
    }

    /// Another target was chosen in the form: it offers that target's durations. Whatever fails, the form
    /// stays as it is, and what does not go together is said when it is submitted.
    async fn chosen(&self, it: &BlockActions) -> Result<Response, Error> {
        let form = it.view.as_ref().filter(|view| view.callback_id == FORM);
        let (Some(view), Ok(flows)) = (form, self.flows_for(&it.by)) else {
            return Ok(answer::status(200));
        };
        if let Some(redrawn) = form::redrawn(&flows, view, &it.values) {
            let update = self
                .slack
                .update_view(&view.id, view.hash.as_deref(), &redrawn);
            let updated = tokio::time::timeout(PATIENCE, update).await;
            if let Ok(Err(error)) = updated {
                let who = &it.by.user;
                tracing::warn!(user = %who, %error, "the form of {who} was not redrawn: {error}");
            }
        }
        Ok(answer::status(200))
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
            APPROVE | DENY => match decision::read(&it.view, &it.values) {
                Ok(_) => self.hand_on_form(it).await,
                Err(wrong) => answer::errors(&wrong),
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
        let opened = opened.unwrap_or_else(|_| Err(late()));
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
        let tell = async {
            let here = match at {
                Some(at) => self.slack.post_ephemeral(&at.channel, who, message).await,
                None => Err(slack::Error::Gone {
                    error: String::new(),
                    hint: String::new(),
                }),
            };
            match here {
                Err(slack::Error::Gone { .. }) => {
                    let posted = self.slack.post_message(who.as_str(), message).await;
                    posted.map(drop)
                }
                here => here,
            }
        };
        let told = tokio::time::timeout(PATIENCE, tell).await;
        let told = told.unwrap_or_else(|_| Err(late()));
        told.map_err(|error| Error::Untold {
            user: who.clone(),
            error,
        })?;
        Ok(answer::status(200))
    }
}

fn late() -> slack::Error {
    slack::Error::Unclear {
        error: "no answer within 2 seconds".to_owned(),
    }
}

/// What nobody handles is taken, so that Slack does not send it again.
fn unhandled(what: &str, name: &str) -> Response {
    tracing::info!(what, name, "nobody handles the {what} `{name}`");
    answer::status(200)
}

/// The form that the button `id` opens; none where what it is about is not offered any more.
fn asked_for(id: &str, value: Option<&str>, it: &BlockActions, flows: &Flows) -> Option<View> {
    if id == ASK {
        let asked_from = it.message.as_ref().map(|at| at.channel.as_str());
        return Some(form::prefilled(
            flows,
            value.unwrap_or_default(),
            asked_from,
        ));
    }
    let again = Again::read(value?)?;
    let flow = flows.flow(&again.flow)?;
    flow.target(&again.group)?;
    let extends = (id == EXTEND).then_some(&again);
    Some(form::form(flow, &again.prefill(), extends))
}

fn button(id: &str, by: &By) -> Mrkdwn {
    Mrkdwn::from("the button *") + label_of(id) + "*, pressed by " + user(&by.user)
}

fn label_of(id: &str) -> &'static str {
    match id {
        APPROVE => "Approve",
        APPROVE_NOTE => "Approve with a note",
        ASK => "Open the form",
        DETAILS => "Show everything",
        MORE => "Show more",
        DENY => "Deny",
        REVOKE => "Revoke",
        DONE => "I'm done",
        CANCEL => "Cancel",
        EXTEND => "Extend",
        _ => "Ask again",
    }
}

/// The text of the section of `home` to which the buttons in the block `block_id` belong.
fn row_of<'v>(home: &'v ViewRef, block_id: &str) -> Option<&'v str> {
    let section = block_id.strip_suffix("-buttons").unwrap_or(block_id);
    home.sections.get(section).map(String::as_str)
}

fn place_of(it: &BlockActions) -> Mrkdwn {
    match &it.message {
        Some(message) => mention(&message.channel),
        None => Mrkdwn::from("the app's Home tab"),
    }
}

/// What is said where a form was not opened; `again` is another try.
fn not_opened(what: Mrkdwn, place: Mrkdwn, error: &slack::Error, again: Button) -> Message {
    if let slack::Error::Expired { .. } = error {
        let text = Mrkdwn::from(LATE) + ", which waits three seconds. Press again, and it is here.";
        return notice::retry(text, again);
    }
    let text = format!("the form was not opened: {error}");
    notice::problem(what, place, &text, error.hint()).with(slack::blocks::actions([again]))
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
