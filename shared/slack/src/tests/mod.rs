mod calls;
mod cards;
mod decisions;
mod forms;
mod homes;
mod limits;
mod payloads;
mod signatures;
mod surfaces;
mod texts;

// What Slack refuses, as the simulated Slack of the local run knows it.
#[path = "../../../../infra/local/src/slack/limits.rs"]
#[expect(unreachable_pub, reason = "it is public where it lives")]
mod slacks_limits;
