//! The layers are laid in order, and what does not hold is named.

use super::*;
use crate::args::PlaceArgs;

fn now() -> Timestamp {
    "2026-09-10T12:00:00Z".parse().unwrap()
}

fn resolve(common: &Common, ingest: &IngestArgs) -> Result<Config, ConfigError> {
    Config::resolve(common, ingest, now())
}

fn with_file(text: &str) -> (tempfile::TempDir, Common) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trailweave.toml");
    fs::write(&path, text).unwrap();
    (folder, Common { config: Some(path), ..Common::default() })
}

#[test]
fn the_default_file_says_the_defaults_of_the_code() {
    let (_folder, common) = with_file(include_str!("../../../../config/default.toml"));
    let ingest = IngestArgs::default();
    assert_eq!(resolve(&common, &ingest).unwrap(), resolve(&Common::default(), &ingest).unwrap());
}

#[test]
fn what_is_typed_overrides_the_file() {
    let (_folder, common) = with_file("lake = 'filed'\nsource = ['filed']\nthreads = 3");
    let common = Common { lake: Some("typed".into()), ..common };
    let config = resolve(&common, &IngestArgs::default()).unwrap();
    assert_eq!((config.lake, config.threads.get()), (Source::Local("typed".into()), 3));
    assert_eq!(config.sources, [Source::Local("filed".into())]);
}

#[test]
fn what_is_typed_to_be_read_replaces_all_that_the_file_names() {
    let (_folder, common) = with_file("source = ['filed']\nkeys = ['filed']\nqueue_url = 'https://sqs/1/trail'");
    let typed = IngestArgs { keys: vec!["typed".into()], ..IngestArgs::default() };
    let config = resolve(&common, &typed).unwrap();
    assert_eq!((config.sources.len(), config.keys, config.queue_url), (0, vec!["typed".into()], None));
}

#[test]
fn an_empty_queue_that_is_typed_is_none_and_replaces_nothing_else() {
    let (_folder, common) = with_file("source = ['filed']\nqueue_url = 'https://sqs/1/trail'");
    let config = resolve(&common, &IngestArgs { queue_url: Some(String::new()), ..IngestArgs::default() }).unwrap();
    assert_eq!((config.sources.len(), config.queue_url), (1, None));
}

#[test]
fn a_switch_that_is_off_overrides_the_file() {
    let (_folder, common) = with_file("path_style = true\nrequester_pays = true");
    let s3 = S3Args { requester_pays: Some(false), ..S3Args::default() };
    let s3 = resolve(&Common { s3, ..common }, &IngestArgs::default()).unwrap().s3;
    assert_eq!((s3.path_style, s3.requester_pays), (true, false));
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let (_folder, common) = with_file("lakes = 'typo'");
    let error = resolve(&common, &IngestArgs::default()).unwrap_err();
    let ConfigError::Parse { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("unknown field `lakes`"), "{source}");
}

#[test]
fn times_are_dates_instants_or_times_ago() {
    for (value, day) in [
        ("2026-09-01", "2026-09-01"),
        ("2026-09-01T22:00:00-02:00", "2026-09-02"),
        ("today", "2026-09-10"),
        ("yesterday", "2026-09-09"),
        ("7d", "2026-09-03"),
        ("13h", "2026-09-09"),
        ("2w", "2026-08-27"),
    ] {
        assert_eq!(when("from", value, now()).unwrap(), Some(day.parse().unwrap()), "{value}");
    }
    for value in ["tomorrow", "7", "d", "-7d", "2026-13-01", "7é"] {
        assert!(when("from", value, now()).is_err(), "{value}");
    }
}

#[test]
fn a_setting_out_of_range_is_refused_by_name() {
    let text = |value: &str| Some(value.to_owned());
    let common = Common::default();
    let placed = |place| IngestArgs { place, ..IngestArgs::default() };
    let wrong = [
        (Common { memory: text("1MiB"), ..common.clone() }, IngestArgs::default(), "memory"),
        (Common { threads: text("many"), ..common.clone() }, IngestArgs::default(), "threads"),
        (Common { lake: text("gs://bucket/lake"), ..common.clone() }, IngestArgs::default(), "lake"),
        (common.clone(), placed(PlaceArgs { account: vec!["1234".into()], ..PlaceArgs::default() }), "account"),
        (common.clone(), placed(PlaceArgs { region: vec!["EU-WEST-1".into()], ..PlaceArgs::default() }), "region"),
        (common.clone(), placed(PlaceArgs { region: vec![" eu-west-1".into()], ..PlaceArgs::default() }), "region"),
        (common.clone(), placed(PlaceArgs { region: vec![String::new()], ..PlaceArgs::default() }), "region"),
        (common.clone(), IngestArgs { queue_url: text("trail"), ..IngestArgs::default() }, "queue-url"),
        (common, IngestArgs { events: text("some"), ..IngestArgs::default() }, "events"),
    ];
    for (common, ingest, name) in wrong {
        let error = resolve(&common, &ingest).unwrap_err();
        assert!(matches!(error, ConfigError::Value { key, .. } if key == name), "{error}");
    }
}

#[test]
fn memory_that_the_threads_cannot_work_in_is_refused_with_the_least_that_they_can() {
    let text = |value: &str| Some(value.to_owned());
    let with = |memory, threads| Common { memory: text(memory), threads: text(threads), ..Common::default() };
    let error = resolve(&with("100MiB", "16"), &IngestArgs::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Memory { least: ByteSize(bytes), .. } if bytes == 128 << 20), "{error}");
    assert_eq!(resolve(&with("128MiB", "16"), &IngestArgs::default()).unwrap().threads.get(), 16);
    assert!(resolve(&with("64MiB", "0"), &IngestArgs::default()).unwrap().threads.get() <= 8);
}

#[test]
fn an_endpoint_that_cannot_be_followed_is_refused_without_being_repeated() {
    let (_folder, common) = with_file("otlp_endpoint = 'user:word@host'");
    let error = resolve(&common, &IngestArgs::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Endpoint { key: "--otlp-endpoint", .. }), "{error}");
    let said = format!("{0:?} {0:#}", anyhow::Error::from(error));
    assert!(!said.contains("word"), "{said}");
    let common = Common { otlp_endpoint: Some(String::new()), ..common };
    assert_eq!(resolve(&common, &IngestArgs::default()).unwrap().otlp_endpoint, None);
}

#[test]
fn a_queue_is_drained_alone_and_whole() {
    let queue_url = Some("https://sqs.eu-west-1.amazonaws.com/111122223333/trail".to_owned());
    let queue = IngestArgs { queue_url, ..IngestArgs::default() };
    let check = |ingest: &IngestArgs| resolve(&Common::default(), ingest).unwrap().check_source();
    assert!(check(&queue).is_ok());
    for with in [
        IngestArgs { source: vec!["trail".into()], ..queue.clone() },
        IngestArgs { place: PlaceArgs { region: vec!["eu-west-1".into()], ..PlaceArgs::default() }, ..queue.clone() },
        IngestArgs { shard: Some("0/2".into()), ..queue },
    ] {
        assert!(matches!(check(&with), Err(ConfigError::QueueWith { .. })), "{with:?}");
    }
}

#[test]
fn a_share_may_be_told_by_the_names_of_variables() {
    let share = |text: &str| {
        let ingest = IngestArgs { shard: Some(text.to_owned()), ..IngestArgs::default() };
        resolve(&Common::default(), &ingest).map(|config| config.shard.map(String::from))
    };
    // Cargo tells every test the numbers of its version: 0.1.0.
    assert_eq!(share("CARGO_PKG_VERSION_MAJOR/2").unwrap().as_deref(), Some("0/2"));
    assert_eq!(share("CARGO_PKG_VERSION_MAJOR/CARGO_PKG_VERSION_MINOR").unwrap(), None, "one share of one is all");
    assert_eq!(share("CARGO_PKG_VERSION_PATCH/8").unwrap().as_deref(), Some("0/8"));
    assert!(matches!(share("NO_SUCH_VARIABLE/8"), Err(ConfigError::Value { key: "shard", .. })));
}

#[test]
fn a_window_that_ends_before_it_begins_is_refused() {
    let text = |value: &str| Some(value.to_owned());
    let ingest = IngestArgs { from: text("1d"), to: text("7d"), ..IngestArgs::default() };
    assert!(matches!(resolve(&Common::default(), &ingest), Err(ConfigError::EmptyWindow { .. })));
}

#[test]
fn a_time_of_day_is_refused_where_objects_are_chosen_by_days() {
    let error = when("from", "2026-09-01T06:00:00Z", now()).unwrap_err();
    assert!(error.to_string().contains("by whole days of delivery (UTC)"), "{error}");
    assert!(range(("from", Some("2026-09-01T06:00:00Z")), ("to", Some("yesterday")), now()).is_ok());
}

#[test]
fn a_time_in_which_no_event_can_be_is_refused() {
    let asked = |until| range(("since", Some("2026-03-05")), ("until", Some(until)), now());
    assert!(asked("2026-03-05").is_ok());
    for until in ["2026-03-04", "2026-03-01", "2026-03-05T00:00:00Z"] {
        assert!(matches!(asked(until), Err(ConfigError::Value { key: "until", .. })), "{until}");
    }
}

#[test]
fn a_time_to_wait_is_of_seconds_up_to_weeks() {
    for (value, secs) in [("", 0), ("0s", 0), ("30s", 30), ("10m", 600), ("2h", 7_200), ("1d", 86_400)] {
        assert_eq!(wait(value).unwrap(), Duration::from_secs(secs), "{value}");
    }
    for value in ["10", "m", "-1m", "1.5h", "soon"] {
        assert!(wait(value).is_err(), "{value}");
    }
}

#[test]
fn what_is_retained_is_a_first_day_that_is_not_ahead() {
    let retain = |value: &str| {
        let (_folder, common) = with_file(&format!("retain = '{value}'"));
        resolve(&common, &IngestArgs::default()).map(|config| config.retain.map(|date| date.to_string()))
    };
    assert_eq!(retain("").unwrap(), None);
    assert_eq!(retain("9d").unwrap().as_deref(), Some("2026-09-01"));
    for value in ["2026-09-01", "9", "9y", "-9d"] {
        assert!(matches!(retain(value), Err(ConfigError::Value { key: "retain", .. })), "{value}");
    }
    assert!(before("before", "2026-09-10", now()).is_ok());
    assert!(before("before", "2026-09-11", now()).is_err() && before("before", "", now()).is_err());
}

#[test]
fn what_the_join_reads_cannot_be_left_out() {
    let omit = |setting: &str| {
        let (_folder, common) = with_file(&format!("omit = {{ {setting} }}"));
        resolve(&common, &IngestArgs::default()).map(|config| config.omit).map_err(|error| error.to_string())
    };
    assert_eq!(omit("").unwrap(), None);
    let omitted = omit("request_parameters = 'drop', source_ip_address = 'hash', issued_to = 'hash'").unwrap().unwrap();
    assert_eq!(omitted["request_parameters"], Omission::Drop);
    assert_eq!((omitted["source_ip_address"], omitted["issued_to"]), (Omission::Hash, Omission::Hash));
    for (setting, because) in [
        ("event_id = 'drop'", "the join reads it, and"),
        ("principal_arn = 'hash'", "the join reads it, and"),
        ("user_agent = 'drop'", "`hash` keeps what it needs"),
        ("amended_event_id = 'drop'", "replaces"),
        ("read_only = 'hash'", "`drop` it"),
        ("resources = 'keep'", "`drop` or `hash`"),
        ("source_ip = 'drop'", "such a column"),
    ] {
        let said = omit(setting).unwrap_err();
        assert!(said.contains(because), "{setting}: {said}");
    }
}
