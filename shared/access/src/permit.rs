//! The proof that a policy permitted something.

use serde::{Deserialize, Serialize};

/// What a policy can permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Ask for a target.
    Request,
    /// Say yes to a request.
    Approve,
    /// Say no to a request.
    Deny,
    /// Take access back before its end.
    Revoke,
    /// Ask for more time.
    Extend,
    /// Get access without anybody's yes.
    AutoApprove,
}

impl Action {
    /// Its name in `policy.cedar`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
            Self::Extend => "extend",
            Self::AutoApprove => "auto_approve",
        }
    }
}

/// The proof that policies permitted an action. Only the policy engine makes one, so no transition
/// that gives access can be written without having asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permit {
    action: Action,
    policies: Vec<String>,
}

impl Permit {
    /// What was permitted.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The ids of the policies that permitted it.
    #[must_use]
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    #[cfg(any(feature = "policy", test))]
    pub(crate) fn new(action: Action, policies: Vec<String>) -> Self {
        Self { action, policies }
    }
}
