//! The statements of the join, in the dialect of Spark: steps, then products.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use trailweave_table::ATTACHMENTS;
use trailweave_table::CORRELATED;
use trailweave_table::DATE_PARTITION;
use trailweave_table::GRANTS;
use trailweave_table::INSTANCES;
use trailweave_table::Table;
use trailweave_table::VOLUMES;

/// A statement whose rows later ones read under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// The steps that it reads by `IDENTIFIER(:name)`.
    pub args: BTreeMap<String, String>,
}

/// A table of the lake, and the statement that makes its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The table.
    pub name: String,
    /// The statement. Its columns are the date, those of the table, and `rid`.
    pub sql: String,
    /// The columns by which the rows of a file are ordered; `rid` orders those that are equal.
    pub order: Vec<String>,
}

/// Returns the steps in the order in which they run: each reads `events`, `sessions` or steps before it.
pub fn steps() -> Vec<Step> {
    let asof = include_str!("../sql/asof.sql");
    let twice = include_str!("../sql/twice.sql");
    vec![
        step("ec2_calls", include_str!("../sql/ec2_calls.sql")),
        step("ec2", include_str!("../sql/ec2.sql")),
        step("kms_calls", include_str!("../sql/kms_calls.sql")),
        step("requested", include_str!("../sql/requested.sql")),
        step("kms", include_str!("../sql/kms.sql")),
        step("creates", include_str!("../sql/creates.sql")),
        step("rows", include_str!("../sql/rows.sql")),
        step("evidence", include_str!("../sql/evidence.sql")),
        step("learn_asks", include_str!("../sql/learn_asks.sql")),
        step("learn_offers", include_str!("../sql/learn_offers.sql")),
        reading(&[("asks", "learn_asks"), ("offers", "learn_offers")], step("learn_asof", asof)),
        step("learned", include_str!("../sql/learned.sql")),
        step("launches", include_str!("../sql/launches.sql")),
        step("created", include_str!("../sql/created.sql")),
        step("asks", include_str!("../sql/asks.sql")),
        step("offers", include_str!("../sql/offers.sql")),
        reading(&[("asks", "asks"), ("offers", "offers")], step("asof", asof)),
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
        reading(&[("followed", "followed_1")], step("followed_2", twice)),
        reading(&[("followed", "followed_2")], step("followed_4", twice)),
        reading(&[("followed", "followed_4")], step("followed_8", twice)),
        step("roots", include_str!("../sql/roots.sql")),
    ]
}

/// Returns the products, which read the steps.
pub fn products() -> Vec<Product> {
    vec![
        product(&CORRELATED, include_str!("../sql/correlated.sql")),
        product(&INSTANCES, include_str!("../sql/instances.sql")),
        product(&VOLUMES, include_str!("../sql/volumes.sql")),
        product(&ATTACHMENTS, include_str!("../sql/attachments.sql")),
        product(&GRANTS, include_str!("../sql/grants.sql")),
    ]
}

fn step(name: &str, sql: &str) -> Step {
    Step { name: name.to_owned(), sql: sql.to_owned(), args: BTreeMap::new() }
}

fn reading(steps: &[(&str, &str)], step: Step) -> Step {
    let args = steps.iter().map(|(name, step)| ((*name).to_owned(), (*step).to_owned())).collect();
    Step { args, ..step }
}

fn product(table: &'static Table, sql: &str) -> Product {
    let dated_by = table.dated_by.expect("every product is partitioned by date");
    Product {
        name: table.name.to_owned(),
        sql: format!("SELECT CAST({dated_by} AS DATE) AS {DATE_PARTITION}, * FROM (\n{sql})"),
        order: table.sort_by.iter().map(|&column| column.to_owned()).collect(),
    }
}
