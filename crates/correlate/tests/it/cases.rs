//! Each case in `tests/cases` is the CloudTrail records of one flow, and what the products must say of it.
//!
//! No two cases share an identifier or an account, so the plan runs on all of them in one lake.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::array::UInt32Array;
use arrow::compute::concat_batches;
use arrow::compute::take_record_batch;
use serde_json::Value;
use serde_json::json;
use trailweave_correlate::oracle::Products;
use trailweave_correlate::oracle::Row;
use trailweave_correlate::oracle::correlate;
use trailweave_correlate::oracle::events_from;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoder;
use trailweave_decode::Selection;
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::Kind;
use trailweave_table::PRODUCTS;
use trailweave_table::Table;

use crate::lake::differences;
use crate::lake::products_of_plan;
use crate::lake::together;

/// A case and the rows that its records decode to.
struct Case {
    name: String,
    /// Expected rows by table: `expected` is of `correlated`. A row has the columns that matter.
    expected: BTreeMap<&'static str, Vec<Value>>,
    events: RecordBatch,
}

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

#[test]
fn the_plan_says_of_all_cases_what_the_oracle_says_of_each() {
    let (cases, expected) = (cases(), products_of_each());
    let deliveries: Vec<RecordBatch> = cases.into_iter().map(|case| case.events).collect();
    let delivery = concat_batches(&EVENTS.schema(), &deliveries).unwrap();
    let found = products_of_plan(&[delivery]);
    assert!(found == expected, "{}", differences(&found, &expected));
}

#[test]
fn the_plan_says_the_same_of_records_that_arrive_backwards_in_several_files() {
    const N_FILES: usize = 3;
    let (cases, expected) = (cases(), products_of_each());
    let mut files = vec![Vec::new(); N_FILES];
    for case in cases {
        for (at, row) in (0..u32::try_from(case.events.num_rows()).unwrap()).rev().enumerate() {
            files[at % N_FILES].push(take_record_batch(&case.events, &UInt32Array::from(vec![row])).unwrap());
        }
    }
    let files: Vec<_> = files.iter().map(|rows| concat_batches(&EVENTS.schema(), rows).unwrap()).collect();
    let found = products_of_plan(&files);
    assert!(found == expected, "{}", differences(&found, &expected));
    let of_reversed_files = correlate(&events_from(&files));
    assert!(of_reversed_files == expected, "{}", differences(&of_reversed_files, &expected));
}

/// What the oracle says of each case alone, together.
fn products_of_each() -> Products {
    together(cases().into_iter().map(|case| correlate(&events_from(&[case.events]))))
}

/// The cases in the order of their names.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("cases");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 30);
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Case {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let case: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let object = json!({ "Records": case["events"] }).to_string();
    let mut objects = Decoder::new(DecodeOptions { selection: Selection::All, ..DecodeOptions::default() });
    let decoded = objects.decode(&name, object.as_bytes()).unwrap();
    assert!(decoded.rejects.is_empty(), "{name}");
    let mut expected = BTreeMap::new();
    for table in PRODUCTS {
        let key = if table.name == CORRELATED.name { "expected" } else { table.name };
        if let Some(rows) = case[key].as_array() {
            expected.insert(table.name, rows.clone());
        }
    }
    assert!(expected.contains_key(CORRELATED.name), "{name}");
    Case { name, expected, events: concat_batches(&EVENTS.schema(), &decoded.events).unwrap() }
}

fn table_named(name: &str) -> &'static Table {
    PRODUCTS.into_iter().find(|table| table.name == name).unwrap()
}

fn rows_of<'a>(products: &'a Products, table: &str) -> &'a [Row] {
    products.by_table().into_iter().find(|(name, _)| *name == table).unwrap().1
}

/// What is wrong with the rows of a table; none when each is as expected and none is missing.
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
