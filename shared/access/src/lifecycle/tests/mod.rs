//! The life of a request, told as conversations, and its promises, held to whatever may happen.

mod drift;
mod life;
mod model;
mod promises;
mod reminders;
mod world;
