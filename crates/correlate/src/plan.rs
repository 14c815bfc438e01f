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
    /// The as-of step: the steps whose rows ask, and those whose rows offer.
    asof: Option<(&'static str, &'static str)>,
}

/// A table of the lake, and the statement that makes its rows: the columns of the table, then `rid`, which orders
/// rows that its order leaves equal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) table: &'static Table,
    sql: &'static str,
}

/// Every step reads `events` or steps before it.
pub(crate) const STEPS: [Step; 23] = [
    step("ec2_calls", include_str!("plan/ec2_calls.sql")),
    step("ec2", include_str!("plan/ec2.sql")),
    step("kms_calls", include_str!("plan/kms_calls.sql")),
    step("kms", include_str!("plan/kms.sql")),
    step("creates", include_str!("plan/creates.sql")),
    step("rows", include_str!("plan/rows.sql")),
    step("evidence", include_str!("plan/evidence.sql")),
    step("learn_asks", include_str!("plan/learn_asks.sql")),
    step("learn_offers", include_str!("plan/learn_offers.sql")),
    asof("learn_asof", "learn_asks", "learn_offers"),
    step("learned", include_str!("plan/learned.sql")),
    step("launches", include_str!("plan/launches.sql")),
    step("created", include_str!("plan/created.sql")),
    step("asks", include_str!("plan/asks.sql")),
    step("offers", include_str!("plan/offers.sql")),
    asof("asof", "asks", "offers"),
    step("found", include_str!("plan/found.sql")),
    step("causes", include_str!("plan/causes.sql")),
    step("linked", include_str!("plan/linked.sql")),
    step("caused", include_str!("plan/caused.sql")),
    step("launched", include_str!("plan/launched.sql")),
    step("data_keys", include_str!("plan/data_keys.sql")),
    step("volume_keys", include_str!("plan/volume_keys.sql")),
];

/// The products read the steps.
pub(crate) const PRODUCTS: [Product; 5] = [
    Product { table: &CORRELATED, sql: include_str!("plan/correlated.sql") },
    Product { table: &INSTANCES, sql: include_str!("plan/instances.sql") },
    Product { table: &VOLUMES, sql: include_str!("plan/volumes.sql") },
    Product { table: &ATTACHMENTS, sql: include_str!("plan/attachments.sql") },
    Product { table: &GRANTS, sql: include_str!("plan/grants.sql") },
];

const fn step(name: &'static str, sql: &'static str) -> Step {
    Step { name, sql, asof: None }
}

const fn asof(name: &'static str, asks: &'static str, offers: &'static str) -> Step {
    Step { name, sql: include_str!("plan/asof.sql"), asof: Some((asks, offers)) }
}

impl Step {
    pub(crate) fn sql(&self) -> String {
        match self.asof {
            Some((asks, offers)) => self.sql.replace("{asks}", asks).replace("{offers}", offers),
            None => self.sql.to_owned(),
        }
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
