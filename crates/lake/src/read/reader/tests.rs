//! A [`Reader`] gives what the reader of the Parquet library gives.

use std::fs::File;
use std::path::Path;

use arrow::array::ArrayRef;
use arrow::array::AsArray;
use arrow::array::Int64Array;
use arrow::array::ListBuilder;
use arrow::array::StringArray;
use arrow::array::StringBuilder;
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::file::properties::WriterProperties;
use parquet::file::properties::WriterVersion;

use super::*;
use crate::read::load_shared;

const N_ROWS: usize = 1_000;

/// Writes a file of four row groups: numbers, texts of which few differ and some are null, and lists.
fn write(path: &Path, version: WriterVersion, compression: Compression) {
    let numbers = Int64Array::from_iter_values((0..).take(N_ROWS));
    let texts: StringArray = (0..N_ROWS).map(|row| (row % 7 != 0).then(|| format!("text-{}", row % 5))).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..N_ROWS {
        (0..row % 3).for_each(|n| lists.values().append_value(format!("vol-{row}-{n}")));
        lists.append(row % 4 != 0);
    }
    let columns: [(_, ArrayRef); 3] =
        [("number", Arc::new(numbers)), ("text", Arc::new(texts)), ("list", Arc::new(lists.finish()))];
    let rows = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(compression)
        .set_max_row_group_row_count(Some(300))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50);
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties.build())).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

fn rows(read: ParquetRecordBatchReader) -> Vec<RecordBatch> {
    read.map(Result::unwrap).collect()
}

#[test]
fn rows_are_those_that_the_library_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for compression in [Compression::ZSTD(ZstdLevel::default()), Compression::SNAPPY, Compression::UNCOMPRESSED] {
            write(&path, version, compression);
            let open = || LakeFile::Local(File::open(&path).unwrap());
            for end in [load(&open()).unwrap(), load_shared(&open(), |name| name == "text").unwrap()] {
                let ours = || Reader::new_with_metadata(open(), end.clone()).with_batch_size(170);
                let library = || {
                    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open(), end.clone());
                    reader.with_batch_size(170)
                };
                let found = rows(ours().build().unwrap());
                assert_eq!(found, rows(library().build().unwrap()), "{version:?} {compression}");
                assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), N_ROWS);

                let columns = ProjectionMask::columns(end.parquet_schema(), ["list", "text"]);
                // Whole pages are skipped, and some rows of others.
                let some = RowSelection::from_consecutive_ranges([3..4, 120..250, 560..561].into_iter(), 600);
                let ours = ours().with_projection(columns.clone()).with_row_groups(vec![0, 2]);
                let library = library().with_projection(columns).with_row_groups(vec![0, 2]);
                let library = library.with_row_selection(some.clone()).build().unwrap();
                let found = rows(ours.with_row_selection(some).build().unwrap());
                assert_eq!(found, rows(library), "{version:?} {compression}");
                assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 132);
            }
        }
    }
}

#[test]
fn rows_that_pass_are_of_those_that_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    write(&path, WriterVersion::PARQUET_1_0, Compression::ZSTD(ZstdLevel::default()));
    let reader = Reader::try_new(LakeFile::Local(File::open(&path).unwrap())).unwrap();
    let chosen = RowSelection::from_consecutive_ranges([100..400, 900..950].into_iter(), N_ROWS);
    let number = ProjectionMask::columns(reader.parquet_schema(), ["number"]);
    let is_even = |rows: &RecordBatch| {
        let numbers = rows["number"].as_primitive::<Int64Type>().values();
        numbers.iter().map(|it| Some(it % 2 == 0)).collect()
    };
    let is_text = |rows: &RecordBatch| rows["text"].as_string::<i32>().iter().map(|it| Some(it.is_some())).collect();
    let reader = reader.with_row_selection(chosen).with_rows_that(&["number"], is_even).unwrap();
    let found = rows(reader.with_rows_that(&["text"], is_text).unwrap().with_projection(number).build().unwrap());
    let found: Vec<i64> =
        found.iter().flat_map(|rows| rows["number"].as_primitive::<Int64Type>().values().to_vec()).collect();
    let expected = (100..400).chain(900..950).filter(|row| row % 2 == 0 && row % 7 != 0);
    assert_eq!(found, expected.collect::<Vec<_>>());
}
