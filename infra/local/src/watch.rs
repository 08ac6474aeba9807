//! A clock for the tests of the simulated services, which goes on only when it is told to.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aws::Clock;
use jiff::{SignedDuration, Timestamp};

#[derive(Debug)]
pub(crate) struct Watch(Mutex<Timestamp>);

impl Watch {
    pub(crate) fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
