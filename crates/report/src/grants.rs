//! The grants that nothing ended, by their own table, which knows the ends on pruned days, too.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use trailweave_lake::read::{Keys, columns};
use trailweave_lake::{Lake, LakeError, Part};
use trailweave_table::GRANTS;

use crate::choice::Choice;
use crate::grid::{Cell, Grid};
use crate::passes::read_all;
use crate::texts::{micros, texts, value};

const MAX_GRANTS: usize = 50;

const COLUMNS: [&str; 9] = [
    "grant_id",
    "key_arn",
    "recipient_account_id",
    "aws_region",
    "created_at",
    "ended_at",
    "grantee_principal",
    "instance_id",
    "volume_id",
];

/// The grants of a lake.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// Those that ended, of those that were asked for.
    pub(crate) ended: Keys,
    /// The oldest of the others that are chosen, by time and id: the texts of key, grantee, instance and volume.
    alive: BTreeMap<(Option<i64>, String), [Option<String>; 4]>,
    n_alive: usize,
}

impl Grants {
    /// Reads the grants; of those that ended it keeps the ones in `asked`.
    pub(crate) fn read(lake: &Lake, choice: &Choice, asked: &Keys) -> Result<Self, LakeError> {
        let of_part = |part: &Part| {
            let mut grants = Self::default();
            let file = lake.open_listed(part)?;
            let read = || {
                for rows in columns(file, COLUMNS)?.build()? {
                    grants.add(&rows?, choice.takes_part(part), choice, asked);
                }
                Ok(grants)
            };
            read().map_err(LakeError::parquet(&part.path))
        };
        read_all(&lake.parts(&GRANTS)?, of_part, Self::merge)
    }

    fn merge(&mut self, more: Self) {
        self.ended.extend(more.ended.iter());
        self.n_alive += more.n_alive;
        self.alive.extend(more.alive);
        while self.alive.len() > MAX_GRANTS {
            self.alive.pop_last();
        }
    }

    fn add(&mut self, rows: &RecordBatch, is_chosen: bool, choice: &Choice, asked: &Keys) {
        let [grants, accounts, regions] =
            ["grant_id", "recipient_account_id", "aws_region"].map(|column| texts(rows, column));
        let shown = ["key_arn", "grantee_principal", "instance_id", "volume_id"].map(|column| texts(rows, column));
        let ends = &rows["ended_at"];
        for row in 0..rows.num_rows() {
            let Some(grant) = value(grants, row) else { continue };
            if ends.is_valid(row) {
                if asked.contains(grant) {
                    self.ended.insert(grant);
                }
                continue;
            }
            let [account, region] = [accounts, regions].map(|column| value(column, row).unwrap_or_default());
            if is_chosen && choice.takes_place(account, region) {
                self.n_alive += 1;
                let created = micros(rows, "created_at", row);
                let last = self.alive.last_key_value().filter(|_| self.alive.len() == MAX_GRANTS);
                if last.is_some_and(|((last, id), _)| (*last, id.as_str()) < (created, grant)) {
                    continue;
                }
                let texts = shown.map(|column| value(column, row).map(str::to_owned));
                self.alive.insert((created, grant.to_owned()), texts);
                if self.alive.len() > MAX_GRANTS {
                    self.alive.pop_last();
                }
            }
        }
    }

    /// Shows the grants that nothing ended, the oldest first, as the view `grants_never_retired` has them.
    pub(crate) fn alive(&self, choice: &Choice, chain: &impl Fn(&str) -> Option<String>) -> Grid {
        let row =
            |((created, grant), [key, grantee, instance, volume]): (&(Option<i64>, String), &[Option<String>; 4])| {
                let instance = instance.as_deref();
                vec![
                    Cell::time(*created),
                    Cell::id(Some(grant)),
                    Cell::id(key.as_deref()),
                    Cell::id(grantee.as_deref()),
                    Cell::id(instance).leads_to(instance.and_then(chain)),
                    Cell::id(volume.as_deref()),
                ]
            };
        Grid {
            id: "grants-alive".into(),
            heads: vec!["created", "grant", "key", "grantee", "instance", "volume"],
            rows: self.alive.iter().map(row).collect(),
            sql: format!(
                "SELECT created_at, grant_id, key_arn, grantee_principal, instance_id, volume_id\nFROM grants_never_retired{}\n\
                 ORDER BY created_at, grant_id\nLIMIT {MAX_GRANTS}",
                choice.rows_by("created_at", &[])
            ),
            left_out: self.n_alive - self.alive.len(),
        }
    }
}
