//! The one place where time is read.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

/// Where a function gets the time from: [`SystemClock`] in Lambda, a clock that can be moved in the
/// local run.
pub trait Clock: Send + Sync + Debug {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// Returns once [`Clock::now`] has reached `instant`, at once if it already has.
    fn sleep_until(&self, instant: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Counts the caller as working beside others until the answer is dropped, so that a clock that
    /// is moved by hand knows when everybody sleeps.
    fn strand(&self) -> Box<dyn Send + Sync> {
        Box::new(())
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the edge at which the clock is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, instant: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let wait = self.now().duration_until(instant);
            if let Ok(wait) = std::time::Duration::try_from(wait) {
                tokio::time::sleep(wait).await;
            }
        })
    }
}
