//! Identifiers, each a type of its own so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the identifier as the other side spells it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as the other side spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A Slack user, `U…` or `W…`.
    SlackUser
);
name!(
    /// An Okta user, `00u…`.
    OktaUser
);
name!(
    /// An Okta group, `00g…`.
    Group
);
name!(
    /// The domain of an Okta org, such as `myco.okta.com`.
    Org
);
name!(
    /// One delivery of one click in Slack; the same click delivered twice has the same.
    Click
);
name!(
    /// The version of a ledger item and the name of the call announced with it. Never repeats, not
    /// even after the item was deleted: it is made of randomness by the shell.
    Stamp
);
name!(
    /// One request for access. Made from the Slack team and the form's view, so that a form that is
    /// delivered twice is one request.
    RequestId
);

impl RequestId {
    /// The request that the form `view` of the workspace `team` makes. Both are Slack identifiers
    /// (letters and digits); any other character is left out so that the name fits a schedule's.
    #[must_use]
    pub fn from_form(team: &str, view: &str) -> Self {
        let keep = |text: &str| -> String {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(24)
                .collect()
        };
        Self(format!("{}-{}", keep(team), keep(view)))
    }
}
