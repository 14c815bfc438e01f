//! The choice of what a report is about, as a test of rows and as SQL.

use trailweave_lake::Part;
use trailweave_table::{date_of_day, day_of_date, numbered};

/// The uses of keys by `kms_calls`. A column that is not computed keeps its field id, and `trailweave query` refuses to put
/// two ids into one; `ClickHouse` takes a bare `key_arn` for the one that is selected.
const USED: &str = ", used AS (
  SELECT
    key_arn, key_account_id, coalesce(kms_principal_account_id, recipient_account_id) AS caller_account_id,
    instance_id, launch_principal_arn, kms_error_code, kms_event_time
  FROM kms_calls
  UNION ALL
  -- A ReEncrypt uses its source key, too.
  SELECT
    concat(again.source_key_arn, '') AS key_arn, split_part(again.source_key_arn, ':', 5) AS key_account_id,
    coalesce(kms_principal_account_id, recipient_account_id) AS caller_account_id,
    instance_id, launch_principal_arn, kms_error_code, kms_event_time
  FROM kms_calls AS again
  WHERE again.source_key_arn IS NOT NULL AND (again.key_arn IS NULL OR again.source_key_arn <> again.key_arn)
)";

/// The days, accounts and regions that a report is about; those of a row are its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The first day, `YYYY-MM-DD`.
    pub from: Option<String>,
    /// The last day.
    pub to: Option<String>,
    /// The accounts; empty: every account.
    pub accounts: Vec<String>,
    /// The regions; empty: every region.
    pub regions: Vec<String>,
}

impl Choice {
    /// Tells whether a day is chosen.
    pub(crate) fn takes_day(&self, day: &str) -> bool {
        self.from.as_deref().is_none_or(|from| from <= day) && self.to.as_deref().is_none_or(|to| day <= to)
    }

    /// Tells whether a part may hold rows of chosen days.
    pub(crate) fn takes_part(&self, part: &Part) -> bool {
        part.event_date.as_deref().is_none_or(|day| self.takes_day(day))
    }

    /// Tells whether an account and a region are chosen.
    pub(crate) fn takes_place(&self, account: &str, region: &str) -> bool {
        (self.accounts.is_empty() || self.accounts.iter().any(|it| it == account))
            && (self.regions.is_empty() || self.regions.iter().any(|it| it == region))
    }

    /// Tells whether every account and region is chosen.
    pub(crate) fn takes_all_places(&self) -> bool {
        self.accounts.is_empty() && self.regions.is_empty()
    }

    /// Tells whether an object of a trail is chosen.
    pub(crate) fn takes_object(&self, account: &str, region: &str, day: &str) -> bool {
        self.takes_day(day) && self.takes_place(account, region)
    }

    /// Writes the subquery `kms_calls`, with which a statement begins: the chosen rows of `correlated`, each call once. Copies
    /// of a call in the trails of several accounts share an id, and the first of those that are chosen stands for it. `Shared`
    /// in copies.rs has the same order.
    pub(crate) fn calls(&self) -> String {
        let chosen = clause(&self.partitioned(), "    ");
        numbered(&format!(
            "WITH kms_calls AS (\n  SELECT *\n  FROM (\n    SELECT\n      *, $nth_call\n    FROM correlated{chosen}\n  \
             ) AS ranked\n  WHERE nth = 1\n)"
        ))
    }

    /// Writes the subqueries `kms_calls` and `used`: the uses of keys by them, which are two where a call uses two.
    pub(crate) fn uses(&self) -> String {
        format!("{}{USED}", self.calls())
    }

    /// Says the choice of rows of a table with partitions as conditions of SQL, after `conditions`.
    pub(crate) fn rows(&self, conditions: &[String]) -> String {
        clause(&[conditions, self.partitioned().as_slice()].concat(), "")
    }

    fn partitioned(&self) -> Vec<String> {
        self.conditions(["event_date", "recipient_account_id", "aws_region"], str::to_owned, "<=")
    }

    /// Says the same of a view, whose rows have a time in `column`.
    pub(crate) fn rows_by(&self, column: &str, conditions: &[String]) -> String {
        let columns = [column, "recipient_account_id", "aws_region"];
        let mut until = self.clone();
        until.to = self.to.as_deref().and_then(day_of_date).map(|day| date_of_day(day + 1));
        let chosen = until.conditions(columns, |day| format!("{day}T00:00:00Z"), "<");
        clause(&[conditions, chosen.as_slice()].concat(), "")
    }

    /// Says the choice of objects, whose columns `account`, `region` and `day` are. Those without a place are in every choice.
    pub(crate) fn objects(&self, conditions: &[String]) -> String {
        let chosen = self.conditions(["day", "account", "region"], str::to_owned, "<=");
        let mut all = conditions.to_vec();
        if !chosen.is_empty() {
            all.push(format!("(day IS NULL OR {})", chosen.join(" AND ")));
        }
        clause(&all, "")
    }

    fn conditions(
        &self,
        [day, account, region]: [&str; 3],
        literal: impl Fn(&str) -> String,
        until: &str,
    ) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.from.iter().map(|from| format!("{day} >= {}", quoted(&literal(from)))));
        all.extend(self.to.iter().map(|to| format!("{day} {until} {}", quoted(&literal(to)))));
        for (column, values) in [(account, &self.accounts), (region, &self.regions)] {
            if !values.is_empty() {
                let values = values.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
                all.push(format!("{column} IN ({values})"));
            }
        }
        all
    }
}

/// Writes conditions as lines that begin with `indent`.
fn clause(conditions: &[String], indent: &str) -> String {
    let all = conditions.join(&format!("\n{indent}  AND "));
    if all.is_empty() { String::new() } else { format!("\n{indent}WHERE {all}") }
}

/// Writes a text as a literal of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_text_stays_inside_its_literal() {
        assert_eq!(quoted("it's"), "'it''s'");
    }

    #[test]
    fn a_choice_is_the_same_in_sql() {
        let choice = Choice {
            from: Some("2026-09-01".into()),
            to: Some("2026-09-30".into()),
            accounts: vec!["111122223333".into()],
            regions: Vec::new(),
        };
        assert!(choice.takes_object("111122223333", "eu-west-1", "2026-09-30"));
        assert!(!choice.takes_object("111122223333", "eu-west-1", "2026-10-01"));
        let sql = choice.rows_by("created_at", &["key_arn IS NOT NULL".to_owned()]);
        assert!(sql.contains("created_at < '2026-10-01T00:00:00Z'\n  AND recipient_account_id IN"), "{sql}");
        let sql = choice.objects(&["hour IS NULL".to_owned()]);
        assert!(sql.starts_with("\nWHERE hour IS NULL\n  AND (day IS NULL OR day >= '2026-09-01' AND "), "{sql}");
        assert_eq!([Choice::default().rows(&[]), Choice::default().objects(&[])], ["", ""]);
        // The limits come before the copies are found, as one of a copy's account keeps the call.
        let limited = "FROM correlated\n    WHERE event_date >= '2026-09-01'\n      AND ";
        let sql = choice.calls();
        assert!(sql.find(limited).is_some_and(|at| sql[at..].contains("WHERE nth = 1\n")), "{sql}");
    }
}
