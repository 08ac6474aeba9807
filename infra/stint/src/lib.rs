//! The platform team's command. A library too, so that the tests call what the command does.

mod check;

pub use check::{Report, check};
