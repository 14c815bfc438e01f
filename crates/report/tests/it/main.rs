//! The page of a lake without rows, and of rows that are written by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::DataType;
use trailweave_lake::{Lake, TableWriter};
use trailweave_report::{Choice, ReportOptions, report};
use trailweave_table::{CORRELATED, Column, EVENTS, REMEMBERED, Table, day_of_date, partition_dir};

const OWNER: &str = "111111111111";
const USER: &str = "222222222222";
const OTHER: &str = "333333333333";
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/owned";
const BOB: &str = "arn:aws:iam::222222222222:user/bob";
const DAYS: [&str; 2] = ["2026-09-01", "2026-09-02"];
/// Rows of the row groups that are written.
const GROUP_ROWS: usize = 16_384;

/// A row: the second of its day, and the texts of columns.
type Row = (i64, Vec<(&'static str, &'static str)>);

#[test]
fn a_lake_without_rows_gives_a_page_in_which_markup_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let hostile = "'\"><b onclick=alert(1)>{{ 7 * 7 }}</b>";
    let options = ReportOptions {
        lake: hostile.to_owned(),
        made_at: hostile.to_owned(),
        choice: Choice { accounts: vec![hostile.to_owned()], ..Choice::default() },
        ids: vec![hostile.to_owned(), "arn:aws:ec2:eu-west-1:111122223333:instance/i-0a".to_owned(), "i-0a".to_owned()],
        threads: NonZeroUsize::MIN,
    };
    let page = report(&lake, &options).unwrap();
    assert!(!page.contains("<b "), "{page}");
    assert!(page.contains("&lt;b onclick=alert(1)&gt;{{ 7 * 7 }}"), "{page}");
    let unknown = "The lake knows no KMS call of it in the days, accounts and regions of this report.";
    assert_eq!(page.matches(unknown).count(), 2, "{page}");
    assert!(page.contains("IN ('i-0a')") || page.contains("IN (&#x27;i-0a&#x27;)"), "{page}");
    for words in [
        "Grants for EC2 and EBS whose end is not in the lake",
        "filtered (not kept when it was read: other services, or days that were pruned before)",
        "own role are not counted here",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"), "{page}");
}

#[test]
fn each_call_counts_once_however_many_trails_logged_it() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let (stands, copy) =
        (["stands-1", "stands-2", "stands-3", "stands-4"], ["z-copy-1", "z-copy-2", "z-copy-3", "z-copy-4"]);
    // The first row group has no copies, so it is not looked at.
    let mut rows: Vec<Row> = (0..GROUP_ROWS).map(|_| (0, Vec::new())).collect();
    rows.extend([
        // The caller's, though it is later.
        shared(10, stands[0], USER, "a", Some(BOB)),
        // That of the account which does not own the key.
        shared(11, stands[1], USER, "b", None),
        // The first in time.
        shared(12, copy[2], OTHER, "c", Some(BOB)),
        // The first account.
        shared(13, copy[3], OTHER, "d", Some(BOB)),
        // Another event of the same id is no copy.
        (14, [shared(14, "stands-5", USER, "a", Some(BOB)).1, vec![("kms_event_name", "GenerateDataKey")]].concat()),
        // Calls without an id are none of each other.
        call(15, "stands-6", USER),
        call(15, "stands-7", USER),
    ]);
    log(&lake, &CORRELATED, DAYS[1], "part-a.parquet", &rows);
    let earlier = [shared(12, stands[2], USER, "c", Some(BOB)), shared(9, copy[0], OWNER, "a", None)];
    log(&lake, &CORRELATED, DAYS[0], "part-a.parquet", &earlier);
    let others = [
        shared(10, copy[1], OWNER, "b", None),
        shared(13, stands[3], USER, "d", Some(BOB)),
        shared(13, "z-copy-5", USER, "d", Some(BOB)),
    ];
    log(&lake, &CORRELATED, DAYS[1], "part-b.parquet", &others);

    let page = page_of(&lake, Choice::default());
    assert!(page.contains("16\u{202f}391 KMS calls</a>"), "{page}");
    let used = cells(&page, "keys-used");
    assert_eq!(used[2..4], ["7", "0"], "{used:?}");
    for standing in stands.iter().chain(&["stands-5", "stands-6", "stands-7"]) {
        assert!(page.contains(standing), "{standing}: {page}");
    }
    assert!(!page.contains("z-copy-"), "{page}");

    // Where the copy alone is chosen, the call is not lost.
    let page = page_of(&lake, Choice { accounts: vec![OWNER.to_owned()], ..Choice::default() });
    assert!(page.contains(">2 KMS calls</a>") && page.contains(copy[0]) && page.contains(copy[1]), "{page}");
    let page = page_of(&lake, Choice { from: Some(DAYS[1].to_owned()), ..Choice::default() });
    assert!(page.contains(copy[2]) && !page.contains(copy[0]), "{page}");
}

#[test]
fn the_source_key_of_a_re_encrypt_is_used_too_and_by_the_account_of_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let re_encrypt = |source: &'static str| {
        let values = [
            ("kms_event_name", "ReEncrypt"),
            ("recipient_account_id", OWNER),
            ("kms_principal_account_id", USER),
            ("key_arn", "arn:aws:kms:eu-west-1:222222222222:key/copied"),
            ("key_account_id", USER),
            ("source_key_arn", source),
        ];
        (1, values.to_vec())
    };
    // The trail of the owner of the source key alone; and one within a key.
    let rows = [re_encrypt(KEY), re_encrypt("arn:aws:kms:eu-west-1:222222222222:key/copied")];
    log(&lake, &CORRELATED, DAYS[0], "part-a.parquet", &rows);
    let page = page_of(&lake, Choice::default());
    assert!(page.contains(">2 KMS calls</a>"), "{page}");
    let used = cells(&page, "keys-used");
    assert_eq!([&used[1..3], &used[9..11]].concat(), [USER, "2", OWNER, "1"], "{used:?}");
    let foreign = cells(&page, "keys-foreign");
    assert_eq!([&foreign[..2], &foreign[3..4]].concat(), [USER, OWNER, "1"], "{foreign:?}");
    assert_eq!(foreign.len(), 6, "{foreign:?}");
    let chain = page.split("id=\"chain-1\"").nth(1).unwrap();
    assert!(chain.contains("<dd>1 shown</dd>") && chain.contains("by account 222222222222"), "{chain}");
}

#[test]
fn a_change_of_a_key_on_a_pruned_day_is_shown_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open_or_create(folder.path(), None).unwrap();
    let change = |second: i64, name: &'static str| {
        (second, vec![("event_name", name), ("event_source", "kms.amazonaws.com"), ("recipient_account_id", OWNER)])
    };
    log(&lake, &EVENTS, DAYS[1], "part-a.parquet", &[change(1, "EnableKey"), change(2, "Decrypt")]);
    log(&lake, &REMEMBERED, DAYS[0], "part-a.parquet", &[change(3, "DisableKey"), change(4, "CreateGrant")]);
    let changes = |choice| -> Vec<String> {
        cells(&page_of(&lake, choice), "keys-changed").chunks(6).map(|row| row[1].clone()).collect()
    };
    assert_eq!(changes(Choice::default()), ["DisableKey", "EnableKey"]);
    assert_eq!(changes(Choice { from: Some(DAYS[1].to_owned()), ..Choice::default() }), ["EnableKey"]);
}

/// Returns a call with the key.
fn call(second: i64, id: &'static str, account: &'static str) -> Row {
    let values =
        vec![("kms_event_id", id), ("recipient_account_id", account), ("key_arn", KEY), ("key_account_id", OWNER)];
    (second, values)
}

/// Returns one that shares an id with others.
fn shared(
    second: i64,
    id: &'static str,
    account: &'static str,
    shared: &'static str,
    caller: Option<&'static str>,
) -> Row {
    let (second, mut values) = call(second, id, account);
    values.push(("shared_event_id", shared));
    values.extend(caller.map(|caller| ("kms_principal_arn", caller)));
    (second, values)
}

/// Writes rows of a day as a part of a table.
fn log(lake: &Lake, table: &'static Table, day: &str, name: &str, rows: &[Row]) {
    let is_column = |(name, _): &(&str, &str)| table.columns.iter().any(|column| column.name == *name);
    assert!(rows.iter().flat_map(|(_, values)| values).all(is_column), "{} lacks a column", table.name);
    let midnight = i64::from(day_of_date(day).unwrap()) * 86_400;
    let array = |column: &Column| -> ArrayRef {
        let value = |(_, values): &Row| values.iter().rev().find(|(name, _)| *name == column.name).map(|it| it.1);
        match table.data_type(column) {
            DataType::Utf8 => Arc::new(rows.iter().map(value).collect::<StringArray>()),
            DataType::Timestamp(..) if Some(column.name) == table.dated_by => {
                let times = rows.iter().map(|(second, _)| (midnight + second) * 1_000_000);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            other => new_null_array(&other, rows.len()),
        }
    };
    let columns = table.columns.iter().map(array).collect();
    let batch = RecordBatch::try_new(table.schema(), columns).unwrap();
    let path = lake.table_dir(table).join(partition_dir(day)).join(name);
    let mut writer = TableWriter::new(lake.create_file(&path).unwrap(), table).unwrap();
    writer.write(&batch).unwrap();
    writer.commit().unwrap();
}

/// Writes the page of a lake, with the chain of the key.
fn page_of(lake: &Lake, choice: Choice) -> String {
    let options = ReportOptions {
        lake: "lake".to_owned(),
        made_at: String::new(),
        choice,
        ids: vec![KEY.to_owned()],
        threads: NonZeroUsize::MIN,
    };
    report(lake, &options).unwrap()
}

/// Returns the cells of a table of the page, row by row; those of ids are empty.
fn cells(page: &str, id: &str) -> Vec<String> {
    let table = page.split(&format!("<table id=\"{id}\"")).nth(1).unwrap().split("</table>").next().unwrap();
    table.split("<td").skip(1).map(|it| it.split(['>', '<']).nth(1).unwrap().trim().to_owned()).collect()
}
