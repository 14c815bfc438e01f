//! `verify` names what was done to a trail, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use serde_json::{Value, json};
use trailweave_corpus::{BUCKET, Corpus, CorpusOptions, DIGEST_METADATA, PUBLIC_KEYS, Tampering, generate};

use crate::program::{Said, query, trailweave, utf8};

/// A trail that is a copy of a bucket, and a lake.
struct World {
    folder: tempfile::TempDir,
    corpus: Corpus,
}

fn options(tampering: Option<Tampering>) -> CorpusOptions {
    CorpusOptions {
        days: 1,
        records: 1_500,
        records_per_object: 5,
        regions: 1,
        accounts: 2,
        digests: true,
        tampering,
        ..CorpusOptions::default()
    }
}

impl World {
    fn new(tampering: Option<Tampering>) -> Self {
        Self::of(&options(tampering))
    }

    fn of(options: &CorpusOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let corpus = generate(options, &folder.path().join("copy")).unwrap();
        Self { folder, corpus }
    }

    fn ingested(tampering: Option<Tampering>) -> Self {
        let world = Self::new(tampering);
        world.ingest();
        world
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Does to the trail what the generator can.
    fn tamper(&mut self, tampering: Tampering) {
        fs::remove_dir_all(self.path("copy")).unwrap();
        self.corpus = generate(&options(Some(tampering)), &self.path("copy")).unwrap();
    }

    fn ingest(&self) {
        let (source, lake) = (self.path("copy/AWSLogs"), self.path("lake"));
        let said = trailweave(&["ingest", "--source", utf8(&source), "--lake", utf8(&lake)]);
        assert!(matches!(said.code, 0 | 3), "{}", said.stderr);
    }

    fn try_verify(&self, more: &[&str]) -> Said {
        let (source, lake) = (self.path("copy/AWSLogs"), self.path("lake"));
        let (keys, metadata) = (self.path("copy").join(PUBLIC_KEYS), self.path("copy").join(DIGEST_METADATA));
        let arguments = ["verify", "--json", "--source", utf8(&source), "--lake", utf8(&lake), "--bucket", BUCKET];
        let proof = ["--public-keys", utf8(&keys), "--digest-metadata", utf8(&metadata)];
        trailweave(&[&arguments[..], &proof, more].concat())
    }

    fn verify(&self, more: &[&str]) -> (i32, Value) {
        let said = self.try_verify(more);
        let found = serde_json::from_str(&said.stdout);
        (said.code, found.unwrap_or_else(|_| panic!("{}", said.stderr)))
    }
}

/// The kinds and URLs of findings of this weight.
fn findings(found: &Value, severity: &str) -> Vec<(String, String)> {
    let findings = found["findings"].as_array().unwrap().iter().filter(|it| it["severity"] == severity);
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    findings.map(|it| (text(&it["kind"]), text(&it["uri"]))).collect()
}

fn valid(found: &Value) -> BTreeSet<&str> {
    found["valid"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect()
}

#[test]
fn a_trail_that_nobody_touched_is_proven_and_stays_so() {
    let world = World::ingested(None);
    let (code, found) = world.verify(&[]);
    assert_eq!((code, findings(&found, "fail")), (0, vec![]));
    assert_eq!(found["hours"]["proven"], found["hours"]["total"]);
    let n_objects = world.corpus.objects;
    assert_eq!(found["log_files"]["valid"], n_objects);
    assert_eq!(valid(&found).len(), n_objects + world.corpus.digests);
    assert_eq!(world.verify(&[]), (code, found.clone()));
    assert_eq!(world.verify(&["--reread"]), (code, found));
    let lake = world.path("lake");
    let verdicts = query(&lake, "SELECT verdict, count(*) AS n FROM ledger GROUP BY ALL");
    assert_eq!(verdicts, [json!({ "verdict": "valid", "n": n_objects })]);
    let digests = query(&lake, "SELECT count(*) AS n, sum(valid) AS valid FROM digests WHERE verdict = 'valid'");
    assert_eq!(digests, [json!({ "n": world.corpus.digests, "valid": n_objects })]);
}

/// Without the public keys nothing could be proven anew.
#[test]
fn what_was_proven_is_not_read_again_and_what_is_gone_since_is_named() {
    let world = World::ingested(None);
    let (_, proven) = world.verify(&[]);
    fs::write(world.path("copy").join(PUBLIC_KEYS), "{\"PublicKeyList\":[]}").unwrap();
    assert_eq!(world.verify(&[]), (0, proven.clone()));
    let uris = valid(&proven);
    let file = |uri: &str| {
        world.path("copy").join(uri.split_once("/AWSLogs").map(|(_, key)| format!("AWSLogs{key}")).unwrap())
    };
    let log = uris.iter().find(|uri| !uri.contains("-Digest")).unwrap();
    let stored = fs::read(file(log)).unwrap();
    fs::remove_file(file(log)).unwrap();
    let (code, found) = world.verify(&[]);
    assert!(code != 0 && !valid(&found).contains(log), "the digest that lists it is read, for which there is no key");
    fs::write(file(log), stored).unwrap();
    // As it was, but in another version: it is looked at again, and so is its digest.
    assert_ne!(world.verify(&[]).0, 0);
    let mut digests = uris.iter().filter(|uri| uri.contains("-Digest") && !uri.contains("backfill"));
    let (first, second) = (digests.next().unwrap(), digests.next().unwrap());
    fs::remove_file(file(first)).unwrap();
    let (_, found) = world.verify(&[]);
    assert!(
        findings(&found, "fail").contains(&("digest-missing".to_owned(), (*first).to_owned())),
        "{second} names it"
    );
}

/// Every tampering with what fails of it, and the exit code.
const TAMPERINGS: [(Tampering, &[&str], i32); 15] = [
    (Tampering::LogByte, &["log-changed"], 4),
    (Tampering::LogCut, &["log-bad-gzip"], 4),
    (Tampering::LogDeleted, &["log-missing"], 4),
    (Tampering::LogMember, &["log-trailing-bytes"], 4),
    (Tampering::LogTail, &["log-trailing-bytes"], 4),
    (Tampering::LogUnlisted, &["log-unlisted"], 4),
    (Tampering::DigestChanged, &["digest-signature"], 4),
    (Tampering::DigestTail, &["digest-trailing-bytes"], 4),
    (Tampering::DigestDeleted, &["digest-missing"], 4),
    (Tampering::DigestMoved, &["digest-missing", "digest-moved"], 4),
    (Tampering::DigestOtherKey, &["digest-signature"], 4),
    (Tampering::DigestWithoutMetadata, &[], 0),
    (Tampering::NewestWithoutMetadata, &["digest-no-signature"], 5),
    (Tampering::DigestUnknownFingerprint, &["digest-unknown-key"], 5),
    (Tampering::DigestWrongPreviousHash, &["digest-previous-hash"], 4),
];

/// Checks what is found of a tampering.
fn check(world: &World, (tampering, kinds, code): (Tampering, &[&str], i32), more: &[&str]) {
    let tampered = world.corpus.tampered.clone().unwrap();
    let (exit, found) = world.verify(more);
    let expected: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let is_digest = *kind == "digest-missing";
            ((*kind).to_owned(), if is_digest { tampered.digest.clone() } else { tampered.uri.clone() })
        })
        .collect();
    assert_eq!((findings(&found, "fail"), exit), (expected, code), "{tampering:?}");
    let is_valid = valid(&found).contains(&*tampered.uri);
    assert_eq!(is_valid, kinds.is_empty(), "{tampering:?}");
    let logs = &found["log_files"];
    let of_a_digest = kinds.iter().any(|kind| kind.starts_with("digest-") && *kind != "digest-previous-hash");
    let n_lost = world.corpus.objects as u64 - logs["valid"].as_u64().unwrap();
    assert_eq!(
        n_lost,
        logs["unproven"].as_u64().unwrap() + u64::from(kinds[..].iter().any(|it| it.starts_with("log-")))
    );
    assert!(of_a_digest || logs["unproven"] == 0, "{tampering:?}: {logs}");
    assert_eq!(world.verify(more).1, found, "{tampering:?}");
}

#[test]
fn every_tampering_before_the_ingest_is_named_and_nothing_else_is() {
    for case in TAMPERINGS {
        check(&World::ingested(Some(case.0)), case, &[]);
    }
}

#[test]
fn every_tampering_after_the_ingest_is_named_and_nothing_else_is() {
    for case in TAMPERINGS {
        let mut world = World::ingested(None);
        world.tamper(case.0);
        check(&world, case, &["--reread"]);
    }
}

/// Only log files that neither trail lists are unlisted.
#[test]
fn two_trails_that_deliver_to_the_same_folders_are_told_apart() {
    let two = |tampering| CorpusOptions { second_trail: true, ..options(tampering) };
    let world = World::of(&two(None));
    world.ingest();
    let (code, found) = world.verify(&[]);
    assert_eq!((code, findings(&found, "fail"), &found["log_files"]["unlisted"]), (0, vec![], &json!(0)));
    assert_eq!(found["log_files"]["valid"], world.corpus.objects);
    let asked =
        "SELECT count(DISTINCT trail_name) AS n FROM digests WHERE valid > 0 GROUP BY aws_account_id ORDER BY n";
    assert_eq!(query(&world.path("lake"), asked), [json!({ "n": 1 }), json!({ "n": 2 })]);
    for tampering in [Tampering::LogUnlisted, Tampering::LogByte] {
        let world = World::of(&two(Some(tampering)));
        world.ingest();
        let case = TAMPERINGS.into_iter().find(|case| case.0 == tampering).unwrap();
        check(&world, case, &[]);
    }
}

#[test]
fn what_the_lake_has_not_read_is_not_ingested() {
    let world = World::new(None);
    let lake = world.path("lake");
    let other = world.path("other.json");
    fs::write(&other, "{\"Records\":[]}").unwrap();
    let said = trailweave(&["ingest", "--source", utf8(&other), "--lake", utf8(&lake)]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let (code, found) = world.verify(&[]);
    assert_eq!((code, &found["log_files"]["not_ingested"]), (4, &json!(world.corpus.objects)));
    world.ingest();
    assert_eq!(world.verify(&[]).0, 0);
}

#[test]
fn sources_that_hold_the_same_objects_are_proven_together() {
    let world = World::ingested(None);
    let other = world.path("other/AWSLogs");
    let (_, alone) = world.verify(&[]);
    let mut logs = valid(&alone).into_iter().filter(|uri| !uri.contains("-Digest"));
    let mut log = || logs.next().unwrap().split_once("/AWSLogs/").unwrap().1;
    let (log, another) = (log(), log());
    let (twice, copy) = (other.join(log), world.path("copy/AWSLogs"));
    fs::create_dir_all(twice.parent().unwrap()).unwrap();
    fs::copy(copy.join(log), &twice).unwrap();
    let both = ["--source", utf8(&other)];
    assert_eq!(world.verify(&both), (0, alone.clone()), "the lake has read one of them");
    let ingest = || trailweave(&["ingest", "--source", utf8(&other), "--lake", utf8(&world.path("lake"))]).code;
    assert_eq!(ingest(), 0);
    assert_eq!(world.verify(&both), (0, alone.clone()), "the lake has read both");
    let verdicts = query(&world.path("lake"), "SELECT DISTINCT verdict FROM ledger");
    assert_eq!(verdicts, [json!({ "verdict": "valid" })]);
    // What the lake reads of the second are no rows, as it has them; then they are others.
    fs::copy(copy.join(another), &twice).unwrap();
    assert_eq!(ingest(), 0);
    assert_eq!(world.verify(&both).0, 0);
    fs::write(&twice, forged(&copy.join(log))).unwrap();
    assert_eq!(ingest(), 0);
    let (code, found) = world.verify(&both);
    assert_eq!((code, findings(&found, "fail")), (4, vec![("log-changed".to_owned(), uri_of(log))]));
    assert_eq!(world.verify(&[]).0, 4, "the lake has the rows, whatever the sources are");
}

/// The text of a log file with other events in it, as it would be stored.
fn forged(log: &Path) -> Vec<u8> {
    let mut plain = GzDecoder::new(Vec::new());
    plain.write_all(&fs::read(log).unwrap()).unwrap();
    let text = String::from_utf8(plain.finish().unwrap()).unwrap();
    let mut forged = GzEncoder::new(Vec::new(), Compression::fast());
    forged.write_all(text.replace("\"eventID\":\"", "\"eventID\":\"0").as_bytes()).unwrap();
    forged.finish().unwrap()
}

fn uri_of(log: &str) -> String {
    format!("s3://{BUCKET}/AWSLogs/{log}")
}

/// A log file of a proven trail, by its path below `AWSLogs`.
fn a_log(world: &World) -> String {
    let (code, found) = world.verify(&[]);
    assert_eq!(code, 0);
    let uri = valid(&found).into_iter().find(|uri| !uri.contains("-Digest")).unwrap();
    uri.split_once("/AWSLogs/").unwrap().1.to_owned()
}

#[test]
fn rows_of_a_text_that_was_put_right_are_not_forgotten() {
    let world = World::ingested(None);
    let log = a_log(&world);
    fs::remove_dir_all(world.path("lake")).unwrap();
    let path = world.path("copy/AWSLogs").join(&log);
    let stored = fs::read(&path).unwrap();
    fs::write(&path, forged(&path)).unwrap();
    world.ingest();
    fs::write(&path, stored).unwrap();
    world.ingest();
    for more in [&[][..], &[], &["--reread"]] {
        let (code, found) = world.verify(more);
        assert_eq!((code, findings(&found, "fail")), (4, vec![("log-changed".to_owned(), uri_of(&log))]));
        assert!(found["findings"][0]["detail"].as_str().unwrap().contains("a new lake is without them"), "{found}");
    }
    let verdicts = query(&world.path("lake"), "SELECT verdict, count(*) AS n FROM ledger GROUP BY 1 ORDER BY 1");
    let n_others = world.corpus.objects - 1;
    assert_eq!(verdicts, [json!({ "verdict": "changed", "n": 2 }), json!({ "verdict": "valid", "n": n_others })]);
}

#[test]
fn a_log_file_that_was_missing_leaves_no_such_verdict_when_it_is_back() {
    let world = World::ingested(None);
    let path = world.path("copy/AWSLogs").join(a_log(&world));
    let stored = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(world.verify(&[]).0, 4);
    fs::write(&path, stored).unwrap();
    assert_eq!(world.verify(&[]).0, 0);
    let verdicts = query(&world.path("lake"), "SELECT DISTINCT verdict FROM ledger");
    assert_eq!(verdicts, [json!({ "verdict": "valid" })]);
}

#[test]
fn digests_that_the_lake_knows_are_missed_whatever_is_left() {
    let world = World::ingested(None);
    let (_, proven) = world.verify(&[]);
    let uris = valid(&proven);
    let top = |uri: &str| uri.split('/').nth(4).unwrap().to_owned();
    let first = top(uris.first().unwrap());
    let (gone, kept) = (world.path("copy/AWSLogs").join(&first), world.path("kept"));
    let (lost, left): (Vec<&str>, Vec<&str>) = uris.iter().partition(|uri| top(uri) == first);
    let account = left[0].rsplit('/').next().unwrap().split('_').next().unwrap();
    fs::rename(&gone, &kept).unwrap();
    for more in [&[][..], &[], &["--reread"]] {
        let (code, found) = world.verify(more);
        let missing = findings(&found, "fail").into_iter().filter(|(kind, _)| kind == "digest-missing").count();
        assert!(code == 4 && 0 < missing && missing < lost.len(), "{found}");
        assert!(found["hours"]["proven"].as_u64() < found["hours"]["total"].as_u64(), "{found}");
    }
    assert_eq!(world.verify(&["--account", account]).0, 0, "the other is not asked for");
    fs::rename(&kept, &gone).unwrap();
    assert_eq!(world.verify(&[]), (0, proven.clone()));
}

#[test]
fn a_place_that_is_asked_for_and_has_no_digest_is_named_beside_others() {
    let world = World::ingested(None);
    let (_, proven) = world.verify(&[]);
    let name = valid(&proven).first().unwrap().rsplit('/').next().unwrap();
    let account = name.split('_').next().unwrap();
    for more in [["--account", account, "--account", "999999999999"], ["--account", account, "--region", "sa-east-1"]] {
        let (code, found) = world.verify(&more);
        assert!(code == 5 && findings(&found, "fail").iter().any(|(kind, _)| kind == "no-digests"), "{found}");
    }
}

#[test]
fn a_source_may_be_named_by_another_path_than_the_lake_read_it_by() {
    let world = World::ingested(None);
    let relative = |arguments: &[&str]| {
        let program =
            Command::new(env!("CARGO_BIN_EXE_trailweave")).args(arguments).current_dir(world.folder.path()).output();
        program.unwrap().status.code()
    };
    let keys = format!("copy/{PUBLIC_KEYS}");
    let metadata = format!("copy/{DIGEST_METADATA}");
    let proof = ["--bucket", BUCKET, "--public-keys", &keys, "--digest-metadata", &metadata];
    symlink(world.path("copy/AWSLogs"), world.path("link")).unwrap();
    for source in ["copy/AWSLogs", "./copy", "copy/../copy/AWSLogs", "link"] {
        assert_eq!(
            relative(&[&["verify", "--source", source, "--lake", "lake"], &proof[..]].concat()),
            Some(0),
            "{source}"
        );
    }
    let verdicts = || query(&world.path("lake"), "SELECT DISTINCT verdict FROM ledger");
    assert_eq!(verdicts(), [json!({ "verdict": "valid" })]);
    // The other way round.
    fs::remove_dir_all(world.path("lake")).unwrap();
    assert_eq!(relative(&["ingest", "--source", "copy/AWSLogs", "--lake", "lake"]), Some(0));
    let absolute = world.path("copy/AWSLogs");
    assert_eq!(relative(&[&["verify", "--source", utf8(&absolute), "--lake", "lake"], &proof[..]].concat()), Some(0));
    assert_eq!(verdicts(), [json!({ "verdict": "valid" })]);
    // By a link to a folder above.
    fs::remove_dir_all(world.path("lake")).unwrap();
    symlink(world.path("copy"), world.path("other")).unwrap();
    assert_eq!(relative(&["ingest", "--source", "other/AWSLogs", "--lake", "lake"]), Some(0));
    assert_eq!(relative(&[&["verify", "--source", "copy", "--lake", "lake"], &proof[..]].concat()), Some(0));
}

#[test]
fn a_copy_without_metadata_is_proven_but_for_the_newest_digests() {
    let world = World::ingested(None);
    fs::write(world.path("copy").join(DIGEST_METADATA), "{}").unwrap();
    let (code, found) = world.verify(&[]);
    let failing = findings(&found, "fail");
    assert!(failing.iter().all(|(kind, _)| kind == "digest-no-signature"), "{failing:?}");
    // The newest of two trails, the last before the stop, and two backfill digests.
    assert_eq!((code, failing.len()), (5, 5));
}

#[test]
fn without_digests_without_keys_or_of_another_bucket_nothing_is_proven() {
    let world = World::ingested(None);
    let of_another = world.try_verify(&[]);
    assert_eq!(of_another.code, 0);
    let (code, found) = world.verify(&["--account", "000000000000"]);
    assert_eq!((code, findings(&found, "fail")[0].0.as_str()), (5, "no-digests"));
    fs::write(world.path("copy").join(PUBLIC_KEYS), "{\"PublicKeyList\":[]}").unwrap();
    let (code, found) = world.verify(&["--reread"]);
    assert_eq!(code, 5);
    assert!(findings(&found, "fail").iter().any(|(kind, _)| kind == "no-keys"));
    let (source, lake) = (world.path("copy/AWSLogs"), world.path("lake"));
    let verify = ["verify", "--source", utf8(&source), "--lake", utf8(&lake)];
    let said = trailweave(&verify);
    assert!(said.code == 1 && said.stderr.contains("--bucket"), "{}", said.stderr);
    assert_eq!(trailweave(&["verify", "--lake", utf8(&lake)]).code, 2);
}

#[test]
fn a_range_reads_the_windows_that_it_touches_in_any_zone() {
    let world = World::ingested(None);
    let (code, found) = world.verify(&["--from", "2026-03-02T07:10:00+01:00", "--to", "2026-03-02T07:50:00Z"]);
    assert_eq!((code, findings(&found, "fail")), (0, vec![]));
    assert_eq!(found["hours"], json!({ "proven": 2, "total": 2 }));
    let [covered, _] = &found["covered"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!((&covered["from"], &covered["to"]), (&json!("2026-03-02T06:10:00Z"), &json!("2026-03-02T07:50:00Z")));
    let (code, found) = world.verify(&["--from", "2026-03-01", "--to", "2026-03-02"]);
    assert_eq!((code, findings(&found, "fail")[0].0.as_str()), (5, "not-covered"));
    // The days of a configuration, unless others are typed.
    let config = world.path("daily.toml");
    fs::write(&config, "from = \"2026-03-01\"\nto = \"2026-03-01\"\n").unwrap();
    let of_config = ["--config", utf8(&config)];
    assert_eq!(world.verify(&of_config).0, 5);
    let (code, found) = world
        .verify(&[&of_config[..], &["--from", "2026-03-02T07:10:00+01:00", "--to", "2026-03-02T07:50:00Z"]].concat());
    assert_eq!((code, &found["hours"]), (0, &json!({ "proven": 2, "total": 2 })));
}
