//! The KMS calls of a lake by the EC2 actions that made them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::HashSet;

use ahash::RandomState;
use arrow::array::AsArray;
use parquet::errors::ParquetError;
use trailweave_lake::Lake;
use trailweave_lake::LakeError;
use trailweave_lake::LakeFile;
use trailweave_lake::read::columns;
use trailweave_table::CORRELATED;

use crate::CorrelateError;

/// Calls of one EC2 action that are linked to it in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The column `ec2_event_name`; `None`: the calls have no cause.
    pub name: Option<String>,
    /// The column `link`.
    pub link: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of instances for which they were.
    pub instances: usize,
}

type Counts = BTreeMap<(Option<String>, String), (u64, HashSet<String, RandomState>)>;

/// Counts the rows of `correlated` by action and link, the most frequent first.
pub fn actions(lake: &Lake) -> Result<Vec<Action>, CorrelateError> {
    let mut counts = Counts::new();
    for part in lake.parts(&CORRELATED)? {
        count(lake.open_listed(&part)?, &mut counts).map_err(LakeError::parquet(&part.path))?;
    }
    let action = |((name, link), (calls, instances)): (_, (u64, HashSet<String, RandomState>))| Action {
        name,
        link,
        calls,
        instances: instances.len(),
    };
    let mut actions: Vec<Action> = counts.into_iter().map(action).collect();
    actions.sort_by_key(|action| Reverse(action.calls));
    Ok(actions)
}

fn count(file: LakeFile, counts: &mut Counts) -> Result<(), ParquetError> {
    const COLUMNS: [&str; 3] = ["ec2_event_name", "link", "instance_id"];
    for rows in columns(file, COLUMNS)?.build()? {
        let rows = rows?;
        let [names, links, instances] = COLUMNS.map(|column| rows[column].as_string::<i32>());
        for ((name, link), instance) in names.iter().zip(links).zip(instances) {
            let key = (name.map(str::to_owned), link.unwrap_or_default().to_owned());
            let (calls, of_instances) = counts.entry(key).or_default();
            *calls += 1;
            of_instances.extend(instance.map(str::to_owned));
        }
    }
    Ok(())
}
