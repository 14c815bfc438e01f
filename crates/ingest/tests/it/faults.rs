//! A fault ends a run at once, with a sentence that names the file and the remedy, and costs nothing but time.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use trailweave_ingest::IngestError;
use trailweave_ingest::IngestOptions;
use trailweave_ingest::Progress;
use trailweave_lake::Lake;
use trailweave_table::EVENTS;
use trailweave_table::LEDGER;

use crate::ingest;
use crate::options;
use crate::trail::Trail;
use crate::trail::event;
use crate::trail::files;

const DAY: &str = "2026-09-01T12:00:00Z";

fn trail() -> Trail {
    let trail = Trail::new();
    let events: Vec<_> = (0..100).map(|n| event(&format!("{n}"), DAY)).collect();
    trail.deliver("eu-west-1", "2026/09/01", "object", &events);
    trail
}

async fn fails(lake: &Lake, options: &IngestOptions) -> IngestError {
    let _lock = lake.lock().unwrap();
    trailweave_ingest::ingest(lake, options, &Progress::default()).await.unwrap_err()
}

/// Where a file gathers before it has its name.
fn temporary(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.tmp", path.file_name().unwrap().to_str().unwrap()))
}

/// Lets every byte that is written to `path`, until it has its name, meet a disk that is full.
#[cfg(target_os = "linux")]
fn fill_disk_of(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", temporary(path)).unwrap();
}

#[cfg(target_os = "linux")]
fn is_full_disk(error: &IngestError) -> bool {
    error.to_string().contains("free some and run again")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_the_run_and_the_next_goes_on() {
    let trail = trail();
    // A share removes only what its own plan left, so the full disk waits for it.
    let options = IngestOptions { shard: Some("0/1".parse().unwrap()), ..options(&trail) };
    let whole = trail.lake("whole");
    ingest(&whole, &options).await;
    let plan = Path::new("_trailweave/runs/run/plan.json").to_owned();
    let of_first = |table| whole.parts(table).unwrap()[0].path.strip_prefix(whole.root()).unwrap().to_owned();
    for (n, path) in [plan, of_first(&EVENTS), of_first(&LEDGER)].into_iter().enumerate() {
        let lake = trail.lake(&format!("lake-{n}"));
        drop(lake.lock().unwrap());
        let before = files(&lake);
        let path = lake.root().join(path);
        fill_disk_of(&path);
        let error = fails(&lake, &options).await;
        assert!(is_full_disk(&error), "{error}");
        assert!(
            [&path, &temporary(&path)].iter().any(|path| error.to_string().contains(path.to_str().unwrap())),
            "{error}"
        );
        // Parts that the ledger may know of stay until the next run.
        let is_kept = path.starts_with(lake.table_dir(&LEDGER));
        assert!((files(&lake) == before) != is_kept, "{}", path.display());
        ingest(&lake, &options).await;
        assert!(files(&lake) == files(&whole), "{}", path.display());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_full_when_amendments_are_settled_costs_no_row() {
    let trail = trail();
    let lake = trail.lake("lake");
    ingest(&lake, &options(&trail)).await;
    let amendment = event("7", DAY).replace(r#""eventID""#, r#""addendum":{"reason":"UPDATED_DATA"},"eventID""#);
    trail.deliver("eu-west-1", "2026/09/02", "amendment", &[amendment]);
    let amended = lake.parts(&EVENTS).unwrap().remove(0).path;
    let staged = amended.with_file_name(format!(".{}.next", amended.file_name().unwrap().to_str().unwrap()));
    // A share notes the amendment, and leaves it to the next.
    let shard = IngestOptions { shard: Some("0/1".parse().unwrap()), run_id: "shard".to_owned(), ..options(&trail) };
    ingest(&lake, &shard).await;
    let _lock = lake.lock().unwrap();
    let before = files(&lake);
    fill_disk_of(&staged);
    let error = trailweave_ingest::settle(&lake).unwrap_err();
    assert!(is_full_disk(&error), "{error}");
    assert!(files(&lake) == before);
    assert_eq!(trailweave_ingest::settle(&lake).unwrap(), 1);
    assert_eq!(crate::trail::texts(&lake, &EVENTS, "event_id").len(), 100);
}

#[tokio::test]
async fn a_damaged_file_of_the_ledger_is_named_and_its_remedy_works() {
    let trail = trail();
    let whole = trail.lake("whole");
    ingest(&whole, &options(&trail)).await;
    for damage in [&b""[..], b"PAR1", b"PAR1 and no more of it PAR1"] {
        let lake = trail.lake("lake");
        ingest(&lake, &options(&trail)).await;
        let ledger = lake.parts(&LEDGER).unwrap().remove(0).path;
        fs::write(&ledger, damage).unwrap();
        let before = files(&lake);
        let error = fails(&lake, &options(&trail)).await;
        let said =
            format!("`{}` is damaged; restore it from a copy, or remove it, let `gc --orphans`", ledger.display());
        assert!(error.to_string().starts_with(&said), "{error}");
        assert!(files(&lake) == before);
        fs::remove_file(ledger).unwrap();
        trailweave_ingest::gc(&lake, false, true).unwrap();
        ingest(&lake, &options(&trail)).await;
        assert!(files(&lake) == files(&whole));
    }
}

#[tokio::test]
async fn a_plan_that_is_cut_is_named_and_its_remedy_works() {
    let trail = trail();
    let whole = trail.lake("whole");
    ingest(&whole, &options(&trail)).await;
    let runs = whole.state_dir().join("runs").join("run");
    let text = fs::read(runs.join("plan.json")).unwrap();
    for end in [0, 1, text.len() / 2, text.len() - 3] {
        let lake = trail.lake(&format!("lake-{end}"));
        let plan = lake.state_dir().join("runs").join("killed").join("plan.json");
        fs::create_dir_all(plan.parent().unwrap()).unwrap();
        fs::write(&plan, &text[..end]).unwrap();
        let error = fails(&lake, &options(&trail)).await;
        let said = format!("`{}` is damaged; restore it from a copy, or remove it, let `gc --orphans`", plan.display());
        assert!(error.to_string().starts_with(&said), "{error}");
        fs::remove_file(plan).unwrap();
        ingest(&lake, &options(&trail)).await;
        assert!(files(&lake) == files(&whole));
    }
}
