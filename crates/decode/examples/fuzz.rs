//! Mutates objects from a seeded generator and holds the decoder against its oracle: no panic, no difference, every
//! tally balances. `cargo run -p trailweave-decode --example fuzz -- 60 [seed]` runs for 60 seconds.

use std::io::Write;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

// Shared with the tests; a crate of its own would be more than it is worth.
#[path = "../tests/it/same.rs"]
mod same;

const SEEDS: [&str; 4] = [
    include_str!("../tests/it/fixtures/launch.json"),
    include_str!("../tests/it/fixtures/volumes.json"),
    include_str!("../tests/it/fixtures/new_operations.json"),
    include_str!("../tests/it/fixtures/odd_types.json"),
];

/// Texts that mutations insert: the grammar's own tokens, and those that parsers differ about.
const TOKENS: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u0041",
    "\\ud800",
    "\\ud83d\\ude00",
    "\\u00zz",
    "null",
    "true",
    "false",
    "tru",
    "0",
    "-0",
    "-",
    "1e999",
    "1e-999",
    "0.1e1",
    "01",
    "1.",
    "18446744073709551616",
    "-9223372036854775809",
    "9007199254740993.5",
    "\u{feff}",
    "\u{0}",
    "\n",
    "\t",
    " ",
    "{}",
    "[]",
    "\"\"",
    "{\"Records\":[",
    "]}",
    "\"Records\":[",
    "\"detail\":{",
    "\"detail-type\":\"x\",",
    "\"Events\":[",
    "{\"CloudTrailEvent\":\"{}\"}",
    "\"eventTime\":1,",
    "\"eventName\":\"CreateGrant\",",
    "vol-ffffffff",
    "\"keyId\":\"mrk-00000000000000000000000000000000\",",
    "\"eventSource\":\"kms.amazonaws.com\",",
];

const CAP_BYTES: usize = 4 << 20;
/// Small, so that nearly every record is a piece.
const PIECE_BYTES: usize = 700;

fn main() -> ExitCode {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (Ok(seconds), Ok(seed)) = (number(1, 60), number(2, 1)) else {
        eprintln!("usage: fuzz [SECONDS] [SEED]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut dice = Dice(seed);
    let mut n_objects = 0_u64;
    let mut last = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        let before = dice.0;
        let objects = [object(&mut dice), last, SEEDS[0].as_bytes().to_vec()];
        let check = || {
            same::check(CAP_BYTES, &objects[0])?;
            same::check_pieces(CAP_BYTES, &objects[0], PIECE_BYTES)?;
            same::check_together(CAP_BYTES, &objects)
        };
        let outcome = catch_unwind(check).unwrap_or_else(|_| Err("it panics".to_owned()));
        let [object, ..] = objects;
        if let Err(difference) = outcome {
            eprintln!("object {n_objects}, seed {before}: {difference}\n{:?}", String::from_utf8_lossy(&object));
            return ExitCode::FAILURE;
        }
        last = object;
        n_objects += 1;
    }
    eprintln!("{n_objects} objects, no difference");
    ExitCode::SUCCESS
}

/// The generator `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).expect("below a usize")
    }
}

fn object(dice: &mut Dice) -> Vec<u8> {
    let mut json = SEEDS[dice.roll(SEEDS.len())].as_bytes().to_vec();
    if dice.roll(2) == 0 {
        json = one_record(&json, dice);
    }
    for _ in 0..dice.roll(6) {
        mutate(&mut json, dice);
    }
    if dice.roll(4) == 0 {
        json = deep(&json, dice);
    }
    let mut stored = match dice.roll(4) {
        0 => json,
        1 => gzip(&json),
        _ => {
            let (left, right) = json.split_at(dice.roll(json.len() + 1));
            [gzip(left), gzip(right)].concat()
        }
    };
    if dice.roll(8) == 0 {
        mutate(&mut stored, dice);
    }
    stored
}

/// A record alone, in one of the shapes in which records arrive.
fn one_record(json: &[u8], dice: &mut Dice) -> Vec<u8> {
    let value = serde_json::from_slice::<serde_json::Value>(json).expect("fixtures are JSON");
    let records = value["Records"].as_array().expect("fixtures are envelopes");
    let record = &records[dice.roll(records.len())];
    match dice.roll(6) {
        0 => record.to_string(),
        1 => format!("{record}\n{record}\n"),
        2 => serde_json::json!({"detail": record, "detail-type": "AWS API Call via CloudTrail"}).to_string(),
        3 => serde_json::json!({"Events": [{"CloudTrailEvent": record.to_string()}]}).to_string(),
        4 => format!("[{record:#}]"),
        _ => format!("{{\"Records\":[{record}],\"Records\":[{{\"Records\":[{record}]}}]}}"),
    }
    .into_bytes()
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(bytes.len() + 1);
    match dice.roll(7) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 => {
            let end = (at + dice.roll(80)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        4 => {
            let end = (at + dice.roll(80)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = dice.roll(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        _ => {
            let token = TOKENS[dice.roll(TOKENS.len())];
            let end = (at + dice.roll(3)).min(bytes.len());
            bytes.splice(at..end, token.bytes());
        }
    }
}

/// Puts a nest of arrays where some value stands.
fn deep(json: &[u8], dice: &mut Dice) -> Vec<u8> {
    let colons = json.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at).collect::<Vec<_>>();
    let Some(&colon) = colons.get(dice.roll(colons.len())) else {
        return json.to_vec();
    };
    let depth = [3, 120, 125, 126, 127, 128, 2000][dice.roll(7)];
    let nest = format!("{}1{},\"again\":", "[".repeat(depth), "]".repeat(depth));
    [&json[..=colon], nest.as_bytes(), &json[colon + 1..]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to a Vec cannot fail");
    encoder.finish().expect("writing to a Vec cannot fail")
}
