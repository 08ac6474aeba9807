//! The Slack credential: the bot's token and the signing secret.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::connector::read_secret;
use crate::{Clock, Config, Error};

/// How long the secret is kept, so that a new one is used soon after it was put in place.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// How old the secret may be where a signature does not fit it.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// What the Slack secret holds.
#[derive(Debug, Clone)]
pub struct SlackSecret {
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// What Slack signs its requests with.
    pub signing_secret: SecretString,
}

/// Reads the Slack secret and keeps it for ten minutes.
#[derive(Debug, Clone)]
pub struct SlackSecrets {
    client: aws_sdk_secretsmanager::Client,
    name: String,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Option<(SlackSecret, Timestamp)>>>,
}

impl SlackSecrets {
    /// The Slack secret of the stack of `config`.
    #[must_use]
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: aws_sdk_secretsmanager::Client::new(&config.sdk),
            name: config.slack_secret.clone(),
            clock,
            kept: Arc::default(),
        }
    }

    /// The secret, from memory where that is fresh enough.
    pub async fn get(&self) -> Result<SlackSecret, Error> {
        self.not_older_than(KEPT).await
    }

    /// The secret as it is now, for a signature that does not fit the one in memory: it may have been
    /// rotated. Read at most once in ten seconds, whoever sends whatever.
    pub async fn get_fresh(&self) -> Result<SlackSecret, Error> {
        self.not_older_than(FRESH).await
    }

    async fn not_older_than(&self, age: SignedDuration) -> Result<SlackSecret, Error> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some((secret, read_at)) = kept.as_ref()
            && now.duration_since(*read_at) < age
        {
            return Ok(secret.clone());
        }
        let name = &self.name;
        let hint = format!(
            "put the Slack app's credentials into the secret: aws secretsmanager put-secret-value \
             --secret-id {name} --secret-string '{{\"slack_bot_token\": \"xoxb-…\", \
             \"slack_signing_secret\": \"…\"}}'"
        );
        let json = read_secret(&self.client, name, &hint).await?;
        let text = |key: &str| {
            json.get(key)
                .and_then(|value| value.as_str())
                .filter(|value| !value.is_empty())
                .map(SecretString::from)
                .ok_or_else(|| Error::Unconfigured {
                    error: format!("the secret `{name}` has no key `{key}`"),
                    hint: hint.clone(),
                })
        };
        let secret = SlackSecret {
            bot_token: text("slack_bot_token")?,
            signing_secret: text("slack_signing_secret")?,
        };
        *kept = Some((secret.clone(), now));
        Ok(secret)
    }
}
