//! Why Okta did not do it, by what the caller must do.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::CredentialError;
use crate::ask::Ask;
use crate::limits::Limits;

/// How long to wait where nobody says how long.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// How long Okta is given to end what keeps it from changing anything.
const BUSY: Duration = Duration::from_secs(10);

/// How much of what Okta says is passed on.
const LONGEST: usize = 300;

/// Why Okta did not do it, by what the caller must do. For a read, [`Error::Later`] and
/// [`Error::Unclear`] both mean that it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It certainly had no effect, and may be tried again after a while.
    #[error("could not {doing}: {reason}")]
    Later {
        /// What was to be done, such as "add the Okta user `00u1` to the group `00g1`".
        doing: String,
        /// Why it was not.
        reason: String,
        /// How long to wait before.
        after: Duration,
    },
    /// Nobody knows whether it had an effect.
    #[error("no clear answer on the try to {doing}: {reason}")]
    Unclear {
        /// What was to be done.
        doing: String,
        /// What went wrong.
        reason: String,
    },
    /// The user or the group is not there.
    #[error("could not {doing}: {reason}")]
    Missing {
        /// Which of them.
        what: Missing,
        /// What was to be done.
        doing: String,
        /// What Okta says.
        reason: String,
    },
    /// It had no effect, and will have none until somebody mends what `mend` says.
    #[error("could not {doing}: {reason}")]
    Refused {
        /// What must be mended.
        mend: Mend,
        /// What was to be done.
        doing: String,
        /// Why it was not.
        reason: String,
        /// What a person can do about it.
        hint: String,
    },
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The user.
    User,
    /// The group.
    Group,
}

/// What must be mended before Okta accepts the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Nothing can be: Okta does not do this with this user or this group.
    Nothing,
    /// The token: the people who run Stint put a valid one into the secret.
    Token,
    /// What the token may do: an Okta administrator gives the admin behind it a role.
    Permission,
    /// Where Stint looks for Okta: the people who run it correct the org's domain, or a proxy.
    Address,
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Later { .. } => "nothing was changed; try again in a minute",
            Self::Unclear { .. } => {
                "see Okta's System Log before it is done by hand; https://status.okta.com says how \
                 Okta is"
            }
            Self::Missing {
                what: Missing::User,
                ..
            } => "the user was deleted in Okta: ask an Okta administrator",
            Self::Missing {
                what: Missing::Group,
                ..
            } => "name a group that exists in `flows.toml`",
            Self::Refused { hint, .. } => hint,
        }
    }

    /// Whether somebody can mend it, so that the same call is accepted then.
    #[must_use]
    pub fn is_mendable(&self) -> bool {
        match self {
            Self::Later { .. } | Self::Unclear { .. } => true,
            Self::Missing { what, .. } => *what == Missing::Group,
            Self::Refused { mend, .. } => *mend != Mend::Nothing,
        }
    }

    pub(crate) fn later(ask: Ask<'_>, reason: impl Into<String>, after: Duration) -> Self {
        Self::Later {
            doing: ask.to_string(),
            reason: reason.into(),
            after,
        }
    }

    pub(crate) fn unclear(ask: Ask<'_>, reason: impl Into<String>) -> Self {
        Self::Unclear {
            doing: ask.to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn missing(ask: Ask<'_>, what: Missing, reason: impl Into<String>) -> Self {
        Self::Missing {
            what,
            doing: ask.to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn refused(ask: Ask<'_>, mend: Mend, reason: impl Into<String>) -> Self {
        let hint = match mend {
            Mend::Nothing => {
                "Okta does not do this with this user or group: ask for another target".to_owned()
            }
            Mend::Token => {
                "put a valid Okta API token into the Okta secret; a token dies with the \
                            admin who made it, and after 30 days without use"
                    .to_owned()
            }
            Mend::Permission => format!("the admin behind the Okta token needs {}", ask.needs()),
            Mend::Address => "see whether `okta_org_domain` in `flows.toml` names the org, and \
                              whether a proxy stands between"
                .to_owned(),
        };
        Self::Refused {
            mend,
            doing: ask.to_string(),
            reason: reason.into(),
            hint,
        }
    }

    /// What it means that there is no token.
    pub(crate) fn without_token(ask: Ask<'_>, error: CredentialError) -> Self {
        if error.transient {
            return Self::later(ask, error.reason, PAUSE);
        }
        Self::Refused {
            mend: Mend::Token,
            doing: ask.to_string(),
            reason: error.reason,
            hint: error.hint,
        }
    }

    /// What it means that the call broke off before Okta's answer came.
    pub(crate) fn on_the_way(ask: Ask<'_>, error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        if error.is_connect() {
            // No connection, so nothing was sent.
            Self::later(ask, format!("Okta cannot be reached: {cause}"), PAUSE)
        } else if error.is_timeout() {
            Self::unclear(ask, "no answer within 10 seconds")
        } else {
            Self::unclear(ask, format!("the call broke off: {cause}"))
        }
    }

    /// What the answer `status` with `body` means where it is not a success.
    ///
    /// The codes are those of <https://developer.okta.com/docs/reference/error-codes/>.
    pub(crate) fn answered(ask: Ask<'_>, status: StatusCode, limits: &Limits, body: &[u8]) -> Self {
        // A proxy's page, or Okta's own for a path that it does not know, has no code.
        let complaint: Complaint = serde_json::from_slice(body).unwrap_or_default();
        let reason = complaint.told(status, limits.request_id.as_deref());
        let refused = |mend| Self::refused(ask, mend, reason.clone());
        match (status.as_u16(), complaint.code.as_str()) {
            (429, _) => Self::later(ask, reason, limits.wait()),
            // Read-only mode, and group rules that are being set up: both end by themselves.
            (503, "E0000010") | (409, "E0000249") => Self::later(ask, reason, BUSY),
            (404, "E0000007") if complaint.is_about("(User)") => {
                Self::missing(ask, Missing::User, reason)
            }
            (404, "E0000007") if complaint.is_about("(UserGroup)") => {
                Self::missing(ask, Missing::Group, reason)
            }
            // A feature that the token may not use, in spite of the status.
            (401, "E0000015") => refused(Mend::Permission),
            (401, _) | (403, "E0000005") => refused(Mend::Token),
            // What the user's status, or the kind of the group, does not allow.
            (403, "E0000038") | (501, "E0000060") => refused(Mend::Nothing),
            (403, code) if !code.is_empty() => refused(Mend::Permission),
            (404, _) | (403 | 405 | 407 | 410, "") => refused(Mend::Address),
            // A proxy gave up waiting for Okta.
            (408, _) => Self::unclear(ask, reason),
            (400..=499, _) => refused(Mend::Nothing),
            _ => Self::unclear(ask, reason),
        }
    }
}

/// An error as Okta writes it.
#[derive(Default, Deserialize)]
struct Complaint {
    #[serde(default, rename = "errorCode")]
    code: String,
    #[serde(default, rename = "errorSummary")]
    summary: String,
    #[serde(default, rename = "errorCauses")]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(default, rename = "errorSummary")]
    summary: String,
}

impl Complaint {
    /// Whether the summary says that the missing thing is of the kind `suffix`: nothing else does.
    fn is_about(&self, suffix: &str) -> bool {
        self.summary.trim_end().ends_with(suffix)
    }

    /// What is wrong, in one line, with what an Okta administrator can search the System Log for.
    fn told(&self, status: StatusCode, request_id: Option<&str>) -> String {
        let causes = self.causes.iter().map(|cause| cause.summary.as_str());
        let said: Vec<&str> = std::iter::once(self.summary.as_str())
            .chain(causes)
            .filter(|text| !text.trim().is_empty())
            .collect();
        let said: String = said
            .join("; ")
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it })
            .take(LONGEST)
            .collect();
        let mut where_from = format!("HTTP {}", status.as_u16());
        for part in [Some(self.code.as_str()), request_id] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                where_from = format!("{where_from}, {part}");
            }
        }
        if said.is_empty() {
            format!("Okta answered without a word ({where_from})")
        } else {
            format!("Okta says `{said}` ({where_from})")
        }
    }
}
