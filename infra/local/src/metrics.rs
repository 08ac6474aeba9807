//! What the functions measure, which CloudWatch has in a stack.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::work::locked;

/// How long an alarm looks back.
const PERIOD: SignedDuration = SignedDuration::from_secs(180);

/// The metrics of one local run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    recorded: Arc<Mutex<BTreeMap<String, Recorded>>>,
}

/// What was recorded of one metric within the last period, oldest first.
type Recorded = VecDeque<(Timestamp, f64)>;

impl Metrics {
    /// Takes what the functions record on the present thread from now on.
    pub(crate) fn watch(&self) {
        let this = self.clone();
        aws::telemetry::watch(move |name, value, now| this.record(name, value, now));
    }

    fn record(&self, name: &str, value: f64, now: Timestamp) {
        let mut recorded = locked(&self.recorded);
        let values = recorded.entry(name.to_owned()).or_default();
        values.push_back((now, value));
        while values
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) > PERIOD)
        {
            values.pop_front();
        }
    }

    /// Of each metric the last value, and the largest of the three minutes before it.
    pub(crate) fn state(&self) -> Value {
        let recorded = locked(&self.recorded);
        let all = recorded.iter().filter_map(|(name, values)| {
            let (at, value) = values.back()?;
            let maximum = values.iter().map(|it| it.1).fold(0.0, f64::max);
            let shown = json!({"at": at, "value": value, "maximum": maximum});
            Some((name.clone(), shown))
        });
        Value::Object(all.collect())
    }
}
