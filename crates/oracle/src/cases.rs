//! Flows as AWS logs them: each case is the CloudTrail records of one, and what the products must say of it.
//!
//! No two cases share an identifier or an account, so a join may be asked about all of them in one lake.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use serde_json::Value;
use serde_json::json;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoder;
use trailweave_decode::Selection;
use trailweave_table::CORRELATED;
use trailweave_table::EVENTS;
use trailweave_table::PRODUCTS;

/// A case and the rows that its records decode to.
#[derive(Debug)]
pub struct Case {
    /// The name of its file.
    pub name: String,
    /// Expected rows by table: `expected` is of `correlated`. A row has the columns that matter.
    pub expected: BTreeMap<&'static str, Vec<Value>>,
    /// Its records, as rows of `events`.
    pub events: RecordBatch,
}

/// Reads the cases, in the order of their names.
pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
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
