//! The crash explorer: plays a scenario over the real functions, the real table and the simulated
//! Slack and Okta; counts the calls that the functions make to the outside; and then plays it again
//! for each of these calls, in each of the ways in which a function can die there, be beaten to it by
//! another one, or be woken twice. After each run time goes on, the sweep does its work, and the
//! promises are checked.
//!
//! - [`Plan`] stands at the border and strikes where it was told to.
//! - [`Run`] is one run: people who do what people do, also when nothing seems to come of it.
//! - `promises`: what must be true after each run.
//! - [`settings`]: the moments at which scenarios begin.
//! - [`Exploration`] plays a scenario in every way, and keeps the figures.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an exploration ends where something is not as it should be"
)]

mod exploration;
mod plan;
mod promises;
mod run;
pub mod settings;

pub use exploration::Exploration;
pub use plan::{Handler, Hold, How, Key, Plan};
pub use run::{Run, named};
