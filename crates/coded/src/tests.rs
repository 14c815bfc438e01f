//! Chunks beside those of the Parquet library: readers see the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{ReaderProperties, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::file::statistics::Statistics;
use proptest::prelude::*;

use crate::{CodedChunk, CodedTexts, Filter};

const SHARE: f64 = 0.01;

type Rows = Vec<Option<String>>;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]))
}

fn properties() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build()
}

/// Writes each group of rows as a row group of ours.
fn written(groups: &[Vec<ArrayRef>]) -> Bytes {
    let writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties())).unwrap();
    let (mut writer, _) = writer.into_serialized_writer().unwrap();
    for arrays in groups {
        let mut texts = CodedTexts::default();
        for array in arrays {
            texts.extend(array);
        }
        let column = writer.schema_descr().column(0);
        let chunk = CodedChunk::new(&texts, &column, ZstdLevel::default(), Filter::FalsePositives(SHARE)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        chunk.append_to(&mut group).unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn written_by_library(rows: &Rows) -> Bytes {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema(), Some(properties())).unwrap();
    writer.write(&batch(rows)).unwrap();
    writer.close().unwrap();
    file.into()
}

fn batch(rows: &Rows) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(rows.iter().map(Option::as_deref).collect::<StringArray>())]).unwrap()
}

fn read(file: &Bytes, selection: Option<RowSelection>) -> RecordBatch {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    let builder = selection.into_iter().fold(builder, ParquetRecordBatchReaderBuilder::with_row_selection);
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema(), &batches).unwrap()
}

fn metadata(file: &Bytes) -> ParquetMetaData {
    let options = ReadOptionsBuilder::new().with_page_index().build();
    SerializedFileReader::new_with_options(file.clone(), options).unwrap().metadata().clone()
}

/// Cuts rows into arrays, plain ones and dictionaries in turn. The dictionaries hold values that no row has.
fn cut(rows: &Rows, at: &[usize]) -> Vec<ArrayRef> {
    let mut ends: Vec<usize> = at.iter().map(|at| at % (rows.len() + 1)).chain([0, rows.len()]).collect();
    ends.sort_unstable();
    let array = |(n, ends): (usize, &[usize])| -> ArrayRef {
        let rows = &rows[ends[0]..ends[1]];
        if n % 2 == 0 {
            return Arc::new(rows.iter().map(Option::as_deref).collect::<StringArray>());
        }
        let values: Vec<&str> = rows.iter().rev().flatten().map(String::as_str).chain(["not in any row"]).collect();
        let key = |text: &str| i32::try_from(values.iter().position(|value| *value == text).unwrap()).unwrap();
        let keys = rows.iter().map(|row| row.as_deref().map(key)).collect::<Int32Array>();
        Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(values))))
    };
    ends.windows(2).enumerate().map(array).collect()
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{0,2}",
        2 => "\\PC{0,3}",
        1 => "[a\u{d7ff}\u{10ffff}]{60,70}",
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    let some = proptest::option::weighted(0.8, texts());
    let runs = (some, prop_oneof![8 => 1_usize..4, 1 => 5_usize..40, 1 => Just(9_000)]);
    proptest::collection::vec(runs, 0..40)
        .prop_map(|runs| runs.into_iter().flat_map(|(text, length)| std::iter::repeat_n(text, length)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // As many as fit into the time of a test; `make fuzz` asks for more.
        cases: ProptestConfig::default().cases / 4,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn rows_are_read_as_they_were_however_they_were_cut(rows in rows(), at in proptest::collection::vec(any::<usize>(), 0..4)) {
        prop_assume!(!rows.is_empty());
        let file = written(&[cut(&rows, &at)]);
        prop_assert_eq!(&file, &written(&[cut(&rows, &[])]));
        prop_assert_eq!(read(&file, None), batch(&rows));
        prop_assert_eq!(read(&file, None), read(&written_by_library(&rows), None));
    }

    #[test]
    fn statistics_are_those_of_the_library(rows in rows()) {
        prop_assume!(!rows.is_empty());
        let (ours, theirs) = (metadata(&written(&[cut(&rows, &[])])), metadata(&written_by_library(&rows)));
        let (ours, theirs) = (ours.row_group(0).column(0), theirs.row_group(0).column(0));
        let (Some(Statistics::ByteArray(our)), Some(Statistics::ByteArray(their))) = (ours.statistics(), theirs.statistics())
        else { panic!("no statistics of texts") };
        prop_assert_eq!(our.null_count_opt(), their.null_count_opt());
        let values: BTreeSet<&str> = rows.iter().flatten().map(String::as_str).collect();
        prop_assert_eq!(our.distinct_count(), Some(values.len() as u64));
        prop_assert_eq!(our.min_opt(), their.min_opt());
        prop_assert_eq!(our.min_is_exact(), their.min_is_exact() && !values.is_empty());
        let max = our.max_opt().map(|max| str::from_utf8(max.data()).unwrap());
        prop_assert!(values.last().copied() <= max);
        prop_assert_eq!(our.max_is_exact(), max.is_some() && max == values.last().copied());
    }

    #[test]
    fn a_page_holds_what_its_index_says(rows in rows()) {
        prop_assume!(!rows.is_empty());
        let file = written(&[cut(&rows, &[])]);
        let metadata = metadata(&file);
        let ColumnIndexMetaData::BYTE_ARRAY(index) = &metadata.column_index().unwrap()[0][0] else { panic!("no index") };
        let pages = metadata.offset_index().unwrap()[0][0].page_locations();
        prop_assert_eq!(pages.len(), rows.len().div_ceil(16_384));
        for (page, location) in pages.iter().enumerate() {
            let first = usize::try_from(location.first_row_index).unwrap();
            let end = pages.get(page + 1).map_or(rows.len(), |next| usize::try_from(next.first_row_index).unwrap());
            let selection = vec![RowSelector::skip(first), RowSelector::select(end - first)];
            let of_page = rows[first..end].to_vec();
            prop_assert_eq!(read(&file, Some(selection.into())), batch(&of_page));
            let n_nulls = of_page.iter().filter(|row| row.is_none()).count();
            prop_assert_eq!(index.null_count(page), Some(i64::try_from(n_nulls).unwrap()));
            prop_assert_eq!(index.is_null_page(page), n_nulls == of_page.len());
            for text in of_page.iter().flatten() {
                prop_assert!(index.min_value(page).unwrap() <= text.as_bytes());
                prop_assert!(index.max_value(page).unwrap() >= text.as_bytes());
            }
        }
    }
}

#[test]
fn a_filter_knows_every_value_and_hardly_another() {
    let rows: Rows = (0..5_000).map(|n| Some(format!("i-{n:017x}"))).collect();
    let file = written(&[cut(&rows, &[])]);
    let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new().with_reader_properties(properties);
    let reader = SerializedFileReader::new_with_options(file, options.build()).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let filter = group.get_column_bloom_filter(0).expect("a filter");
    assert!(rows.iter().flatten().all(|text| filter.check(text.as_str())));
    let n_others = (5_000..15_000).filter(|n| filter.check(format!("i-{n:017x}").as_str())).count();
    assert!(n_others < 200, "{n_others} of 10,000");
}

#[test]
fn row_groups_stand_one_after_the_other() {
    let rows: Rows = (0..300).map(|n| (n % 7 > 0).then(|| format!("{}", n % 5))).collect();
    let groups = [cut(&rows[..100].to_vec(), &[]), cut(&vec![None; 50], &[]), cut(&rows[100..].to_vec(), &[9])];
    let all = [&rows[..100], &vec![None; 50], &rows[100..]].concat();
    assert_eq!(read(&written(&groups), None), batch(&all));
}

#[test]
fn rows_come_back_as_an_array() {
    let rows: Rows = vec![Some("a".into()), None, Some(String::new()), Some("a".into())];
    let mut texts = CodedTexts::default();
    for array in cut(&rows, &[2]) {
        texts.extend(&array);
    }
    assert_eq!(texts.dictionary_bytes(), 4 + 1 + 4);
    assert_eq!(texts.into_array().to_data(), batch(&rows).column(0).to_data());
}
