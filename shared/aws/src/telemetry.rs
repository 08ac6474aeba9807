//! Structured logs and metrics.
//!
//! Logs are one JSON object a line; metrics are lines in CloudWatch's embedded metric format, which
//! need no call. Neither is written before [`init`], so the local run stays quiet.

use std::cell::RefCell;
use std::sync::OnceLock;

use jiff::Timestamp;
use tracing_subscriber::filter::LevelFilter;

static FUNCTION: OnceLock<String> = OnceLock::new();

thread_local! {
    static WATCHER: RefCell<Option<Box<Watcher>>> = const { RefCell::new(None) };
}

type Watcher = dyn Fn(&str, f64, Timestamp);

/// Starts logging and metrics for `function`. Call it once, first in `main`.
///
/// Metrics are those of the function's full name, such as `stint-approval`, by which Lambda knows it: two
/// stacks in one account do not write into the same ones.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge at which the environment is read"
)]
pub fn init(function: &str) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_max_level(LevelFilter::INFO)
        .without_time()
        .init();
    // A second call would name another function: the first one stays.
    let full_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME");
    FUNCTION.get_or_init(|| full_name.unwrap_or_else(|_| function.to_owned()));
}

/// `error` as the Lambda runtime is to have it. The runtime logs what it gets as programmers see it:
/// words stay words.
pub fn in_words(error: impl std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
    error.to_string().into()
}

/// Tells `watcher` of every metric that is recorded on this thread from now on: its name, its value and
/// when. Whoever runs the functions in threads of its own sees so what they measure.
pub fn watch(watcher: impl Fn(&str, f64, Timestamp) + 'static) {
    WATCHER.set(Some(Box::new(watcher)));
}

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

/// Records `value` of the metric `name` at `now`.
#[expect(
    clippy::print_stdout,
    reason = "CloudWatch takes metrics from raw lines on standard output"
)]
pub fn metric(name: &str, value: f64, unit: Unit, now: Timestamp) {
    WATCHER.with_borrow(|watcher| {
        if let Some(watcher) = watcher {
            watcher(name, value, now);
        }
    });
    let Some(function) = FUNCTION.get() else {
        return;
    };
    let unit = match unit {
        Unit::Count => "Count",
        Unit::Seconds => "Seconds",
    };
    let line = serde_json::json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": "Stint",
                "Dimensions": [["function"]],
                "Metrics": [{"Name": name, "Unit": unit}],
            }],
        },
        "function": function,
        name: value,
    });
    println!("{line}");
}
