//! Seeded synthetic trails with the ground truth of every link.
//!
//! For the demo, tests and benches. It invents accounts, people, keys, instances and volumes, lets them live,
//! and logs what AWS would log, in the shapes of 2014 and of 2026. It reads nothing, and it knows nothing of the
//! other crates: the truth is what happened, not what a join finds.
//!
//! ```text
//!  seed -> World -> stories -> flows -> Stage { records, drafts, facts }
//!            |                            |               |
//!            '-----> noise slots ---> delivery        truth::rows
//!                                         |               |
//!                    root/AWSLogs/../*.json.gz      root/truth.jsonl
//!                                         |
//!                                      digests --> root/AWSLogs/../CloudTrail-Digest/..
//! ```
//!
//! `truth.jsonl` holds one object per KMS event that touches EC2 or EBS (and per copy of it in another account), in
//! the order of time:
//!
//! | field | meaning |
//! |---|---|
//! | `flow` | `A` to `O`, `share`, `role` or `denied`: what happened |
//! | `kms_event_id`, `kms_event_name`, `recipient_account_id` | the KMS event |
//! | `ec2_event_id` | the EC2 event that caused it: the copy in the same account, else the caller's; null when none did |
//! | `ec2_event_copies` | every copy of that event |
//! | `instance_id` | the instance that the event names; else the one at which its volume was seen nearest in time |
//! | `caller_instance_id` | the instance whose role made the call |
//! | `volume_id`, `snapshot_id`, `grant_id`, `key_arn` | what the event touches |
//! | `link_exists` | whether an EC2 event caused it |
//! | `unmatched_reason` | why none did |
//! | `ambiguous` | why rules that only see the trail may fail to find this; null when they must find it |
//! | `launch_event_id` | the `RunInstances` of `instance_id`, else of `caller_instance_id` |
//! | `root_principal_arn`, `root_source` | who stands behind the cause, else behind the launch, and how the trail tells |

mod clock;
mod delivery;
mod dice;
mod digests;
mod error;
mod flows;
mod gzip;
mod identity;
mod keys;
mod noise;
mod options;
mod record;
mod scene;
mod stories;
mod tampering;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

pub use crate::digests::{BUCKET, DIGEST_METADATA, PUBLIC_KEYS};
pub use crate::error::Error;
pub use crate::options::{CorpusOptions, Generations};
pub use crate::tampering::{Tampered, Tampering};

use crate::delivery::Records;
use crate::digests::Digests;
use crate::scene::Stage;
use crate::truth::Row;
use crate::world::World;

/// A generated corpus, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Corpus {
    /// Objects written.
    pub objects: usize,
    /// Their gzipped bytes.
    pub bytes: u64,
    /// Distinct events.
    pub records: usize,
    /// Records in all objects, doubles included.
    pub delivered: usize,
    /// How often each flow occurred.
    pub chains: BTreeMap<&'static str, usize>,
    /// An instance with encrypted volumes that was launched, stopped and started; empty without modern records.
    pub first_instance: String,
    /// Digest files written.
    pub digests: usize,
    /// The object that was tampered with, if any.
    pub tampered: Option<Tampered>,
}

/// Writes `root/AWSLogs/..` and `root/truth.jsonl`, and with digests the files that prove the trail without AWS. Equal options give equal bytes.
pub fn generate(options: &CorpusOptions, root: &Path) -> Result<Corpus, Error> {
    let world = World::new(options, options.span()?);
    let mut stage = Stage::new(&world);
    stories::tell(&mut stage, share(options.records, options.flows));
    let n_noise = options.records.saturating_sub(stage.records.len());
    let noise = noise::slots(&world, n_noise);
    let records = Records { world: &world, placed: &stage.records, noise: &noise };
    let delivered = delivery::deliver(&records, options, root)?;
    let mut digests = None;
    if options.digests {
        let mut made = Digests::new(&world, options, root);
        made.write(&delivered.logged)?;
        digests = Some(made);
    }
    let (n_digests, tampered) = digests.map_or((0, None), |it| (it.n_written, it.tampered));
    write_truth(&truth::rows(stage.drafts, &stage.facts), &root.join("truth.jsonl"))?;
    Ok(Corpus {
        objects: delivered.objects,
        bytes: delivered.bytes,
        records: stage.records.len() + noise.len(),
        delivered: delivered.records,
        chains: stage.chains,
        first_instance: stage.first_instance.unwrap_or_default(),
        digests: n_digests,
        tampered,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "about so many; the share is between 0 and 1"
)]
fn share(records: usize, share: f64) -> usize {
    (records as f64 * share).round() as usize
}

fn write_truth(rows: &[Row], path: &Path) -> Result<(), Error> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, row).expect("rows are plain text fields");
        lines.push(b'\n');
    }
    fs::write(path, lines).map_err(|source| Error::Write { path: path.to_owned(), source })
}
