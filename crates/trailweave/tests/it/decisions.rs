//! The index of the decisions names each of them.

use std::fs;
use std::path::Path;

#[test]
fn every_decision_has_a_row_in_the_index() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/adr");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let is_decision = name.starts_with(|first: char| first.is_ascii_digit());
        let row = format!("| [{}]({name}) | ", name.split('-').next().unwrap_or_default());
        assert!(!is_decision || index.contains(&row), "docs/adr/README.md lacks the row that begins with `{row}`");
    }
}
