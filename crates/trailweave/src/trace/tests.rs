//! Drawings of one chain.

use trailweave_correlate::Missing;

use super::*;

const ARN: &str =
    "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Administrator_5f0c1d2e3b4a6978/carla@example.com";

fn call(second: usize, volume: &str, by: &str) -> Call {
    let text = |text: &str| Some(text.to_owned());
    Call {
        event_id: Some(format!("e{second}")),
        time: format!("2026-09-01T12:00:{second:02}Z"),
        name: "Decrypt".to_owned(),
        error_code: None,
        principal_arn: text(by),
        principal_account_id: text("111122223333"),
        invoked_by: None,
        recipient_account_id: text("111122223333"),
        instance_id: None,
        caller_instance_id: None,
        volume_id: text(volume),
        snapshot_id: None,
        grant_id: None,
        grant_event_id: None,
        key_arn: text("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        source_key_arn: None,
        link: "none".to_owned(),
        confidence: None,
        source_object: None,
        copies: Vec::new(),
    }
}

fn chain(calls: Vec<Call>) -> Chain {
    let begins = Some("2026-01-01".to_owned());
    let missing = |id: &str| Missing::Launch { instance_id: id.to_owned(), lake_begins: begins.clone() };
    let cause = Cause { event: None, unmatched_reason: Some("no_ec2_event".to_owned()), calls };
    Chain {
        id: ARN.to_owned(),
        keys: Vec::new(),
        launch: None,
        pruned_before: None,
        missing: vec![missing("i-0000000a")],
        causes: vec![cause],
        more_events: 0,
    }
}

fn launch(time: &str) -> Event {
    Event {
        event_id: String::new(),
        time: time.to_owned(),
        name: "RunInstances".to_owned(),
        principal_arn: Some("arn:alice".to_owned()),
        principal_account_id: None,
        root_principal_arn: None,
        root_source: None,
        source_ip_address: None,
        error_code: None,
        source_object: None,
        recipient_account_id: None,
        copies: Vec::new(),
    }
}

fn drawn(chain: &Chain, look: Look) -> Vec<String> {
    let mut out = Vec::new();
    draw(&mut out, chain, look).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn graph(chain: &Chain) -> String {
    let mut out = Vec::new();
    dot(&mut out, chain).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_missing_stands_before_what_is_there() {
    let lines = drawn(&chain(vec![call(0, "vol-0000000a", ARN)]), Look::default());
    assert_eq!(lines[..2], [ARN, "missing: the launch of i-0000000a: nothing before 2026-01-01 was read"]);
    assert_eq!(lines.len(), 5, "{lines:#?}");
}

#[test]
fn what_is_not_drawn_is_said() {
    let chain = Chain {
        launch: Some(launch("2026-08-01T12:00:00Z")),
        pruned_before: Some("2026-08-15".to_owned()),
        more_events: 50,
        ..chain(vec![call(0, "vol-0000000a", ARN)])
    };
    let notes = [
        "launched by arn:alice at 2026-08-01T12:00:00Z",
        "days before 2026-08-15 were pruned",
        "left out: 50 later events; --since and --until choose a time",
    ];
    assert_eq!(drawn(&chain, Look::default())[1..4], notes);
    let graph = graph(&chain);
    assert!(notes.iter().all(|note| graph.contains(&format!("label=\"{note}\""))), "{graph}");
}

#[test]
fn a_lack_that_may_be_none_is_not_called_missing() {
    let grant = |n: usize| Missing::Retirement { grant_id: format!("g{n}") };
    let volume = |n: usize| Missing::Decrypt { volume_id: format!("vol-{n}") };
    let lacks = |n: usize| {
        let missing = (0..n).map(grant).chain((0..n).map(volume)).collect();
        drawn(&Chain { missing, ..chain(Vec::new()) }, Look::default())[1..3].to_vec()
    };
    let open = "grant g0 is still open: the lake has no RetireGrant or RevokeGrant";
    assert_eq!(
        lacks(1),
        [open, "not seen: a Decrypt for vol-0; it was never attached, or its Decrypt is not in the lake"]
    );
    let many = lacks(4);
    assert!(many[0].starts_with("4 grants are still open, such as g0"), "{many:#?}");
    assert!(many[1].starts_with("not seen: Decrypts for 4 volumes, such as vol-0"), "{many:#?}");
}

#[test]
fn control_characters_of_a_trail_are_written_out() {
    let evil = Call { name: "De\u{1b}[31m\ncrypt".to_owned(), ..call(0, "vol-\u{7}", "arn:\u{9b}\"") };
    let chain = chain(vec![evil]);
    let lines = drawn(&chain, Look::default());
    assert!(lines[3].ends_with("De\\u{1b}[31m\\ncrypt  by arn:\\u{9b}\""), "{lines:#?}");
    assert!(lines[4].contains("vol-\\u{7}"), "{lines:#?}");
    assert!(graph(&chain).contains("\"De\\\\u{1b}[31m\\ncrypt\\n2026"), "{}", graph(&chain));
}

#[test]
fn causes_without_an_id_are_nodes_of_their_own() {
    let cause = |time: &str, second| {
        let call = Call { event_id: None, ..call(second, "vol-0000000a", ARN) };
        Cause { event: Some(launch(time)), unmatched_reason: None, calls: vec![call] }
    };
    let causes = vec![cause("2014-01-01T00:00:00Z", 0), cause("2014-01-02T00:00:00Z", 1)];
    let graph = graph(&Chain { causes, ..chain(Vec::new()) });
    for arrow in ["\"cause 0\" -> \"cause 0 0\"", "\"cause 1\" -> \"cause 1 0\""] {
        assert!(graph.contains(arrow), "{graph}");
    }
}

#[test]
fn what_repeats_is_one_line_unless_all_is_asked_for() {
    let same = chain((0..3).map(|second| call(second, "vol-0000000a", ARN)).collect());
    let lines = drawn(&same, Look::default());
    assert_eq!(lines[3], format!("   └─ Decrypt x 3  between 2026-09-01T12:00:00Z and 2026-09-01T12:00:02Z  by {ARN}"));
    let few = chain((0..3).map(|second| call(second, &format!("vol-0000000{second}"), ARN)).collect());
    assert_eq!(drawn(&few, Look::default()).len(), 3 + 3 * 2);
    let by = |second| call(second, &format!("vol-000000{second:02}"), &format!("arn:{second}"));
    let many = chain((0..12).map(by).collect());
    let lines = drawn(&many, Look::default());
    assert!(lines[3].contains("Decrypt x 12  between") && lines[3].ends_with("  by arn:0, 11 more"), "{lines:#?}");
    assert!(lines[4].contains("vol-00000000, 11 more  key arn:"), "{lines:#?}");
    assert_eq!(drawn(&many, Look { is_full: true, ..Look::default() }).len(), 3 + 12 * 2);
}

#[test]
fn an_event_that_two_accounts_logged_names_both() {
    let copy = Copy { event_id: None, recipient_account_id: Some("444455556666".to_owned()) };
    let copied = Call { copies: vec![copy], ..call(0, "vol-0000000a", ARN) };
    let lines = drawn(&chain(vec![copied]), Look::default());
    assert!(lines[3].ends_with("  logged in 111122223333 and 444455556666"), "{lines:#?}");
}

#[test]
fn a_caller_without_an_arn_is_an_account() {
    let by = |account: Option<&str>, service: Option<&str>| {
        let [principal_account_id, invoked_by] = [account, service].map(|it| it.map(str::to_owned));
        let call = Call { principal_arn: None, principal_account_id, invoked_by, ..call(0, "vol-0000000a", ARN) };
        let line = drawn(&chain(vec![call]), Look::default()).swap_remove(3);
        line.split_once("  by ").unwrap().1.to_owned()
    };
    assert_eq!(by(Some("444455556666"), None), "account 444455556666");
    assert_eq!(by(Some("444455556666"), Some("AWS Internal")), "account 444455556666 through AWS Internal");
    assert_eq!(by(None, Some("ebs.amazonaws.com")), "ebs.amazonaws.com");
    assert_eq!(by(None, None), "an unnamed principal");
    let event = Event { principal_arn: None, principal_account_id: Some("444455556666".to_owned()), ..launch("") };
    assert_eq!(actor(&event), "account 444455556666");
}

#[test]
fn a_reencrypt_names_both_keys_and_one_of_one_key_names_it_once() {
    let key = call(0, "vol-0000000a", ARN).key_arn.unwrap();
    let drawn_and_graph = |source: &str| {
        let call = Call { source_key_arn: Some(source.to_owned()), ..call(0, "vol-0000000a", ARN) };
        let chain = chain(vec![call]);
        (drawn(&chain, Look::default()).swap_remove(4), graph(&chain).matches("\"e0\" -> ").count())
    };
    let (line, n_arrows) = drawn_and_graph("arn:source");
    assert!(line.ends_with(&format!("vol-0000000a  key {key}  source key arn:source")), "{line}");
    assert_eq!(n_arrows, 3);
    let (line, n_arrows) = drawn_and_graph(&key);
    assert!(line.ends_with(&format!("vol-0000000a  key {key}")), "{line}");
    assert_eq!(n_arrows, 2);
}

#[test]
fn lines_fit_a_terminal_and_keep_the_ends_of_names() {
    let chain = chain(vec![call(0, "vol-0000000a", ARN)]);
    for width in [20, 60, 80, 100, 400] {
        let lines = drawn(&chain, Look { width: Some(width), ..Look::default() });
        assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
    }
    let lines = drawn(&chain, Look { width: Some(80), ..Look::default() });
    assert!(lines[0].starts_with("arn:aws:sts::") && lines[0].contains('…') && lines[0].ends_with("carla@example.com"));
    assert!(lines[3].contains("2026-09-01T12:00:00Z  Decrypt  by arn"), "{lines:#?}");
    assert_eq!(drawn(&chain, Look { width: Some(400), ..Look::default() }), drawn(&chain, Look::default()));
}

#[test]
fn colours_change_nothing_else() {
    let chain = chain(vec![call(0, "vol-0000000a", ARN)]);
    let coloured = drawn(&chain, Look { is_coloured: true, ..Look::default() }).join("\n");
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(plain, drawn(&chain, Look::default()).join("\n"));
}
