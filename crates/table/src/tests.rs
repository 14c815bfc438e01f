//! Every table is well formed, and its statements are written from it.

use super::*;

#[test]
fn every_table_sorts_and_dates_by_columns_of_its_own() {
    for table in TABLES.iter().chain([&&LEDGER]) {
        for column in table.sort_by.iter().copied().chain(table.dated_by) {
            table.position(column);
        }
    }
}

#[test]
fn no_table_has_a_column_twice() {
    for table in TABLES {
        for (position, column) in table.columns.iter().enumerate() {
            assert_eq!(table.position(column.name), position, "{}.{}", table.name, column.name);
        }
    }
}

#[test]
fn only_numbers_are_written_as_differences() {
    for table in TABLES.iter().chain([&&LEDGER]) {
        let differences = table.columns.iter().filter(|column| column.encoding == Encoding::Delta);
        for column in differences {
            assert!(matches!(column.kind, Kind::Time | Kind::Integer), "{}.{}", table.name, column.name);
        }
    }
}

#[test]
fn a_dated_table_names_no_column_like_its_partition() {
    for table in TABLES {
        assert!(table.columns.iter().all(|column| column.name != DATE_PARTITION), "{}", table.name);
    }
}

#[test]
fn a_tally_that_loses_a_record_does_not_balance() {
    let whole = Tally { records: 4, rows: 1, duplicates: 1, filtered: 1, rejects: 1 };
    assert!(whole.balances());
    assert!(!Tally { rejects: 0, ..whole }.balances());
    assert_eq!([whole, whole].into_iter().sum::<Tally>().records, 8);
}

#[test]
fn duckdb_views_quote_the_path() {
    let sql = ddl(Dialect::DuckDb, "/lake's", &[&EVENTS], |_| true);
    assert!(sql.contains("read_parquet('/lake''s/events/*/*.parquet'"), "{sql}");
}

#[test]
fn a_table_without_files_is_an_empty_view_in_duckdb() {
    let sql = ddl(Dialect::DuckDb, "/lake", &[&EVENTS], |_| false);
    assert!(sql.contains("NULL::VARCHAR[] AS volume_ids,") && sql.contains("WHERE false;"), "{sql}");
    assert!(!sql.contains("read_parquet"), "{sql}");
}

#[test]
fn athena_tables_name_every_column_and_project_the_date() {
    let sql = ddl(Dialect::Athena, "s3://bucket/lake/", &TABLES, |_| true);
    for table in TABLES {
        assert!(sql.contains(&format!("LOCATION 's3://bucket/lake/{}/'", table.name)));
        for column in table.columns {
            assert!(sql.contains(&format!("`{}` ", column.name)), "{}", column.name);
        }
    }
    assert_eq!(sql.matches("'projection.enabled' = 'true'").count(), 6);
}

#[test]
fn the_documentation_of_the_tables_is_what_the_tables_say() {
    let written = include_str!("../../../docs/tables.md");
    let tables: Vec<_> = TABLES.into_iter().chain([&LEDGER]).collect();
    assert!(
        written.ends_with(&(markdown(&tables) + &view_markdown())),
        "run `cargo run -p trailweave-table --example tables > docs/tables.md`"
    );
}
