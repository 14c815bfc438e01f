//! Runs that wait, and runs that nobody needs.

use trailweave_cluster::Job;
use trailweave_cluster::Progress;
use trailweave_cluster::adopt;
use trailweave_cluster::staged_runs;
use trailweave_ingest::CompactOptions;
use trailweave_lake::Lake;

use crate::adopted::adoptable;
use crate::adopted::deliver_more;
use crate::adopted::everything;
use crate::lakes::Files;
use crate::lakes::THREADS;
use crate::lakes::Unjoined;
use crate::lakes::join_in_memory;
use crate::lakes::named;

#[test]
fn the_same_events_are_the_same_run() {
    let it = adoptable();
    let again = Job::of(&it.it.lake, "file:/lake").unwrap();
    assert_eq!(again.run, it.run);
    let (lake, stage) = (everything(it.it.lake.root()), everything(it.stage.root()));
    it.stage.plan(&it.it.lake, &again).unwrap();
    assert!(everything(it.it.lake.root()) == lake && everything(it.stage.root()) == stage);
    deliver_more(&it.it.lake);
    assert_ne!(Job::of(&it.it.lake, "file:/lake").unwrap().run, it.run);
}

#[test]
fn a_lake_knows_how_far_its_runs_have_come_and_forgets_those_that_nobody_needs() {
    let it = adoptable();
    let lake = &it.it.lake;
    let progress = || it.stage.progress(lake, &it.run).unwrap();
    let [run] = &*staged_runs(lake).unwrap() else { panic!("one run is staged") };
    assert_eq!((&run.run, run.stage.as_str()), (&it.run, it.stage.root().to_str().unwrap()));
    assert_eq!(progress(), Progress::Done);
    let folder = it.stage.of(&it.run);
    std::fs::remove_file(folder.join("done.json")).unwrap();
    std::fs::create_dir_all(folder.join("steps/ec2")).unwrap();
    std::fs::write(folder.join("steps/ec2/_SUCCESS"), b"").unwrap();
    assert_eq!(progress(), Progress::Running { done: 1, of: 36 });
    join_in_memory(lake);
    assert_eq!(progress(), Progress::Dead, "the products know its events");
    let files = it.stage.files(lake, &it.run).unwrap();
    std::fs::write(folder.join("thesis.txt"), b"years of work").unwrap();
    it.stage.remove(lake, &it.run).unwrap();
    assert!(files.iter().all(|file| !file.exists()));
    assert_eq!(everything(&folder).into_keys().collect::<Vec<_>>(), [folder.join("thesis.txt")]);
    assert!(staged_runs(lake).unwrap().is_empty());
    assert_eq!(progress(), Progress::Dead);
}

/// What the join in memory makes of all events that a lake has.
fn of_all_events(lake: &Lake) -> Files {
    let all = Unjoined::new("all", "relevant", |other| {
        crate::lakes::copy(&lake.root().join("events"), &other.root().join("events"));
        crate::lakes::copy(&lake.root().join("sessions"), &other.root().join("sessions"));
    });
    all.expected
}

#[test]
fn a_run_whose_parts_were_merged_with_later_ones_is_not_done_for_that() {
    let it = adoptable();
    let lake = &it.it.lake;
    deliver_more(lake);
    let options = CompactOptions { memory_bytes: 64 << 20, threads: THREADS };
    assert!(trailweave_ingest::compact(lake, &options).unwrap().parts_after > 0);
    assert_eq!(it.stage.progress(lake, &it.run).unwrap(), Progress::Done, "it waits to be adopted");
    assert!(adopt(lake, &it.stage, &it.run, THREADS).unwrap().files > 0);
    assert!(named(lake) == it.it.expected, "it has the events of the run alone");
    join_in_memory(lake);
    assert!(named(lake) == of_all_events(lake), "what came since is not there twice");
    assert_eq!(it.stage.progress(lake, &it.run).unwrap(), Progress::Dead);
}

#[test]
fn parts_may_be_merged_and_events_may_come_while_spark_is_at_work() {
    let it = adoptable();
    let lake = &it.it.lake;
    let options = CompactOptions { memory_bytes: 64 << 20, threads: THREADS };
    assert!(trailweave_ingest::compact(lake, &options).unwrap().parts_after > 0);
    deliver_more(lake);
    assert_eq!(it.stage.progress(lake, &it.run).unwrap(), Progress::Done);
    assert!(adopt(lake, &it.stage, &it.run, THREADS).unwrap().files > 0);
    assert!(named(lake) == it.it.expected, "it has the events of the run alone");
    join_in_memory(lake);
    assert!(named(lake) == of_all_events(lake), "what came since is followed");
}
