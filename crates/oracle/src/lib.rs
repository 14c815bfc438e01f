//! The join of `docs/join.md` once more, slow and obvious: for each KMS event, loop over all events.
//!
//! It exists to be compared with, in tests and benches: the join must give the same rows. So it knows no index and no
//! window, each of its functions is a sentence of that page, and it is quadratic. No program that is released contains it.
//!
//! Beside it stand the events that it is asked about: [`cases`], flows as AWS logs them, and [`world`], random ones; and
//! [`deliver`] and [`products`], which bring them to a lake and take the answer from there.

#![expect(clippy::unwrap_used, reason = "it serves tests, which fail by panicking")]

mod agreement;
mod asof;
mod batch;
mod cases;
mod cause;
mod deliveries;
mod differences;
mod event;
mod kms;
mod learned;
mod root;
mod row;
mod tables;
mod trail;
pub mod world;

pub use agreement::assert_agrees_on_cases;
pub use agreement::assert_agrees_on_cases_backwards;
pub use agreement::assert_agrees_on_worlds;
pub use batch::batch;
pub use cases::Case;
pub use cases::cases;
pub use deliveries::deliver;
pub use deliveries::files;
pub use deliveries::logged;
pub use deliveries::products;
pub use deliveries::rows_of;
pub use differences::differences;
pub use differences::together;
pub use event::Event;
pub use event::events_from;
pub use event::sessions_from;
pub use row::Row;
pub use row::rows_from;

use trail::Trail;

/// The rows of every table that the read arm writes, each table in the order of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Products {
    /// Table `correlated`.
    pub correlated: Vec<Row>,
    /// Table `instances`.
    pub instances: Vec<Row>,
    /// Table `volumes`.
    pub volumes: Vec<Row>,
    /// Table `attachments`.
    pub attachments: Vec<Row>,
    /// Table `grants`.
    pub grants: Vec<Row>,
}

/// Correlates `events`, which stand in any order.
pub fn correlate(events: &[Event]) -> Products {
    let trail = Trail::new(events);
    Products {
        correlated: sorted(tables::correlated(&trail)),
        instances: sorted(tables::instances(&trail)),
        volumes: sorted(tables::volumes(&trail)),
        attachments: sorted(tables::attachments(&trail)),
        grants: sorted(tables::grants(&trail)),
    }
}

impl Products {
    /// Returns the tables by name.
    pub fn by_table(&self) -> [(&'static str, &[Row]); 5] {
        [
            ("correlated", &self.correlated),
            ("instances", &self.instances),
            ("volumes", &self.volumes),
            ("attachments", &self.attachments),
            ("grants", &self.grants),
        ]
    }
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}
