//! Slack's Web API, as far as Stint needs it.

use std::time::Duration;

use access::{Posted, SlackUser};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::blocks::{Home, Message, View};

/// How long Slack is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait where Slack does not say.
const PAUSE: Duration = Duration::from_secs(5);

/// Slack's Web API with one workspace's token. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

/// Why Slack did not do it, by what the caller must do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It was not done, and may be tried again after a while.
    #[error("Slack cannot take it now: {error}")]
    Later {
        /// What Slack said, or what went wrong on the way.
        error: String,
        /// How long to wait before.
        after: Duration,
    },
    /// It may have been done: a message may be there, and posting it again may double it.
    #[error("Slack gave no clear answer: {error}")]
    Unclear {
        /// What Slack said, or what went wrong on the way.
        error: String,
    },
    /// What it is about is not there, or not for us: trying again is of no use.
    #[error("Slack does not have it: {error}")]
    Gone {
        /// Slack's name for it.
        error: String,
        /// What a person can do about it.
        hint: String,
    },
    /// The click is too old to open a form: the person must click again.
    #[error("the click is too old for Slack to open a form: {error}")]
    Expired {
        /// Slack's name for it.
        error: String,
    },
    /// Slack refuses, and will until a person mends something.
    #[error("Slack refuses: {error}")]
    Refused {
        /// Slack's name for it, with what it complains of.
        error: String,
        /// What to mend.
        hint: String,
    },
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Later { .. } => "nothing was done; try again in a minute",
            Self::Unclear { .. } => {
                "see whether it happened before trying again; https://slack-status.com says how Slack is"
            }
            Self::Expired { .. } => "do it once more: a form must be opened within three seconds",
            Self::Gone { hint, .. } | Self::Refused { hint, .. } => hint,
        }
    }
}

/// Somebody in Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackPerson {
    /// Their id.
    pub id: SlackUser,
    /// The workspace they belong to.
    pub team: String,
    /// The Enterprise Grid organization (`E…`) that they belong to, if one.
    pub enterprise: Option<String>,
    /// Their confirmed e-mail. Absent for bots, for some guests, and without the scope
    /// `users:read.email`.
    pub email: Option<String>,
    /// The name that people see.
    pub name: String,
    /// What they are here.
    pub kind: PersonKind,
    /// Their time zone, such as `Europe/Berlin`.
    pub tz: Option<String>,
}

/// What somebody is in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonKind {
    /// A full member.
    Member,
    /// A guest, of one channel or of several.
    Guest,
    /// No person at all.
    Bot,
    /// Somebody of another workspace, met in a shared channel.
    Stranger,
    /// No longer there.
    Deleted,
}

impl Client {
    /// The API at `base` (Slack's is `https://slack.com/api/`) with the bot's `token`. Makes no call.
    #[must_use]
    pub fn new(http: reqwest::Client, mut base: Url, token: SecretString) -> Self {
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Self { http, base, token }
    }

    /// Posts `message` to `channel`: a channel's id or name, or a person's id for their direct
    /// messages. Not to be repeated blindly after [`Error::Unclear`].
    pub async fn post_message(&self, channel: &str, message: &Message) -> Result<Posted, Error> {
        self.post_body(&Post {
            unfurl_links: Some(false),
            ..Post::new(channel, message)
        })
        .await
    }

    /// Posts `message` as a reply to `to`, shown in the channel too. Not to be repeated blindly after
    /// [`Error::Unclear`].
    pub async fn post_reply(&self, to: &Posted, message: &Message) -> Result<Posted, Error> {
        self.post_body(&Post {
            thread_ts: Some(&to.ts),
            reply_broadcast: Some(true),
            unfurl_links: Some(false),
            ..Post::new(&to.channel, message)
        })
        .await
    }

    async fn post_body(&self, body: &Post<'_>) -> Result<Posted, Error> {
        let answer = self.post("chat.postMessage", body).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text("channel"), text("ts")) {
            (Some(channel), Some(ts)) => Ok(Posted { channel, ts }),
            _ => Err(unclear("the answer names no message")),
        }
    }

    /// Makes the message `posted` into `message`.
    pub async fn update_message(&self, posted: &Posted, message: &Message) -> Result<(), Error> {
        let body = Post {
            ts: Some(&posted.ts),
            ..Post::new(&posted.channel, message)
        };
        self.post("chat.update", &body).await.map(drop)
    }

    /// Shows `message` in `channel` to `user` alone. Slack does not keep it.
    pub async fn post_ephemeral(
        &self,
        channel: &str,
        user: &SlackUser,
        message: &Message,
    ) -> Result<(), Error> {
        let body = Post {
            user: Some(user),
            ..Post::new(channel, message)
        };
        self.post("chat.postEphemeral", &body).await.map(drop)
    }

    /// Opens `view` for whoever made the click `trigger_id`, less than three seconds ago. Gives the
    /// view's id.
    pub async fn open_view(&self, trigger_id: &str, view: &View) -> Result<String, Error> {
        let body = json!({ "trigger_id": trigger_id, "view": view });
        self.view("views.open", &body).await
    }

    /// Makes the open view `id` into `view`; with `hash`, only if nobody changed it since.
    pub async fn update_view(
        &self,
        id: &str,
        hash: Option<&str>,
        view: &View,
    ) -> Result<(), Error> {
        let mut body = json!({ "view_id": id, "view": view });
        if let (Some(hash), Some(map)) = (hash, body.as_object_mut()) {
            map.insert("hash".to_owned(), hash.into());
        }
        self.post("views.update", &body).await.map(drop)
    }

    /// Makes `home` what `user` sees in the app's Home tab.
    pub async fn publish_home(&self, user: &SlackUser, home: &Home) -> Result<(), Error> {
        let body = json!({ "user_id": user, "view": home });
        self.post("views.publish", &body).await.map(drop)
    }

    /// Looks up somebody by id.
    pub async fn user(&self, id: &SlackUser) -> Result<SlackPerson, Error> {
        // `users.info` takes no JSON.
        let request = self.request("users.info").form(&[("user", id.as_str())]);
        let answer = send("users.info", request).await?;
        let user = answer.get("user").cloned().unwrap_or_default();
        let user: WireUser =
            serde_json::from_value(user).map_err(|_| unclear("the answer describes no user"))?;
        Ok(user.into_person())
    }

    /// Where the message is found with a browser.
    pub async fn permalink(&self, posted: &Posted) -> Result<String, Error> {
        // `chat.getPermalink` takes no JSON.
        let form = [
            ("channel", posted.channel.as_str()),
            ("message_ts", posted.ts.as_str()),
        ];
        let request = self.request("chat.getPermalink").form(&form);
        let answer = send("chat.getPermalink", request).await?;
        let url = answer.get("permalink").and_then(Value::as_str);
        url.map(str::to_owned)
            .ok_or_else(|| unclear("the answer has no address"))
    }

    /// Who the token belongs to: the workspace's id and the bot's own user id. Fails where the token
    /// is not valid.
    pub async fn identity(&self) -> Result<(String, SlackUser), Error> {
        let answer = self.post("auth.test", &json!({})).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        Ok((text("team_id").to_owned(), SlackUser::new(text("user_id"))))
    }

    async fn view(&self, method: &str, body: &Value) -> Result<String, Error> {
        let answer = self.post(method, body).await?;
        let id = answer.pointer("/view/id").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| unclear("the answer names no view"))
    }

    async fn post(&self, method: &str, body: &impl Serialize) -> Result<Value, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Refused {
            error: format!("the request cannot be written: {error}"),
            hint: "please report this".to_owned(),
        })?;
        // Slack complains of a missing charset otherwise.
        let request = self
            .request(method)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body);
        send(method, request).await
    }

    fn request(&self, method: &str) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{method}", self.base.path()));
        self.http
            .post(url)
            .bearer_auth(self.token.expose_secret())
            .timeout(TIMEOUT)
    }
}

/// What the three methods for messages take.
#[derive(Serialize)]
struct Post<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_broadcast: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a SlackUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfurl_links: Option<bool>,
    #[serde(flatten)]
    message: &'a Message,
}

impl<'a> Post<'a> {
    fn new(channel: &'a str, message: &'a Message) -> Self {
        Self {
            channel,
            ts: None,
            thread_ts: None,
            reply_broadcast: None,
            user: None,
            unfurl_links: None,
            message,
        }
    }
}

async fn send(method: &str, request: reqwest::RequestBuilder) -> Result<Value, Error> {
    let response = request.send().await.map_err(|error| on_the_way(&error))?;
    let status = response.status();
    let after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let body = response.bytes().await.map_err(|error| Error::Unclear {
        error: format!("the answer broke off: {}", error.without_url()),
    })?;
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Error::Later {
            error: "ratelimited".to_owned(),
            after: after.unwrap_or(PAUSE),
        });
    }
    let answer: Answer = match serde_json::from_slice(&body) {
        Ok(answer) => answer,
        Err(_) if status.is_client_error() => {
            return Err(Error::Refused {
                error: format!("{method} was answered with HTTP {status}"),
                hint: "see whether a proxy stands between Stint and Slack".to_owned(),
            });
        }
        Err(_) => {
            return Err(unclear(&format!(
                "HTTP {status} without an answer of Slack's"
            )));
        }
    };
    if answer.ok {
        return Ok(Value::Object(answer.rest));
    }
    Err(answer.into_error(after))
}

fn on_the_way(error: &reqwest::Error) -> Error {
    let mut source: &dyn std::error::Error = error;
    while let Some(cause) = source.source() {
        source = cause;
    }
    if error.is_connect() {
        Error::Later {
            error: format!("Slack cannot be reached: {source}"),
            after: PAUSE,
        }
    } else if error.is_timeout() {
        unclear("no answer within 10 seconds")
    } else {
        unclear(&format!("the call broke off: {source}"))
    }
}

fn unclear(error: &str) -> Error {
    Error::Unclear {
        error: error.to_owned(),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    needed: String,
    #[serde(default)]
    errors: Vec<Value>,
    #[serde(default)]
    response_metadata: Metadata,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    messages: Vec<String>,
}

impl Answer {
    /// What the error means for the caller. Slack's names are those of its page on each method.
    fn into_error(self, after: Option<Duration>) -> Error {
        let mut said = self.response_metadata.messages;
        if said.is_empty() {
            let texts = self.errors.iter().filter_map(Value::as_str);
            said.extend(texts.map(str::to_owned));
        }
        let mut error = if self.error.is_empty() {
            "unknown_error".to_owned()
        } else {
            self.error.clone()
        };
        if !said.is_empty() {
            error = format!("{error}: {}", said.join("; "));
        }
        let about = |what: &str| said.iter().any(|text| text.contains(what));
        match self.error.as_str() {
            "ratelimited"
            | "rate_limited"
            | "message_limit_exceeded"
            | "service_unavailable"
            | "team_added_to_org" => Error::Later {
                error,
                after: after.unwrap_or(PAUSE),
            },
            "internal_error" | "fatal_error" | "request_timeout" | "update_failed" => {
                Error::Unclear { error }
            }
            "expired_trigger_id"
            | "exchanged_trigger_id"
            | "invalid_trigger_id"
            | "trigger_expired"
            | "trigger_exchanged" => Error::Expired { error },
            "invalid_arguments" if about("trigger_id") => Error::Expired { error },
            "invalid_arguments" if about("`user_id`") => Error::Gone {
                error,
                hint: "the person is not in this workspace any more".to_owned(),
            },
            "missing_scope" => Error::Refused {
                error,
                hint: format!(
                    "add the scope `{}` to the Slack app (OAuth & Permissions) and install it again",
                    self.needed
                ),
            },
            name => match what_is_gone(name) {
                Some(hint) => Error::Gone {
                    error,
                    hint: hint.to_owned(),
                },
                None => Error::Refused {
                    error,
                    hint: what_to_mend(name).to_owned(),
                },
            },
        }
    }
}

/// What a person can do about something that is not there, or not for the app.
fn what_is_gone(error: &str) -> Option<&'static str> {
    Some(match error {
        "channel_not_found" | "not_in_channel" => {
            "invite the app to the channel (/invite @Stint), and see that `flows.toml` names it right"
        }
        "is_archived" => "unarchive the channel, or name another one in `flows.toml`",
        error if error.starts_with("restricted_action") => {
            "the channel's settings do not let the app post: change them, or name another channel in `flows.toml`"
        }
        "messages_tab_disabled" | "not_enabled" => {
            "switch on the Home and Messages tabs in the app's settings (App Home)"
        }
        "user_not_found"
        | "users_not_found"
        | "user_not_visible"
        | "user_disabled"
        | "user_not_in_channel"
        | "cannot_dm_bot"
        | "is_bot" => "the person is not in this workspace, or not in the channel",
        "message_not_found"
        | "thread_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "is_inactive" => {
            "the message cannot be changed any more; it was deleted, or is not the app's own"
        }
        "not_found" | "hash_conflict" | "push_limit_reached" => {
            "the form was closed or has changed meanwhile; open it again"
        }
        _ => return None,
    })
}

/// What a person must do before Slack accepts anything of the kind.
fn what_to_mend(error: &str) -> &'static str {
    match error {
        "not_authed"
        | "invalid_auth"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "not_allowed_token_type" => {
            "install the Slack app again and put its bot token (xoxb-…) into the Slack secret"
        }
        "access_denied"
        | "no_permission"
        | "accesslimited"
        | "ekm_access_denied"
        | "org_login_required"
        | "team_access_not_granted"
        | "two_factor_setup_required"
        | "enterprise_is_restricted" => {
            "ask an administrator of the Slack workspace to let the app work there"
        }
        "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_blocks_too_long"
        | "msg_too_long"
        | "no_text"
        | "view_too_large"
        | "invalid_arguments"
        | "duplicate_external_id" => {
            "Slack does not accept what Stint built; please report this with the error's text"
        }
        _ => "look the error up on the method's page at https://docs.slack.dev/reference/methods",
    }
}

#[derive(Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the flags that Slack has"
)]
struct WireUser {
    id: String,
    #[serde(default)]
    team_id: String,
    name: Option<String>,
    real_name: Option<String>,
    tz: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    is_workflow_bot: bool,
    #[serde(default)]
    is_stranger: bool,
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    is_email_confirmed: Option<bool>,
    enterprise_user: Option<WireEnterpriseUser>,
    #[serde(default)]
    profile: WireProfile,
}

#[derive(Deserialize)]
struct WireEnterpriseUser {
    enterprise_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireProfile {
    email: Option<String>,
    display_name: Option<String>,
    real_name: Option<String>,
}

impl WireUser {
    fn into_person(self) -> SlackPerson {
        let kind = if self.deleted {
            PersonKind::Deleted
        } else if self.is_bot || self.is_workflow_bot || self.id == "USLACKBOT" {
            PersonKind::Bot
        } else if self.is_stranger {
            PersonKind::Stranger
        } else if self.is_restricted || self.is_ultra_restricted {
            PersonKind::Guest
        } else {
            PersonKind::Member
        };
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let profile = self.profile;
        SlackPerson {
            // An address that its owner never confirmed says nothing about who they are.
            email: filled(profile.email).filter(|_| self.is_email_confirmed != Some(false)),
            name: filled(profile.display_name)
                .or_else(|| filled(self.real_name))
                .or_else(|| filled(profile.real_name))
                .or_else(|| filled(self.name))
                .unwrap_or_else(|| self.id.clone()),
            id: SlackUser::new(self.id),
            team: self.team_id,
            enterprise: self.enterprise_user.and_then(|it| it.enterprise_id),
            kind,
            tz: filled(self.tz),
        }
    }
}
