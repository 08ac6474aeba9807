//! Where the token comes from, and how it is shown to Okta.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// Where the client gets its token, before each call. It keeps the token itself, and does not show it
/// in its `Debug` output.
pub trait CredentialSource: Send + Sync + Debug {
    /// The API token, without the word `SSWS`.
    fn token(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, CredentialError>> + Send + '_>>;

    /// Forgets a kept token: Okta rejected it, and there may be a newer one.
    fn forget(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Hears that there is no token that Okta takes: somebody must put one in place.
    fn failed(&self) {}
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    /// What went wrong.
    pub reason: String,
    /// What a person can do about it.
    pub hint: String,
    /// Whether it may go by itself.
    pub transient: bool,
}

/// The header that shows `token` to Okta; nothing if no header can carry it.
///
/// This is the only place that knows the kind of the token. An OAuth token would be `Bearer` here and
/// come from another [`CredentialSource`].
pub(crate) fn authorization(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("SSWS {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}
