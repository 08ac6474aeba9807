//! The names of what a deploy would make.

/// The region that everything is in.
pub(crate) const REGION: &str = "us-east-1";

/// The account that everything is in.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The table's name.
pub(crate) const TABLE: &str = "stint";

/// The secret with Slack's token and signing secret.
pub(crate) const SLACK_SECRET: &str = "/stint/slack";

/// The secret with Okta's token.
pub(crate) const OKTA_SECRET: &str = "/stint/okta";

/// The runtime connector's role.
pub(crate) const CONNECTOR_ROLE: &str = "arn:aws:iam::000000000000:role/stint-runtime-connector";

/// The external id that the role wants to hear.
pub(crate) const EXTERNAL_ID: &str = "sandbox-external-id";

/// The group of the stack's schedules.
pub(crate) const SCHEDULE_GROUP: &str = "stint";

/// The role that lets a schedule invoke `deescalation`.
pub(crate) const SCHEDULE_ROLE: &str = "arn:aws:iam::000000000000:role/stint-schedules";
