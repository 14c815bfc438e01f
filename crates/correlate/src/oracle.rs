//! The join of `docs/join.md` once more, slow and obvious: for each KMS event, loop over all events.
//!
//! It exists to be compared with: the plan must give the same rows. So it knows no index and no window, each of its
//! functions is a sentence of that page, and it is quadratic.

mod asof;
mod batch;
mod cause;
mod event;
mod kms;
mod learned;
mod root;
mod row;
mod tables;
mod trail;

pub use batch::batch;
pub use event::Event;
pub use event::events_from;
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
    /// The tables by name.
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
