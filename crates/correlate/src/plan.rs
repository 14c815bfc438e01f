//! The steps from `events` to the products, in the order in which they run.

use trailweave_table::ATTACHMENTS;
use trailweave_table::CORRELATED;
use trailweave_table::GRANTS;
use trailweave_table::INSTANCES;
use trailweave_table::Table;
use trailweave_table::VOLUMES;

/// A statement whose rows later steps read under its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    sql: &'static str,
    /// The steps, and what else stands in the statement under a name in braces.
    reads: Reads,
}

/// A table of the lake, and the statement that makes its rows: the columns of the table, then `rid`, which orders
/// rows that its order leaves equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) table: &'static Table,
    sql: &'static str,
}

/// Every step reads `events` or steps before it.
pub(crate) const STEPS: [Step; 31] = [
    step("ec2_calls", include_str!("plan/ec2_calls.sql")),
    step("ec2", include_str!("plan/ec2.sql")),
    Step { reads: &[("{family}", FAMILY)], ..step("kms_calls", include_str!("plan/kms_calls.sql")) },
    step("requested", include_str!("plan/requested.sql")),
    step("kms", include_str!("plan/kms.sql")),
    step("creates", include_str!("plan/creates.sql")),
    step("rows", include_str!("plan/rows.sql")),
    step("evidence", include_str!("plan/evidence.sql")),
    step("learn_asks", include_str!("plan/learn_asks.sql")),
    step("learn_offers", include_str!("plan/learn_offers.sql")),
    asof("learn_asof", &[("{asks}", "learn_asks"), ("{before}", "learn_offers"), ("{after}", "learn_offers")]),
    step("learned", include_str!("plan/learned.sql")),
    step("launches", include_str!("plan/launches.sql")),
    step("created", include_str!("plan/created.sql")),
    step("asks", include_str!("plan/asks.sql")),
    step("offers", include_str!("plan/offers.sql")),
    asof("asof", &[("{asks}", "asks"), ("{before}", "offers"), ("{after}", "offers")]),
    step("found", include_str!("plan/found.sql")),
    step("causes", include_str!("plan/causes.sql")),
    step("linked", include_str!("plan/linked.sql")),
    step("caused", include_str!("plan/caused.sql")),
    step("launched", include_str!("plan/launched.sql")),
    step("data_keys", include_str!("plan/data_keys.sql")),
    step("volume_keys", include_str!("plan/volume_keys.sql")),
    step("actors", include_str!("plan/actors.sql")),
    step("issued", include_str!("plan/issued.sql")),
    step("followed_1", include_str!("plan/followed.sql")),
    twice("followed_2", &[("{steps}", "followed_1")]),
    twice("followed_4", &[("{steps}", "followed_2")]),
    twice("followed_8", &[("{steps}", "followed_4")]),
    step("roots", include_str!("plan/roots.sql")),
];

/// Services that are EC2, EBS, or launch instances.
const FAMILY: &str = r"'^(ec2-frontend-api|ec2(\.[a-z0-9-]+)?|ebs|autoscaling|spot|spotfleet|ec2fleet|prod\.kms-caller\.ebs\.[a-z0-9-]+)\.amazonaws\.com(\.cn)?$'";

/// The products read the steps.
pub(crate) const PRODUCTS: [Product; 5] = [
    Product { table: &CORRELATED, sql: include_str!("plan/correlated.sql") },
    Product { table: &INSTANCES, sql: include_str!("plan/instances.sql") },
    Product { table: &VOLUMES, sql: include_str!("plan/volumes.sql") },
    Product { table: &ATTACHMENTS, sql: include_str!("plan/attachments.sql") },
    Product { table: &GRANTS, sql: include_str!("plan/grants.sql") },
];

type Reads = &'static [(&'static str, &'static str)];

const fn step(name: &'static str, sql: &'static str) -> Step {
    Step { name, sql, reads: &[] }
}

const fn asof(name: &'static str, reads: Reads) -> Step {
    Step { name, sql: include_str!("plan/asof.sql"), reads }
}

const fn twice(name: &'static str, reads: Reads) -> Step {
    Step { name, sql: include_str!("plan/twice.sql"), reads }
}

impl Step {
    pub(crate) fn sql(&self) -> String {
        self.reads.iter().fold(self.sql.to_owned(), |sql, (place, step)| sql.replace(place, step))
    }
}

impl Product {
    /// The statement, with the rows' date in front and in the order of the files.
    pub(crate) fn sql(&self) -> String {
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
