//! The verdicts in the lake: the table `digests`, and the column `verdict` of the ledger. All change together.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use trailweave_decode::Sha256;
use trailweave_digest::{Digest, DigestName, Judged, Previous, State, Unreadable, from_hex};
use trailweave_lake::{Change, Part, TableWriter};
use trailweave_table::{DIGESTS, LEDGER, product_name};

use super::had::HadLogs;
use super::kept::FINGERPRINT_DIGITS;
use super::known::Known;
use super::logs::Logs;
use super::rows::{BROKEN, DIGEST_MISSING, DigestRow, VALID, batch, read_rows};
use super::verdict::LogVerdict;
use super::verification::Verification;
use crate::IngestError;
use crate::ledger::rewrite::{NamedColumn, rewrite};
use crate::ledger::{SHA256, VERDICT};
use crate::source::listing::ObjectRef;

/// The name of the change.
const NAME: &str = "verify";
/// The name of the table's file until its bytes are known.
const UNNAMED: &str = "part-verify.parquet";

/// Rows of digests that are written at once.
const TOGETHER: usize = 8_192;

impl Verification<'_> {
    /// Prepares to keep the verdicts. What was not asked for keeps those that it had.
    pub(super) fn change(
        &self,
        (digests, versions): (Vec<Digest>, Vec<Box<str>>),
        unreadable: &[Unreadable],
        judged: &Judged,
        logs: &Logs,
        (had, known): (&HadLogs, &Known),
    ) -> Result<Change<'_>, IngestError> {
        let mut change = Change::new(self.lake, NAME);
        let rows = self.rows((digests, versions), unreadable, judged, logs, had);
        self.store_digests(rows, &mut change)?;
        self.store_verdicts(logs, (had, known), &mut change)?;
        Ok(change)
    }

    /// Makes the rows of all digests that are asked for, and of those that are missing.
    fn rows(
        &self,
        (digests, versions): (Vec<Digest>, Vec<Box<str>>),
        unreadable: &[Unreadable],
        judged: &Judged,
        logs: &Logs,
        had: &HadLogs,
    ) -> Vec<DigestRow> {
        let is_repeating = |at: usize| u32::try_from(at).is_ok_and(|at| logs.repeating.contains(&at));
        let mut rows: Vec<DigestRow> = digests
            .into_iter()
            .zip(versions)
            .zip(&judged.verdicts)
            .enumerate()
            .map(|(at, ((digest, version), verdict))| DigestRow {
                // What others list, too, counts there, so a row does not say all that its digest lists.
                version: if is_repeating(at) { String::new() } else { version.into() },
                previous_digest: digest.previous.as_ref().map(Previous::uri).unwrap_or_default(),
                verdict: match verdict.state {
                    State::Trusted => VALID.to_owned(),
                    State::Refused(kind) => kind.name(),
                },
                chain: match (verdict.began, verdict.broken) {
                    (true, _) => "began",
                    (false, None) => "linked",
                    (false, Some(_)) => BROKEN,
                }
                .to_owned(),
                ..DigestRow::new(digest.uri(), &digest.name, digest.start, digest.end)
            })
            .collect();
        for log in &logs.listed {
            let row = &mut rows[log.digest as usize];
            row.log_files += 1;
            let _ = write!(row.listed, "{:0FINGERPRINT_DIGITS$x}", log.listed.url(had));
            match log.verdict {
                LogVerdict::Valid => row.valid += 1,
                LogVerdict::Changed | LogVerdict::BadGzip | LogVerdict::TrailingBytes => row.changed += 1,
                LogVerdict::Missing => row.missing += 1,
                LogVerdict::NotIngested => row.not_ingested += 1,
                LogVerdict::Unlisted | LogVerdict::Unproven => {}
            }
            if log.verdict.kind().is_some() {
                row.faults.push(self.uri(&log.listed, had));
            }
        }
        let mut asked = judged.verdicts.iter();
        rows.retain(|_| asked.next().is_some_and(|verdict| verdict.is_asked));
        let range = self.verify.range;
        let refused = unreadable.iter().filter(|it| range.overlaps(it.name.end, it.name.end));
        rows.extend(refused.map(|it| DigestRow {
            verdict: it.finding.kind.name(),
            ..DigestRow::new(it.finding.uri.clone(), &it.name, it.name.end, it.name.end)
        }));
        rows.extend(judged.missing.iter().filter_map(|it| {
            let name: &DigestName = it.name.as_ref()?;
            let verdict = DIGEST_MISSING.to_owned();
            Some(DigestRow { verdict, ..DigestRow::new(it.uri.clone(), name, it.from, it.to) })
        }));
        rows
    }

    /// Puts rows in the place of those of the same digests, and of the same accounts, regions and times.
    fn store_digests(&self, mut rows: Vec<DigestRow>, change: &mut Change<'_>) -> Result<(), IngestError> {
        let lake = self.lake;
        let parts = lake.parts(&DIGESTS)?;
        for Part { path, .. } in &parts {
            read_rows(lake, path, |row| {
                if !self.is_asked(&row) {
                    rows.push(row);
                }
            })?;
        }
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        rows.dedup_by(|a, b| a.digest == b.digest);
        let staged = change.stage(&lake.table_dir(&DIGESTS).join(UNNAMED));
        let mut writer = TableWriter::new(lake.create_file(&staged)?, &DIGESTS)?;
        rows.chunks(TOGETHER).try_for_each(|rows| writer.write(&batch(rows)))?;
        let path = staged.with_file_name(product_name(&writer.commit()?.digest));
        for part in parts.iter().filter(|part| part.path != path) {
            change.remove(&part.path);
        }
        change.name(&staged, &path);
        Ok(())
    }

    /// Tells whether a digest is of what is asked for.
    pub(super) fn is_asked(&self, row: &DigestRow) -> bool {
        let filter = &self.options.filter;
        filter.takes_account(&row.aws_account_id)
            && filter.takes_region(&row.aws_region)
            && self.verify.range.overlaps(row.digest_start_time, row.digest_end_time)
    }

    /// Puts the verdicts beside the objects of the ledger: of a listed log file beside every text that the lake read as
    /// it.
    fn store_verdicts(
        &self,
        logs: &Logs,
        (had, known): (&HadLogs, &Known),
        change: &mut Change<'_>,
    ) -> Result<(), IngestError> {
        let mut others: Vec<Option<LogVerdict>> = vec![None; had.len()];
        for (position, verdict) in &logs.others {
            others[*position as usize] = Some(*verdict);
        }
        let is_here = |url: u128, identity: u128| {
            let is_meant = |it: &ObjectRef| self.copies.identity(&it.source_object, &it.version) == identity;
            had.positions(url).find(|position| is_meant(&had.object(*position)))
        };
        let verdict = |object: &str, version: &str, sha256: Option<Sha256>| {
            let url = self.copies.fingerprint(object)?;
            let here = || is_here(url, self.copies.identity(object, version));
            let Some(log) = logs.of(url, had) else { return others[here()? as usize] };
            if log.verdict == LogVerdict::Valid && !log.is_judged {
                return None;
            }
            match sha256 {
                Some(sha256) if log.is_judged && sha256 != log.listed.sha256(known) => Some(LogVerdict::Changed),
                // It was quarantined, or an earlier release read it: it may be another text.
                None if log.listed.had().is_some() => here().map(|_| log.verdict),
                _ => Some(log.verdict),
            }
        };
        for Part { path, .. } in self.lake.parts(&LEDGER)? {
            rewrite(self.lake, &path, change, |rows| judged(rows, verdict))?;
        }
        Ok(())
    }
}

/// Returns the verdicts of rows of the ledger, if one of them is another.
fn judged(rows: &RecordBatch, verdict: impl Fn(&str, &str, Option<Sha256>) -> Option<LogVerdict>) -> Vec<NamedColumn> {
    let column = |name| rows.column(LEDGER.position(name)).as_string::<i32>();
    let (objects, versions, hashes, before) =
        (column("source_object"), column("version"), column(SHA256), column(VERDICT));
    let now = |row: usize| {
        let sha256 = from_hex(hashes.value(row)).and_then(|hash| hash.try_into().ok());
        let now = verdict(objects.value(row), versions.value(row), sha256).map(LogVerdict::name);
        now.or_else(|| before.is_valid(row).then(|| before.value(row)))
    };
    let after: StringArray = (0..rows.num_rows()).map(now).collect();
    if after == *before { Vec::new() } else { vec![(VERDICT, Arc::new(after) as ArrayRef)] }
}
