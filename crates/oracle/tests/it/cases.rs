//! The oracle says of each case what the case says.

use std::collections::BTreeMap;

use serde_json::Value;
use trailweave_oracle::Products;
use trailweave_oracle::Row;
use trailweave_oracle::cases;
use trailweave_oracle::correlate;
use trailweave_oracle::events_from;
use trailweave_table::Kind;
use trailweave_table::PRODUCTS;
use trailweave_table::Table;

#[test]
fn the_oracle_says_of_each_case_what_is_expected() {
    let mut failures = String::new();
    for case in cases() {
        let products = correlate(&events_from(&[case.events]));
        for (table, expected) in case.expected {
            let failure = mismatch(table_named(table), rows_of(&products, table), &expected);
            failures += &failure.map(|failure| format!("{}, {table}: {failure}\n", case.name)).unwrap_or_default();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn table_named(name: &str) -> &'static Table {
    PRODUCTS.into_iter().find(|table| table.name == name).unwrap()
}

fn rows_of<'a>(products: &'a Products, table: &str) -> &'a [Row] {
    products.by_table().into_iter().find(|(name, _)| *name == table).unwrap().1
}

/// Finds the faults of the rows of a table; none when each is as expected and none is missing.
fn mismatch(table: &Table, found: &[Row], expected: &[Value]) -> Option<String> {
    let mut left: Vec<&Row> = found.iter().collect();
    for row in expected {
        let row = rendered(table, row);
        let differing =
            |found: &Row| row.iter().filter(|(column, value)| found.value(column) != value.as_deref()).count();
        let Some(at) = (0..left.len()).min_by_key(|at| differing(left[*at])) else {
            return Some(format!("no row {row:?}"));
        };
        let nearest = left.swap_remove(at);
        if differing(nearest) > 0 {
            return Some(format!("expected {row:#?}\nfound {:#?}", nearest.0));
        }
    }
    (!left.is_empty()).then(|| format!("not expected {left:#?}"))
}

/// An expected row as [`Row`] has its values.
fn rendered<'a>(table: &Table, row: &'a Value) -> BTreeMap<&'a str, Option<String>> {
    let render = |(column, value): (&'a String, &Value)| {
        let kind = table.columns[table.position(column)].kind;
        let value = match value {
            Value::Null => None,
            Value::String(time) if kind == Kind::Time => {
                Some(time.parse::<jiff::Timestamp>().unwrap().as_millisecond().to_string())
            }
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        (column.as_str(), value)
    };
    row.as_object().unwrap().iter().map(render).collect()
}
