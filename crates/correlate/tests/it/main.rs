//! The plan and the oracle give the same products, on flows as AWS logs them and on random events.

mod cases;
mod lake;
mod property;
mod world;
