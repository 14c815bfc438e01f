//! The join of `docs/join.md` as SQL: steps from `events` and `sessions` to the products, for an engine that runs them on a cluster.
//!
//! ```text
//!  events, sessions --STEPS: each reads events or steps before it--> rows under the step's name --PRODUCTS--> correlated, ..
//! ```
//!
//! The steps are made of equi-joins, unions, aggregates and running windows, so any engine can spread them over machines
//! and spill them: `docs/adr/0005`. An as-of join is a running maximum over time and row id, packed into one text. This
//! crate holds texts alone; no program runs them yet. Its tests run them in DataFusion, and they make the bytes of the
//! join in memory, `trailweave-correlate`, which is the one that one machine runs.

use trailweave_table::ATTACHMENTS;
use trailweave_table::CORRELATED;
use trailweave_table::GRANTS;
use trailweave_table::INSTANCES;
use trailweave_table::Table;
use trailweave_table::VOLUMES;

/// A statement whose rows later steps read under its name.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    sql: &'static str,
    /// The steps, and what else stands in the statement under a name in braces.
    reads: Reads,
}

/// A table of the lake, and the statement that makes its rows: the columns of the table, then `rid`, which orders
/// rows that its order leaves equal.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// The table.
    pub table: &'static Table,
    sql: &'static str,
}

/// The steps, in the order in which they run: each reads `events`, `sessions` or steps before it.
pub const STEPS: [Step; 31] = [
    step("ec2_calls", include_str!("../sql/ec2_calls.sql")),
    step("ec2", include_str!("../sql/ec2.sql")),
    Step { reads: &[("{family}", FAMILY)], ..step("kms_calls", include_str!("../sql/kms_calls.sql")) },
    step("requested", include_str!("../sql/requested.sql")),
    step("kms", include_str!("../sql/kms.sql")),
    step("creates", include_str!("../sql/creates.sql")),
    step("rows", include_str!("../sql/rows.sql")),
    step("evidence", include_str!("../sql/evidence.sql")),
    step("learn_asks", include_str!("../sql/learn_asks.sql")),
    step("learn_offers", include_str!("../sql/learn_offers.sql")),
    asof("learn_asof", &[("{asks}", "learn_asks"), ("{before}", "learn_offers"), ("{after}", "learn_offers")]),
    step("learned", include_str!("../sql/learned.sql")),
    step("launches", include_str!("../sql/launches.sql")),
    step("created", include_str!("../sql/created.sql")),
    step("asks", include_str!("../sql/asks.sql")),
    step("offers", include_str!("../sql/offers.sql")),
    asof("asof", &[("{asks}", "asks"), ("{before}", "offers"), ("{after}", "offers")]),
    step("found", include_str!("../sql/found.sql")),
    step("causes", include_str!("../sql/causes.sql")),
    step("linked", include_str!("../sql/linked.sql")),
    step("caused", include_str!("../sql/caused.sql")),
    step("launched", include_str!("../sql/launched.sql")),
    step("data_keys", include_str!("../sql/data_keys.sql")),
    step("volume_keys", include_str!("../sql/volume_keys.sql")),
    step("actors", include_str!("../sql/actors.sql")),
    step("issued", include_str!("../sql/issued.sql")),
    step("followed_1", include_str!("../sql/followed.sql")),
    twice("followed_2", &[("{steps}", "followed_1")]),
    twice("followed_4", &[("{steps}", "followed_2")]),
    twice("followed_8", &[("{steps}", "followed_4")]),
    step("roots", include_str!("../sql/roots.sql")),
];

/// Services that are EC2, EBS, or launch instances.
const FAMILY: &str = r"'^(ec2-frontend-api|ec2(\.[a-z0-9-]+)?|ebs|autoscaling|spot|spotfleet|ec2fleet|prod\.kms-caller\.ebs\.[a-z0-9-]+)\.amazonaws\.com(\.cn)?$'";

/// The products, which read the steps.
pub const PRODUCTS: [Product; 5] = [
    Product { table: &CORRELATED, sql: include_str!("../sql/correlated.sql") },
    Product { table: &INSTANCES, sql: include_str!("../sql/instances.sql") },
    Product { table: &VOLUMES, sql: include_str!("../sql/volumes.sql") },
    Product { table: &ATTACHMENTS, sql: include_str!("../sql/attachments.sql") },
    Product { table: &GRANTS, sql: include_str!("../sql/grants.sql") },
];

type Reads = &'static [(&'static str, &'static str)];

const fn step(name: &'static str, sql: &'static str) -> Step {
    Step { name, sql, reads: &[] }
}

const fn asof(name: &'static str, reads: Reads) -> Step {
    Step { name, sql: include_str!("../sql/asof.sql"), reads }
}

const fn twice(name: &'static str, reads: Reads) -> Step {
    Step { name, sql: include_str!("../sql/twice.sql"), reads }
}

impl Step {
    /// Returns the statement.
    pub fn sql(&self) -> String {
        self.reads.iter().fold(self.sql.to_owned(), |sql, (place, step)| sql.replace(place, step))
    }
}

impl Product {
    /// Returns the statement, with the rows' date in front and in the order of the files.
    pub fn sql(&self) -> String {
        let dated_by = self.table.dated_by.expect("every product is partitioned by date");
        let mut order = String::new();
        for column in self.table.sort_by {
            order.push_str(column);
            order.push_str(" ASC NULLS FIRST, ");
        }
        format!(
            "SELECT CAST({dated_by} AS DATE) AS event_date, * FROM (\n{}\n) ORDER BY event_date, {order}rid",
            self.sql
        )
    }
}
