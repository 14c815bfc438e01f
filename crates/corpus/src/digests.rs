//! Digest files as `CloudTrail` delivers them: one an hour and trail, signed, each naming the one before it.
//!
//! Beside the trail stand the files that prove it without AWS: `public-keys.json`, as `ListPublicKeys` answers, and
//! `digest-metadata.json`, the metadata that objects in S3 carry and local files cannot.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use crate::clock::{compact, day_folders, rfc3339};
use crate::dice::Dice;
use crate::gzip::Compressor;
use crate::keys::{SigningKey, hex};
use crate::options::CorpusOptions;
use crate::tampering::{Tampered, Tampering};
use crate::world::World;

/// The bucket that the trail is a copy of.
pub const BUCKET: &str = "synthetic-trail";
/// The public keys, beside `AWSLogs`.
pub const PUBLIC_KEYS: &str = "public-keys.json";
/// The metadata of the digests, beside `AWSLogs`.
pub const DIGEST_METADATA: &str = "digest-metadata.json";

const HOUR_SECS: i64 = 3_600;
/// A trail is stopped only where that many hours in a row bring nothing.
const STOPPED_HOURS: usize = 3;

/// A log file that was written.
pub(crate) struct Logged {
    /// The number of the trail.
    pub(crate) scope: usize,
    /// When it was delivered.
    pub(crate) at: i64,
    /// Its path below the root, with slashes.
    pub(crate) key: String,
    pub(crate) sha256: [u8; 32],
}

/// The digests of a corpus.
pub(crate) struct Digests<'d> {
    world: &'d World,
    options: &'d CorpusOptions,
    root: &'d Path,
    /// One for each region, and one that is on no list.
    keys: Vec<SigningKey>,
    metadata: BTreeMap<String, Metadata>,
    compressor: Compressor,
    pub(crate) n_written: usize,
    pub(crate) tampered: Option<Tampered>,
}

/// The metadata of a digest's object.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    signature: String,
    signature_algorithm: &'static str,
    /// The time at which it was made, where that was later.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill_generation_timestamp: Option<String>,
}

impl Metadata {
    fn new(signature: String) -> Self {
        Self { signature, signature_algorithm: "SHA256withRSA", backfill_generation_timestamp: None }
    }
}

/// A digest that was written, as its successor names it.
#[derive(Clone)]
struct Written {
    key: String,
    sha256: String,
    signature: String,
}

/// A trail in a region of an account.
#[derive(Clone, Copy)]
struct Trail {
    scope: usize,
    /// True if it is the other trail of the first account and region, which delivers to the same folders.
    is_second: bool,
}

/// A window of a chain.
struct Hour<'d> {
    start: i64,
    end: i64,
    logged: Vec<&'d Logged>,
    /// True if a chain begins.
    begins: bool,
}

impl<'d> Digests<'d> {
    pub(crate) fn new(world: &'d World, options: &'d CorpusOptions, root: &'d Path) -> Self {
        let key = |stream| SigningKey::new(&mut Dice::new(options.seed ^ 0x00d1_6e57, stream));
        let keys = (0..=world.regions.len() as u64).map(key).collect();
        Self {
            world,
            options,
            root,
            keys,
            metadata: BTreeMap::new(),
            compressor: Compressor::new(),
            n_written: 0,
            tampered: None,
        }
    }

    /// Writes the digests of all trails, and the files beside them.
    pub(crate) fn write(&mut self, logged: &[Logged]) -> Result<(), Error> {
        let end = logged.iter().map(|it| it.at).max().unwrap_or(self.world.start).div_euclid(HOUR_SECS) + 1;
        let hours = (self.world.start.div_euclid(HOUR_SECS), end);
        for scope in 0..self.world.scopes() {
            let of_scope: Vec<&Logged> = logged.iter().filter(|it| it.scope == scope).collect();
            if self.options.second_trail && scope == 0 {
                for (first, is_second) in [(0, false), (1, true)] {
                    let logged: Vec<&Logged> = of_scope.iter().skip(first).step_by(2).copied().collect();
                    self.trail(Trail { scope, is_second }, hours, &logged)?;
                }
            } else {
                self.trail(Trail { scope, is_second: false }, hours, &of_scope)?;
            }
        }
        let metadata = serde_json::to_vec(&BTreeMap::from([(BUCKET, &self.metadata)])).expect("texts are JSON");
        self.write_file(DIGEST_METADATA, &metadata)?;
        let listed = self.keys.split_last().expect("there is a key that is on no list").1;
        let key = |key: &SigningKey| {
            json!({
                "Value": key.public,
                "ValidityStartTime": self.world.start - 30 * 24 * HOUR_SECS,
                "ValidityEndTime": end * HOUR_SECS + 30 * 24 * HOUR_SECS,
                "Fingerprint": key.fingerprint,
            })
        };
        let keys: Vec<Value> = listed.iter().map(key).collect();
        self.write_file(PUBLIC_KEYS, &json!({ "PublicKeyList": keys }).to_string().into_bytes())
    }

    /// Writes the digests of an account in a region: a chain, which is stopped and started once where nothing comes for
    /// hours, and a digest that was made later, of a log file that an hour left out.
    fn trail(&mut self, trail: Trail, (first, end): (i64, i64), logged: &[&Logged]) -> Result<(), Error> {
        let mut hours: Vec<Hour<'_>> = (first..end)
            .map(|hour| {
                let (start, end) = (hour * HOUR_SECS, (hour + 1) * HOUR_SECS);
                let logged = logged.iter().filter(|it| (start..end).contains(&it.at)).copied().collect();
                Hour { start, end, logged, begins: hour == first }
            })
            .collect();
        if trail.scope + 1 == self.world.scopes() {
            stop(&mut hours);
        }
        let busy: Vec<usize> = (0..hours.len()).filter(|at| hours[*at].logged.len() > 1).collect();
        let target = busy.get(busy.len() / 2).copied().unwrap_or_default();
        let mut backfill = None;
        if let Some(hour) = hours.iter_mut().enumerate().find(|(at, hour)| *at != target && hour.logged.len() > 1) {
            backfill = hour.1.logged.pop().map(|late| (hour.1.start, hour.1.end, late));
        }
        let is_tampered = trail.scope == 0 && !trail.is_second;
        let mut previous: Option<Written> = None;
        let n_hours = hours.len();
        for (at, hour) in hours.iter().enumerate() {
            let tampering = self.options.tampering.filter(|it| {
                is_tampered && (at == target && !it.is_at_the_end() || at + 1 == n_hours && it.is_at_the_end())
            });
            let before = previous.as_ref().filter(|_| !hour.begins);
            previous = Some(self.digest(trail, hour, before, tampering)?);
        }
        if let Some((start, end, late)) = backfill {
            let hour = Hour { start, end, logged: vec![late], begins: true };
            self.backfill(trail, &hour)?;
        }
        Ok(())
    }

    fn digest(
        &mut self,
        trail: Trail,
        hour: &Hour<'_>,
        previous: Option<&Written>,
        tampering: Option<Tampering>,
    ) -> Result<Written, Error> {
        let key = self.key(trail, hour.end, "");
        let body = self.body(trail, hour, &key, previous, tampering);
        let signature = self.signature(trail, hour, &key, &body, previous, tampering);
        let sha256 = hex(digest(&SHA256, body.as_bytes()).as_ref());
        self.metadata.insert(key.clone(), Metadata::new(signature.clone()));
        self.write_gzip(&key, body.as_bytes())?;
        self.n_written += 1;
        if let Some(tampering) = tampering {
            self.tamper(tampering, &key, &body, hour)?;
        }
        Ok(Written { key, sha256, signature })
    }

    /// Writes a digest of what an earlier one left out, a day later.
    fn backfill(&mut self, trail: Trail, hour: &Hour<'_>) -> Result<(), Error> {
        let key = self.key(trail, hour.end, "_backfill");
        let body = self.body(trail, hour, &key, None, None);
        let signature = self.signature(trail, hour, &key, &body, None, None);
        let made = rfc3339(hour.end + 24 * HOUR_SECS);
        let metadata = Metadata { backfill_generation_timestamp: Some(made), ..Metadata::new(signature) };
        self.metadata.insert(key.clone(), metadata);
        self.n_written += 1;
        self.write_gzip(&key, body.as_bytes())
    }

    fn key(&self, trail: Trail, end: i64, suffix: &str) -> String {
        let (account, region) = self.world.of_scope(trail.scope);
        let organization =
            if account.in_organization { format!("{}/", self.world.organization) } else { String::new() };
        let (region, home) = (self.world.regions[region], self.world.regions[0]);
        let trail = match (trail.is_second, account.in_organization) {
            (true, _) => "second",
            (false, true) => "org_audit-2",
            (false, false) => "main",
        };
        let (id, days, end) = (&account.id, day_folders(end), compact(end));
        let name = format!("{id}_CloudTrail-Digest_{region}_{trail}_{home}_{end}{suffix}.json.gz");
        format!("AWSLogs/{organization}{id}/CloudTrail-Digest/{region}/{days}/{name}")
    }

    fn body(
        &self,
        trail: Trail,
        hour: &Hour<'_>,
        key: &str,
        previous: Option<&Written>,
        tampering: Option<Tampering>,
    ) -> String {
        let (account, region) = self.world.of_scope(trail.scope);
        let unlisted = tampering == Some(Tampering::LogUnlisted);
        let listed = hour.logged.iter().skip(usize::from(unlisted));
        let previous_hash = match tampering {
            Some(Tampering::DigestWrongPreviousHash) => Some("00".repeat(32)),
            _ => previous.map(|it| it.sha256.clone()),
        };
        let log_files: Vec<Value> = listed.map(|it| log_file(it)).collect();
        let signer = if tampering == Some(Tampering::DigestUnknownFingerprint) { self.keys.len() - 1 } else { region };
        json!({
            "awsAccountId": account.id,
            "digestStartTime": rfc3339(hour.start),
            "digestEndTime": rfc3339(hour.end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": self.keys[signer].fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": hour.logged.last().map(|it| rfc3339(it.at - 60)),
            "oldestEventTime": hour.logged.first().map(|it| rfc3339(it.at - 900)),
            "previousDigestS3Bucket": previous.map(|_| BUCKET),
            "previousDigestS3Object": previous.map(|it| &it.key),
            "previousDigestHashValue": previous_hash,
            "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
            "previousDigestSignature": previous.map(|it| &it.signature),
            "logFiles": log_files,
        })
        .to_string()
    }

    fn signature(
        &self,
        trail: Trail,
        hour: &Hour<'_>,
        key: &str,
        body: &str,
        previous: Option<&Written>,
        tampering: Option<Tampering>,
    ) -> String {
        let sha256 = hex(digest(&SHA256, body.as_bytes()).as_ref());
        let previous = previous.map_or("null", |it| &it.signature);
        let text = format!("{}\n{BUCKET}/{key}\n{sha256}\n{previous}", rfc3339(hour.end));
        let is_foreign = matches!(tampering, Some(Tampering::DigestOtherKey | Tampering::DigestUnknownFingerprint));
        let signer = if is_foreign { self.keys.len() - 1 } else { self.world.of_scope(trail.scope).1 };
        self.keys[signer].sign(&text)
    }

    /// Does to a digest, or to a log file that it lists, what was asked for, after all was signed.
    fn tamper(&mut self, tampering: Tampering, key: &str, body: &str, hour: &Hour<'_>) -> Result<(), Error> {
        let log = hour.logged.first().map_or("", |it| &it.key);
        let read = |key: &str| {
            let path = self.root.join(key);
            fs::read(&path).map_err(|source| Error::Write { path, source })
        };
        let mut about = key.to_owned();
        match tampering {
            Tampering::DigestOtherKey | Tampering::DigestUnknownFingerprint | Tampering::DigestWrongPreviousHash => {}
            Tampering::LogUnlisted => log.clone_into(&mut about),
            Tampering::DigestChanged => {
                let changed = body.replacen("\"newest", "\"nevest", 1);
                self.write_gzip(key, changed.as_bytes())?;
            }
            Tampering::DigestTail => self.write_file(key, &[read(key)?, b"more".to_vec()].concat())?,
            Tampering::DigestDeleted => self.remove(key)?,
            Tampering::DigestMoved => {
                about = key.replace("0000Z.json.gz", "0500Z.json.gz");
                let stored = read(key)?;
                self.remove(key)?;
                self.write_file(&about, &stored)?;
                let moved = self.metadata.remove(key).expect("it was written");
                self.metadata.insert(about.clone(), moved);
            }
            Tampering::DigestWithoutMetadata | Tampering::NewestWithoutMetadata => {
                self.metadata.remove(key);
            }
            _ => {
                log.clone_into(&mut about);
                let stored = if log.is_empty() { Vec::new() } else { read(log)? };
                match tampering {
                    Tampering::LogDeleted => self.remove(log)?,
                    Tampering::LogMember => {
                        let member = self.compressor.gzip(b"");
                        self.write_file(log, &[stored, member].concat())?;
                    }
                    Tampering::LogTail => self.write_file(log, &[&stored[..], b"more"].concat())?,
                    Tampering::LogCut => self.write_file(log, &stored[..stored.len() / 2])?,
                    _ => self.write_gzip(log, &changed(&stored))?,
                }
            }
        }
        self.tampered =
            Some(Tampered { uri: format!("s3://{BUCKET}/{about}"), digest: format!("s3://{BUCKET}/{key}") });
        Ok(())
    }

    fn remove(&self, key: &str) -> Result<(), Error> {
        let path = self.root.join(key);
        fs::remove_file(&path).map_err(|source| Error::Write { path, source })
    }

    fn write_gzip(&mut self, key: &str, text: &[u8]) -> Result<(), Error> {
        let stored = self.compressor.gzip(text);
        self.write_file(key, &stored)
    }

    fn write_file(&self, key: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.root.join(key);
        let folder = path.parent().expect("a key has a folder").to_owned();
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder, source })?;
        fs::write(&path, content).map_err(|source| Error::Write { path, source })
    }
}

/// Stops a trail for the longest time in which nothing comes, and starts it again.
fn stop(hours: &mut Vec<Hour<'_>>) {
    let mut longest = 0..0;
    let mut at = 0;
    for run in hours.chunk_by(|a, b| a.logged.is_empty() == b.logged.is_empty()) {
        if run[0].logged.is_empty() && run.len() > longest.len() {
            longest = at..at + run.len();
        }
        at += run.len();
    }
    if longest.len() >= STOPPED_HOURS && longest.end < hours.len() {
        hours[longest.end].begins = true;
        hours.drain(longest);
    }
}

fn log_file(logged: &Logged) -> Value {
    json!({
        "s3Bucket": BUCKET,
        "s3Object": logged.key,
        "hashValue": hex(&logged.sha256),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": rfc3339(logged.at - 60),
        "oldestEventTime": rfc3339(logged.at - 900),
    })
}

/// Changes one byte of the text of a log file.
fn changed(stored: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut decoder = flate2::write::GzDecoder::new(&mut text);
    decoder.write_all(stored).and_then(|()| decoder.try_finish()).expect("it was written whole");
    drop(decoder);
    let at = text.windows(11).position(|it| it == b"\"eventName\"").expect("a record has a name") + 13;
    text[at] ^= 0x20;
    text
}
