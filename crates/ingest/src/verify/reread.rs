//! Log files that are read again, because the ledger cannot tell their hash, or because that is asked for.

use std::fs;

use futures::StreamExt;
use futures::stream;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::found::{Found, hashed};
use super::had::HadLogs;
use super::listed::Listed;
use super::logs::Log;
use super::verification::Verification;
use crate::IngestError;
use crate::error::chain;
use crate::source::fetch::FetchError;
use crate::source::split;

/// Objects of S3 that are read at once; each is held whole.
const FETCHES: usize = 64;

impl Verification<'_> {
    /// Reads log files, which are given by their positions, and returns them in that order.
    pub(super) async fn read_again(
        &self,
        logs: &[Log],
        unread: &[usize],
        had: &HadLogs,
    ) -> Result<Vec<(usize, Found)>, IngestError> {
        let (remote, local): (Vec<usize>, Vec<usize>) =
            unread.iter().partition(|at| self.is_in_s3(&logs[**at].listed, had));
        let read = |at: usize| {
            let position = logs[at].listed.had().expect("what no folder has is in S3 or nowhere");
            let stored = fs::read(had.object(position).path());
            (at, stored.map_or_else(|error| Found::Gone(chain(&error)), |stored| hashed(&stored)))
        };
        let mut found: Vec<_> = self.cpu.install(|| local.into_par_iter().map(read).collect());
        let fetch = |at: usize| async move {
            let stored = if let Some(position) = logs[at].listed.had() {
                self.s3.get(&had.object(position)).await
            } else {
                let (bucket, key) = split(logs[at].listed.uri().unwrap_or_default()).unwrap_or_default();
                self.s3.get_object(bucket, key).await.map(|(stored, _)| stored)
            };
            let hashed = match stored {
                Ok(stored) => {
                    self.cpu.run(move || hashed(&stored)).await.map_err(IngestError::worker("hash a log file"))?
                }
                Err(FetchError::Gone { .. }) => Found::Gone("it is not there".to_owned()),
                Err(error) => Found::Gone(chain(&error)),
            };
            Ok::<_, IngestError>((at, hashed))
        };
        let mut fetched = stream::iter(remote).map(|at| Box::pin(fetch(at))).buffer_unordered(FETCHES);
        while let Some(next) = fetched.next().await {
            found.push(next?);
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found)
    }
    fn is_in_s3(&self, listed: &Listed, had: &HadLogs) -> bool {
        self.copies.has_s3() && listed.had().is_none_or(|position| had.object(position).is_in_s3())
    }
}
