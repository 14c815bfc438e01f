//! Stages that are adopted or refused, as Spark leaves them; the join in memory has made their rows here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::compute::concat_batches;
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::datatypes::Field;
use arrow::datatypes::Schema;
use arrow::datatypes::TimeUnit;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use serde_json::json;
use trailweave_cluster::ClusterError;
use trailweave_cluster::Job;
use trailweave_cluster::Stage;
use trailweave_cluster::adopt;
use trailweave_lake::Folder;
use trailweave_lake::Lake;
use trailweave_lake::LakePlace;
use trailweave_lake::LeaseTimes;
use trailweave_oracle::batch;
use trailweave_oracle::deliver;

use crate::dying::Dying;
use crate::lakes::Files;
use crate::lakes::THREADS;
use crate::lakes::Unjoined;
use crate::lakes::copy;
use crate::lakes::join_in_memory;
use crate::lakes::named;
use crate::lakes::of_worlds;

/// A lake with the products of its first events, and a run of all, which Spark has done.
pub(crate) struct Adoptable {
    pub(crate) it: Unjoined,
    pub(crate) stage: Stage,
    pub(crate) run: String,
    /// The folder of the run.
    folder: PathBuf,
    /// The products of the first events.
    before: Files,
}

pub(crate) fn adoptable() -> Adoptable {
    let events = of_worlds(3, 60..80);
    let it = Unjoined::of("all", "relevant", &events, 2);
    let first = Unjoined::of("first", "relevant", &events[..events.len().div_ceil(2)], 1);
    join_in_memory(&first.lake);
    copy(first.lake.root(), it.lake.root());
    let before = named(&it.lake);
    assert_ne!(before, it.expected);
    let stage = Stage::new(LakePlace::local(&it.stage()).into_folder());
    let job = Job::of(&it.lake, "file:/lake").unwrap();
    stage.plan(&it.lake, &job).unwrap();
    let folder = stage.of(&job.run);
    for (path, content) in &it.expected {
        put(&folder.join("products").join(path), content);
    }
    let adoptable = Adoptable { it, stage, run: job.run, folder, before };
    adoptable.write_done(|_| ());
    adoptable
}

fn put(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

impl Adoptable {
    /// Makes the same again, in another folder.
    fn copied(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(self.it.folder.path(), folder.path());
        let lake = Lake::open(&folder.path().join("lake")).unwrap();
        let it = Unjoined { name: self.it.name, lake, expected: self.it.expected.clone(), folder };
        let stage = Stage::new(LakePlace::local(&it.stage()).into_folder());
        Self { folder: stage.of(&self.run), it, stage, run: self.run.clone(), before: self.before.clone() }
    }

    /// Writes the end mark of what stands in the stage, but for a change.
    fn write_done(&self, change: impl Fn(&mut Value)) {
        let mut products = BTreeMap::new();
        for table in trailweave_table::PRODUCTS {
            products.insert(table.name, Vec::new());
            let root = self.folder.join("products").join(table.name);
            for date in fs::read_dir(&root).into_iter().flatten().map(|date| date.unwrap().path()) {
                for file in fs::read_dir(date).unwrap().map(|file| file.unwrap().path()) {
                    let bytes = fs::read(&file).unwrap();
                    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes.clone()));
                    let rows = reader.map_or(0, |reader| reader.metadata().file_metadata().num_rows());
                    let path = file.strip_prefix(&root).unwrap();
                    let entry = json!({ "path": path, "bytes": bytes.len(), "rows": rows });
                    products.get_mut(table.name).unwrap().push(entry);
                }
            }
        }
        let mut done = json!({ "run": self.run, "products": products });
        change(&mut done);
        put(&self.folder.join("done.json"), done.to_string().as_bytes());
    }

    fn adopt(&self) -> Result<u64, ClusterError> {
        adopt(&self.it.lake, &self.stage, &self.run, THREADS).map(|summary| summary.files)
    }

    /// The first file of a product.
    fn file(&self, table: &str) -> PathBuf {
        let below = self.it.expected.iter().map(|(path, _)| path).find(|path| path.starts_with(table)).unwrap();
        self.folder.join("products").join(below)
    }

    /// Writes a file of a product anew.
    fn rewrite(&self, table: &str, change: impl Fn(RecordBatch) -> RecordBatch) {
        let path = self.file(table);
        let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(&path).unwrap()).unwrap();
        let schema = Arc::clone(reader.schema());
        let rows = reader.build().unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let rows = change(concat_batches(&schema, &rows).unwrap());
        let mut writer = ArrowWriter::try_new(fs::File::create(&path).unwrap(), rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        self.write_done(|_| ());
    }
}

#[test]
fn the_products_of_a_run_become_the_bytes_of_the_join_in_memory() {
    let it = adoptable();
    put(&it.folder.join("products/grants/_SUCCESS"), b"");
    put(&it.folder.join("products/grants/event_date=2026-09-01/.part-0.parquet.crc"), b"a sum");
    put(&it.folder.join("products/grants/_temporary/0/part-0.parquet"), b"of an attempt");
    assert!(it.adopt().unwrap() > 0);
    assert!(named(&it.it.lake) == it.it.expected);
    assert_eq!(it.adopt().unwrap(), 0, "it is adopted already");
}

/// A change of a stage, or of the lake, and words of the sentence that refuses it.
type Fault = (&'static str, fn(&Adoptable));

const FAULTS: [Fault; 22] = [
    ("is not done: there is no done.json", |it| fs::remove_file(it.folder.join("done.json")).unwrap()),
    ("done.json` cannot be read", |it| put(&it.folder.join("done.json"), b"{")),
    ("done.json` is of the run 0123456789abcdef", |it| it.write_done(|done| done["run"] = json!("0123456789abcdef"))),
    ("done.json` lacks the product `grants`", |it| {
        it.write_done(|done| drop(done["products"].as_object_mut().unwrap().remove("grants")));
    }),
    ("done.json` names `others`", |it| it.write_done(|done| done["products"]["others"] = json!([]))),
    ("holds no job", |it| fs::remove_file(it.folder.join("job.json")).unwrap()),
    ("holds no job", |it| change_job(it, |job| job["run"] = json!("0123456789abcdef"))),
    ("is of version 3 of the rules", |it| change_job(it, |job| job["rules"] = json!(3))),
    ("which the lake does not hold any more", |it| {
        let part = it.it.lake.parts(&trailweave_table::EVENTS).unwrap().remove(0);
        fs::remove_file(part.path).unwrap();
    }),
    ("is not there, and done.json names it", |it| fs::remove_file(it.file("volumes")).unwrap()),
    ("is not there, and done.json names it", |it| fs::remove_dir_all(it.folder.join("products/correlated")).unwrap()),
    ("is not a file that done.json names", |it| {
        fs::copy(it.file("volumes"), it.file("volumes").with_file_name("part-2.parquet")).unwrap();
    }),
    ("is the second file of its date", |it| {
        fs::copy(it.file("volumes"), it.file("volumes").with_file_name("part-2.parquet")).unwrap();
        it.write_done(|_| ());
    }),
    ("does not stand in the folder of a date", |it| {
        fs::create_dir(it.folder.join("products/volumes/event_date=2026-02-30")).unwrap();
        fs::copy(it.file("volumes"), it.folder.join("products/volumes/event_date=2026-02-30/part-2.parquet")).unwrap();
        it.write_done(|_| ());
    }),
    ("bytes, and done.json says", |it| {
        let half = fs::read(it.file("grants")).unwrap();
        fs::write(it.file("grants"), &half[..half.len() / 2]).unwrap();
    }),
    ("rows, and done.json says", |it| {
        it.write_done(|done| done["products"]["grants"][0]["rows"] = json!(1_000_000));
    }),
    ("is damaged", |it| {
        let mut bytes = fs::read(it.file("attachments")).unwrap();
        let end = bytes.len() - 4;
        bytes[end..].copy_from_slice(b"rest");
        fs::write(it.file("attachments"), bytes).unwrap();
    }),
    ("and not those of the table", |it| {
        fs::copy(it.file("volumes"), it.file("grants")).unwrap();
        it.write_done(|_| ());
    }),
    ("has `launched_at` as Timestamp(ms", |it| it.rewrite("instances", |rows| retimed(&rows, TimeUnit::Millisecond))),
    ("has `launched_at` as Timestamp(ns", |it| it.rewrite("instances", |rows| retimed(&rows, TimeUnit::Nanosecond))),
    ("has rows out of order", |it| {
        it.rewrite("correlated", |rows| {
            let backwards: Vec<u32> = (0..u32::try_from(rows.num_rows()).unwrap()).rev().collect();
            take_record_batch(&rows, &arrow::array::UInt32Array::from(backwards)).unwrap()
        });
    }),
    ("has a row of another date", |it| {
        let (file, date) = (it.file("instances"), it.folder.join("products/instances/event_date=2025-09-01"));
        fs::create_dir(&date).unwrap();
        fs::rename(&file, date.join("part-0.parquet")).unwrap();
        it.write_done(|_| ());
    }),
];

fn change_job(it: &Adoptable, change: impl Fn(&mut Value)) {
    let path = it.folder.join("job.json");
    let mut job = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut job);
    fs::write(path, job.to_string()).unwrap();
}

/// The rows with `launched_at` in another unit.
fn retimed(rows: &RecordBatch, unit: TimeUnit) -> RecordBatch {
    let kind = DataType::Timestamp(unit, Some("UTC".into()));
    let schema = rows.schema();
    let is_time = |field: &Field| field.name() == "launched_at";
    let retype = |field: &Arc<Field>| {
        if is_time(field) { Arc::new(Field::new(field.name(), kind.clone(), true)) } else { Arc::clone(field) }
    };
    let fields = schema.fields().iter().map(retype);
    let typed = schema.fields().iter().zip(rows.columns());
    let columns: Vec<ArrayRef> = typed
        .map(|(field, column)| if is_time(field) { cast(column, &kind).unwrap() } else { Arc::clone(column) })
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

#[test]
fn a_stage_that_lacks_anything_or_has_too_much_is_refused_in_one_sentence() {
    let adoptable = adoptable();
    for (words, break_it) in FAULTS {
        let it = adoptable.copied();
        break_it(&it);
        let (products, state) = (named(&it.it.lake), everything(it.it.lake.root()));
        assert!(products == it.before);
        let refused = it.adopt().map_err(|error| error.to_string());
        let Err(said) = refused else { panic!("`{words}` is adopted") };
        assert!(said.contains(words) && !said.contains('\n'), "`{said}` does not say `{words}`");
        assert!(everything(it.it.lake.root()) == state, "{words}: the lake has changed");
    }
}

/// Every file below a folder, with its content.
pub(crate) fn everything(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(everything(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn an_adoption_that_is_killed_at_any_write_leaves_the_old_products_or_the_new_ones() {
    let it = adoptable();
    let mut seen = [0, 0];
    for left in 0.. {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let whole = lake_in(Arc::clone(&store), &it.it.lake);
        let stage = stage_in(&store, &it);
        let killed = lake_in(Arc::new(Dying::new(&store, left)), &it.it.lake);
        let outcome = adopt(&killed, &stage, &it.run, THREADS);
        let _lock = whole.lock().unwrap();
        let found = contents(&whole);
        let is_new = found == it.it.expected;
        assert!(is_new || found == it.before, "{left}: neither the old products nor the new ones");
        assert!(is_new || outcome.is_err(), "{left}");
        seen[usize::from(is_new)] += 1;
        assert_eq!(adopt(&whole, &stage, &it.run, THREADS).unwrap().files == 0, is_new, "{left}");
        assert!(contents(&whole) == it.it.expected, "{left}");
        if outcome.is_ok() {
            break;
        }
    }
    assert!(seen.iter().all(|n| *n > 2), "{seen:?}");
}

/// A copy of a lake in an object store, if that has none yet.
fn lake_in(store: Arc<dyn ObjectStore>, from: &Lake) -> Lake {
    let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
    if let Ok(lake) = Lake::open_at(&place) {
        return lake;
    }
    let lake = Lake::open_or_create_at(&place, None).unwrap();
    for (path, content) in everything(from.root()) {
        let below = from.below(&path);
        if !below.ends_with("lake.json") && !below.ends_with("lock") {
            lake.write(&lake.root().join(below), &content).unwrap();
        }
    }
    lake
}

fn stage_in(store: &Arc<dyn ObjectStore>, it: &Adoptable) -> Stage {
    let place = LakePlace::remote("s3://bucket/stage", Arc::clone(store), LeaseTimes::default()).unwrap();
    let folder: Folder = place.into_folder();
    for (path, content) in everything(&it.folder) {
        let below = path.strip_prefix(it.stage.root()).unwrap();
        folder.write(below.to_str().unwrap(), &content).unwrap();
    }
    Stage::new(folder)
}

/// The content of every file of the products of a lake in an object store, by path below the lake.
fn contents(lake: &Lake) -> Files {
    let parts = trailweave_table::PRODUCTS.into_iter().flat_map(|table| lake.parts(table).unwrap());
    parts.map(|part| (lake.below(&part.path).to_owned(), lake.read(&part.path).unwrap().unwrap())).collect()
}

/// Brings more events to the lake.
pub(crate) fn deliver_more(lake: &Lake) {
    deliver(lake, 9, &batch(&of_worlds(9, 10..30)));
}
