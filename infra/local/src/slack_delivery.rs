//! How the simulated Slack reaches the real ingress.

use std::future::Future;
use std::pin::Pin;

/// A signed HTTP request, as Slack sends it to `POST /slack/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHttp {
    /// Header names and values; the names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte as it was signed.
    pub body: Vec<u8>,
}

/// What the ingress answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A future that does not care who polls it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the simulated Slack needs of the rest of the local run.
pub trait Deliver: Send + Sync {
    /// Posts `request` to the ingress, the way `POST /slack/events` does.
    fn deliver(&self, request: SignedHttp) -> BoxFuture<'_, Answered>;

    /// Returns once nothing is under way any more: what a click set off has been done, or waits for
    /// the clock. The caller's own work does not count.
    fn settled(&self) -> BoxFuture<'_, ()>;
}
