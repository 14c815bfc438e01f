//! The join of `docs/join.md` on Apache Spark, for lakes that fit no machine.
//!
//! ```text
//!  lake: events, sessions --plan--> STAGE/<run>/job.json, join.py
//!                                        |  Spark, wherever the user has it
//!                                        v
//!                                   STAGE/<run>/steps/.., products/.., done.json
//!                                        |
//!  lake: correlated, .. <-----adopt------'  checked, and written anew as the join in memory writes
//! ```
//!
//! The steps are made of equi-joins, unions, aggregates and running windows, so Spark spreads them over machines and spills
//! them: `docs/adr/0005`. An as-of join is a running maximum over time and row id, packed into one text. `docs/spark.md`
//! draws the plan. The products are the bytes that the join in memory makes, `trailweave-correlate`, which is the one that
//! one machine runs.

mod adopt;
mod error;
mod job;
mod stage;
mod statements;

pub use adopt::adopt;
pub use error::ClusterError;
pub use job::{Input, JOIN, Job};
pub use stage::{Progress, Stage, StagedRun, staged_runs};
pub use statements::{Product, Step, products, steps};
