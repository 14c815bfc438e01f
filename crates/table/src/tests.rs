//! Every table is well formed, and its statements are written from it.

use super::*;

#[test]
fn every_table_sorts_and_dates_by_columns_of_its_own() {
    for table in TABLES.iter().chain(&AUDIT) {
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
fn every_field_has_an_id_of_its_own() {
    for table in TABLES.iter().chain(&AUDIT) {
        let nested = |column: &Column| column.kind.nested().iter().map(|it| format!("{}.{it}", column.name)).collect();
        let fields = table.columns.iter().flat_map(|column| {
            let mut fields: Vec<String> = nested(column);
            fields.push(column.name.to_owned());
            fields
        });
        let mut fields: Vec<String> = fields.chain(table.dated_by.map(|_| DATE_PARTITION.to_owned())).collect();
        let mut listed: Vec<_> = table.field_ids.iter().map(|it| (*it).to_owned()).collect();
        fields.sort();
        listed.sort();
        assert_eq!(fields, listed, "{}", table.name);
    }
}

#[test]
fn an_id_that_files_carry_never_changes() {
    // Beside these, `docs/tables.md` holds the id of every field.
    for (table, path, id) in [
        (&EVENTS, "event_id", 1),
        (&EVENTS, "event_date", 54),
        (&EVENTS, "operations.element", 61),
        (&CORRELATED, "kms_source_object", 35),
        (&CORRELATED, "event_date", 37),
        (&GRANTS, "operations.element", 14),
        (&LEDGER, "amendments.element", 16),
    ] {
        assert_eq!(table.field_id(path), id, "{}.{path}", table.name);
    }
}

#[test]
fn only_numbers_are_written_as_differences() {
    for table in TABLES.iter().chain(&AUDIT) {
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
fn duckdb_takes_the_characters_of_a_path_as_they_are() {
    let sql = ddl(Dialect::DuckDb, "/a[b]*?/lake's/", |_| true);
    assert!(sql.contains("read_parquet('/a[[]b][*][?]/lake''s/events/*/*.parquet'"), "{sql}");
    assert!(sql.contains("read_parquet('/a[[]b][*][?]/lake''s/_trailweave/ledger/*.parquet'"), "{sql}");
}

#[test]
fn clickhouse_reads_no_other_folder_where_its_globs_cannot_name_one() {
    let sql = ddl(Dialect::ClickHouse, "s3://bucket/it's {b}/lake", |_| true);
    assert!(sql.contains("s3('s3://bucket/it?s??b?/lake/events/*/*.parquet'"), "{sql}");
    assert!(sql.contains(r"startsWith(_path, 'bucket/it\'s {b}/lake/events/')"), "{sql}");
    let sql = ddl(Dialect::ClickHouse, "/lake's", |_| true);
    assert!(sql.contains(r"file('/lake\'s/events/*/*.parquet'") && !sql.contains("startsWith"), "{sql}");
}

#[test]
fn no_engine_takes_a_partition_from_above_the_lake() {
    for (dialect, off) in
        [(Dialect::DuckDb, "hive_partitioning = false"), (Dialect::ClickHouse, "use_hive_partitioning = 0")]
    {
        assert_eq!(ddl(dialect, "/lake", |_| true).matches(off).count(), TABLES.len() + AUDIT.len());
    }
}

#[test]
fn a_table_without_files_is_an_empty_view_where_the_engine_needs_files() {
    for (dialect, list) in [(Dialect::DuckDb, "VARCHAR[]"), (Dialect::Spark, "array<string>")] {
        let sql = ddl(dialect, "/lake", |_| false);
        assert!(sql.contains(&format!("CAST(NULL AS {list}) AS volume_ids,")) && sql.contains("WHERE false;"), "{sql}");
        assert!(!sql.contains("parquet"), "{sql}");
    }
}

#[test]
fn every_name_with_a_dollar_in_a_view_is_written_out() {
    for view in VIEWS {
        assert!(!view.sql().contains('$'), "{}", view.sql());
    }
    let views = ddl(Dialect::DuckDb, "/lake", |_| true);
    assert!(
        views.contains("keys_by_instance AS\nSELECT") && views.contains("END AS nth\n  FROM correlated\n"),
        "{views}"
    );
}

#[test]
fn athena_tables_name_every_column_and_project_the_date() {
    let sql = ddl(Dialect::Athena, "s3://bucket/lake/", |_| true);
    for table in TABLES {
        assert!(sql.contains(&format!("LOCATION 's3://bucket/lake/{}/'", table.name)));
        for column in table.columns {
            assert!(sql.contains(&format!("`{}` ", column.name)), "{}", column.name);
        }
    }
    assert!(sql.contains("LOCATION 's3://bucket/lake/_trailweave/ledger/';"), "{sql}");
    assert_eq!(sql.matches("'projection.enabled' = 'true'").count(), 8);
}

#[test]
fn athena_and_spark_keep_a_quote() {
    // Hive takes 'it''s' for two texts side by side, without a quote.
    let sql = ddl(Dialect::Athena, r"s3://bucket/it's\", |_| true);
    assert!(sql.contains(r"LOCATION 's3://bucket/it\'s\\/events/'"), "{sql}");
    assert!(sql.contains(r"COMMENT 'the call\'s encryption context"), "{sql}");
    let sql = ddl(Dialect::Spark, "/it's [b]", |_| true);
    assert!(sql.contains(r"(path 'file:/it\'s \\[b\\]/events')"), "{sql}");
}

#[test]
fn the_documentation_of_the_tables_is_what_the_tables_say() {
    let written = include_str!("../../../docs/tables.md");
    let tables: Vec<_> = TABLES.into_iter().chain(AUDIT).collect();
    assert!(
        written.ends_with(&(markdown(&tables) + &view_markdown() + &question_markdown())),
        "run `cargo run -p trailweave-table --example tables > docs/tables.md`"
    );
}
