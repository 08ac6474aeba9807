//! What a function must know about the stack it runs in.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use reqwest::Client;
use url::Url;

/// What a function must know about the stack it runs in. `template.yaml` sets it in the environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table's name (`STINT_TABLE`).
    pub table: String,
    /// The secret with Slack's token and signing secret (`STINT_SLACK_SECRET`).
    pub slack_secret: String,
    /// The secret with Okta's token (`STINT_OKTA_SECRET`).
    pub okta_secret: String,
    /// The key of the token in that secret's JSON (`STINT_OKTA_SECRET_KEY`).
    pub okta_secret_key: String,
    /// The runtime connector's role (`STINT_CONNECTOR_ROLE_ARN`).
    pub connector_role_arn: String,
    /// The external id that the role wants to hear (`STINT_CONNECTOR_EXTERNAL_ID`).
    pub external_id: String,
    /// The group of the schedules (`STINT_SCHEDULE_GROUP`).
    pub schedule_group: String,
    /// The role that a schedule uses (`STINT_SCHEDULE_ROLE_ARN`).
    pub schedule_role_arn: String,
    /// The queue for what a schedule could not deliver (`STINT_SCHEDULE_DLQ_ARN`); none if empty.
    pub schedule_dlq_arn: String,
    /// The function `approval`, by name or ARN (`STINT_APPROVAL`).
    pub approval_function: String,
    /// The function `escalation`, by name or ARN (`STINT_ESCALATION`).
    pub escalation_function: String,
    /// The function `deescalation`, by ARN (`STINT_DEESCALATION`).
    pub deescalation_function: String,
    /// The folder with `flows.toml` and `policy.cedar` (`STINT_FLOWS_DIR`, `/opt` by default).
    pub flows_dir: PathBuf,
    /// Slack's Web API (`STINT_SLACK_URL`, `https://slack.com/api/` by default).
    pub slack_base: Url,
    /// The Okta org's domain (`STINT_OKTA_ORG`); the only org whose credential is used.
    pub okta_org: String,
    /// The Okta org's address (`STINT_OKTA_URL`, `https://` and the domain by default).
    pub okta_base: Url,
    /// What everything is sent with.
    pub client: Client,
    /// The AWS SDK's region, credentials and endpoint.
    pub sdk: SdkConfig,
}

impl Config {
    /// Reads the environment. What a function does not need is left empty: each role may do only
    /// what its function needs, and an empty name fails there.
    ///
    /// # Errors
    ///
    /// Names the variable that does not hold an address.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the edge at which the environment is read"
    )]
    pub fn from_env() -> Result<Self, String> {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let or = |name: &str, default: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| default.to_owned())
        };
        let address = |name: &str, default: &str| {
            let value = or(name, default);
            Url::parse(&value)
                .map_err(|error| format!("`{name}` is `{value}`, expected an address: {error}"))
        };
        let okta_org = text("STINT_OKTA_ORG");
        // Lambda puts credentials into the environment and nowhere else: nothing that could find them
        // in other places is built in.
        let credentials =
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        let client = https::client();
        let endpoint = Some(text("AWS_ENDPOINT_URL")).filter(|url| !url.is_empty());
        Ok(Self {
            table: text("STINT_TABLE"),
            slack_secret: text("STINT_SLACK_SECRET"),
            okta_secret: text("STINT_OKTA_SECRET"),
            okta_secret_key: or("STINT_OKTA_SECRET_KEY", "okta_api_token"),
            connector_role_arn: text("STINT_CONNECTOR_ROLE_ARN"),
            external_id: text("STINT_CONNECTOR_EXTERNAL_ID"),
            schedule_group: text("STINT_SCHEDULE_GROUP"),
            schedule_role_arn: text("STINT_SCHEDULE_ROLE_ARN"),
            schedule_dlq_arn: text("STINT_SCHEDULE_DLQ_ARN"),
            approval_function: text("STINT_APPROVAL"),
            escalation_function: text("STINT_ESCALATION"),
            deescalation_function: text("STINT_DEESCALATION"),
            flows_dir: PathBuf::from(or("STINT_FLOWS_DIR", "/opt")),
            slack_base: address("STINT_SLACK_URL", "https://slack.com/api/")?,
            okta_base: address("STINT_OKTA_URL", &format!("https://{okta_org}"))?,
            okta_org,
            sdk: sdk(client.clone(), text("AWS_REGION"), credentials, endpoint),
            client,
        })
    }
}

/// The AWS SDK for `region`, with `credentials`, which sends its calls with `client`; at `endpoint`
/// instead of AWS, where there is one.
#[must_use]
pub fn sdk(
    client: Client,
    region: String,
    credentials: SharedCredentialsProvider,
    endpoint: Option<String>,
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(5))
        .build();
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .http_client(https::for_aws(client));
    sdk.set_endpoint_url(endpoint);
    sdk.build()
}
