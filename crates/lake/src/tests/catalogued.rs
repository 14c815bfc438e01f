//! A lake whose tables are in a catalogue too, which checks versions as AWS Glue does: the entry follows every commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use trailweave_table::EVENTS;
use trailweave_table::Table;

use super::dying::Dying;
use super::published::{part, replace, table, write};
use crate::Catalog;
use crate::CatalogEntry;
use crate::Change;
use crate::GlueTables;
use crate::Lake;
use crate::LakeError;
use crate::LakePlace;
use crate::LeaseTimes;
use crate::PublishOptions;
use crate::TableMetadata;
use crate::change::finish_all;
use crate::publish;

const DATABASE: &str = "trail";

/// A catalogue of one database.
#[derive(Debug, Default)]
struct Fake(Mutex<BTreeMap<&'static str, CatalogEntry>>);

impl Catalog for Fake {
    fn check(&self, database: &str) -> Result<(), LakeError> {
        let source = "it has no other".into();
        let action = "look".to_owned();
        let missing = || LakeError::Catalog { action, database: database.to_owned(), remedy: "make it".into(), source };
        if database == DATABASE { Ok(()) } else { Err(missing()) }
    }

    fn entry(&self, _: &str, table: &Table) -> Result<Option<CatalogEntry>, LakeError> {
        Ok(self.0.lock().unwrap().get(table.name).cloned())
    }

    fn point(
        &self,
        _: &str,
        table: &Table,
        before: Option<&CatalogEntry>,
        to: &TableMetadata<'_>,
    ) -> Result<bool, LakeError> {
        let mut tables = self.0.lock().unwrap();
        if tables.get(table.name).map(|entry| &entry.version_id) != before.map(|entry| &entry.version_id) {
            return Ok(false);
        }
        let version: u64 = before.map_or(0, |entry| entry.version_id.parse().unwrap());
        let entry = CatalogEntry {
            version_id: (version + 1).to_string(),
            metadata_location: Some(to.metadata_location.to_owned()),
            ..CatalogEntry::default()
        };
        tables.insert(table.name, entry);
        Ok(true)
    }
}

fn lake_in(store: Arc<dyn ObjectStore>, catalog: &Arc<Fake>) -> Lake {
    let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
    let catalog = Arc::clone(catalog) as Arc<dyn Catalog>;
    Lake::open_or_create_at(&place.with_catalog(Some(catalog)), None).unwrap()
}

fn publish_in(lake: &Lake, glue: GlueTables) -> Result<bool, LakeError> {
    lake.begin_publishing(&PublishOptions { keep_secs: None, glue })?;
    publish(lake, &EVENTS, &lake.parts(&EVENTS)?, "publish")
}

fn publish_all(lake: &Lake) -> Result<bool, LakeError> {
    publish_in(lake, GlueTables::Of(DATABASE.to_owned()))
}

/// Makes a lake of one part that is published in the catalogue.
fn published() -> (Arc<dyn ObjectStore>, Arc<Fake>, Lake) {
    let (store, catalog): (Arc<dyn ObjectStore>, _) = (Arc::new(InMemory::new()), Arc::default());
    let lake = lake_in(Arc::clone(&store), &catalog);
    write(&lake, &part(&lake, "template"));
    publish_all(&lake).unwrap();
    (store, catalog, lake)
}

/// Says which version of the metadata the entry names, and which is the newest.
fn versions(lake: &Lake, catalog: &Fake) -> (String, String) {
    let entry = catalog.entry(DATABASE, &EVENTS).unwrap().expect("there is a table");
    let newest = lake.read(&lake.state_dir().join("iceberg/events/metadata/version-hint.text")).unwrap().unwrap();
    let named = entry.metadata_location.unwrap();
    let name = named.strip_prefix("s3://bucket/lake/_trailweave/iceberg/events/metadata/v").unwrap();
    (name.strip_suffix(".metadata.json").unwrap().to_owned(), String::from_utf8(newest).unwrap())
}

fn assert_follows(lake: &Lake, catalog: &Fake) {
    let (named, newest) = versions(lake, catalog);
    assert_eq!(named, newest);
}

#[test]
fn of_two_who_commit_at_once_to_a_catalogue_neither_is_lost() {
    let (_, catalog, lake) = published();
    thread::scope(|scope| {
        for who in ["a", "b"] {
            let lake = lake.clone();
            scope.spawn(move || {
                for n in 0..5 {
                    replace(&lake, &format!("{who}{n}"), &[]).unwrap();
                }
            });
        }
    });
    assert_eq!(table(&lake).1.len(), 11);
    assert_eq!(versions(&lake, &catalog), ("11".to_owned(), "11".to_owned()));
}

#[test]
fn a_process_that_is_killed_at_any_step_leaves_a_catalogue_that_the_next_lets_follow() {
    for left in 0.. {
        let (store, catalog, _) = published();
        let killed = lake_in(Arc::new(Dying::new(&store, left)), &catalog);
        let outcome = replace(&killed, "new", &["template"]);
        let lake = lake_in(store, &catalog);
        finish_all(&lake).unwrap();
        assert_follows(&lake, &catalog);
        if outcome.is_ok() {
            break;
        }
    }
}

/// A change that holds, and that a catalogue is in the way of.
#[test]
fn a_lake_whose_catalogue_refuses_goes_on_without_it() {
    let (store, _, lake) = published();
    let mut change = Change::new(&lake, "cut");
    change.remove(&part(&lake, "template"));
    drop(change.hold().unwrap());
    let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
    let without = Lake::open_at(&place).unwrap();
    assert!(matches!(without.lock(), Err(LakeError::NoCatalog { .. })));
    drop(without.lock_to_publish(&GlueTables::Leave).unwrap());
    assert!(table(&without).1.is_empty());
    without.lock().unwrap();
}

#[test]
fn a_table_of_somebody_else_is_not_taken_over() {
    let (_, catalog, lake) = published();
    let theirs = "s3://bucket/lake/_trailweave/iceberg/events/metadata/00002-ab.metadata.json";
    for names in [Some(theirs.to_owned()), Some("s3://other/lake/metadata/v1.metadata.json".to_owned()), None] {
        catalog.0.lock().unwrap().get_mut("events").unwrap().metadata_location.clone_from(&names);
        assert!(matches!(replace(&lake, "new", &["template"]), Err(LakeError::ForeignTable { .. })));
        assert!(matches!(publish_all(&lake), Err(LakeError::ForeignTable { .. })));
        assert_eq!(table(&lake).1, ["template"], "the change was refused before it held");
        assert_eq!(catalog.entry(DATABASE, &EVENTS).unwrap().unwrap().metadata_location, names);
    }
}

#[test]
fn a_lake_that_leaves_a_catalogue_changes_nothing_there_and_one_that_was_published_anew_comes_back() {
    let (_, catalog, lake) = published();
    publish_in(&lake, GlueTables::Leave).unwrap();
    replace(&lake, "new", &[]).unwrap();
    assert_eq!(versions(&lake, &catalog), ("1".to_owned(), "2".to_owned()));
    publish_all(&lake).unwrap();
    assert_follows(&lake, &catalog);
    for file in lake.files(&lake.state_dir().join("iceberg")).unwrap() {
        lake.remove(&file.path).unwrap();
    }
    publish_all(&lake).unwrap();
    assert_eq!(versions(&lake, &catalog), ("1".to_owned(), "1".to_owned()));
}

#[test]
fn a_lake_in_a_catalogue_is_not_changed_without_it() {
    let (store, _, lake) = published();
    let place = LakePlace::remote("s3://bucket/lake", store, LeaseTimes::default()).unwrap();
    let without = Lake::open_at(&place).unwrap();
    assert!(matches!(replace(&without, "new", &[]), Err(LakeError::NoCatalog { .. })));
    assert_eq!(table(&lake).1, ["template"]);
    assert!(publish_in(&lake, GlueTables::Of("other".to_owned())).is_err(), "there is no such database");
}
