//! Products beside products.

use std::collections::BTreeMap;

use crate::Products;
use crate::Row;

/// Puts together the products of several trails that have nothing to do with each other.
pub fn together(products: impl IntoIterator<Item = Products>) -> Products {
    let mut all = Products::default();
    for it in products {
        all.correlated.extend(it.correlated);
        all.instances.extend(it.instances);
        all.volumes.extend(it.volumes);
        all.attachments.extend(it.attachments);
        all.grants.extend(it.grants);
    }
    let Products { correlated, instances, volumes, attachments, grants } = &mut all;
    for table in [correlated, instances, volumes, attachments, grants] {
        table.sort();
    }
    all
}

/// Says for a reader how two products differ; nothing when they do not.
pub fn differences(found: &Products, expected: &Products) -> String {
    let mut report = String::new();
    for ((table, found), (_, expected)) in found.by_table().into_iter().zip(expected.by_table()) {
        let (mut extra, mut missing) = (found.to_vec(), Vec::new());
        for row in expected {
            match extra.iter().position(|it| it == row) {
                Some(at) => drop(extra.swap_remove(at)),
                None => missing.push(row.clone()),
            }
        }
        for row in missing {
            let twin = extra.iter().position(|it| same_subject(it, &row)).map(|at| extra.swap_remove(at));
            report += &difference(table, twin.as_ref(), Some(&row));
        }
        for row in &extra {
            report += &difference(table, Some(row), None);
        }
    }
    report
}

/// Returns whether two rows tell of the same thing.
fn same_subject(row: &Row, other: &Row) -> bool {
    let ids = ["recipient_account_id", "aws_region", "kms_event_id", "kms_source_object", "kms_event_time"];
    let more = ["launch_event_id", "source_event_id", "create_event_id"];
    let same = |column: &&str| row.value(column) == other.value(column);
    let is_correlated = row.value("kms_event_time").is_some();
    ids.iter().all(same) && (is_correlated || more.iter().all(same) && same(&"volume_id"))
}

fn difference(table: &str, found: Option<&Row>, expected: Option<&Row>) -> String {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            let columns = found.0.keys().chain(expected.0.keys());
            let differing = columns.filter(|column| found.value(column) != expected.value(column));
            let told: BTreeMap<_, _> = differing.map(|it| (it, (found.value(it), expected.value(it)))).collect();
            format!("{table}: {:#?}\n  (found, expected): {told:#?}\n", expected.0)
        }
        (found, expected) => format!("{table}: only found {found:#?}, only expected {expected:#?}\n"),
    }
}
