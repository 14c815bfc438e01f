//! A queue is drained in rounds: receive, read, commit, delete.

use std::collections::HashMap;
use std::collections::HashSet;
use std::mem;

use trailweave_lake::Lake;

use super::Run;
use crate::IngestError;
use crate::ledger::Known;
use crate::source::listing::Listing;
use crate::source::listing::ObjectRef;
use crate::source::queue::Queue;

impl Run<'_> {
    /// Reads what the messages of a queue tell of, until it has none.
    pub(super) async fn drain(&mut self, lake: &Lake, url: &str) -> Result<(), IngestError> {
        let queue = Queue::open(url, &self.options.s3).await?;
        tokio::select! {
            drained = self.rounds(lake, &queue) => drained,
            never = queue.keep() => match never {},
        }
    }

    async fn rounds(&mut self, lake: &Lake, queue: &Queue) -> Result<(), IngestError> {
        for n in 1_u64.. {
            let round = queue.receive(&self.inflow.s3, &self.options.filter).await?;
            if round.received == 0 {
                break;
            }
            let mut listing = Listing::default();
            for message in &round.messages {
                listing.extend(message.listing.clone());
            }
            let mut seen = HashSet::new();
            listing.retain(|it| seen.insert((it.source_object.clone(), it.version.clone())));
            let run_id = format!("{}-{n}", self.options.run_id);
            self.read(lake, listing, &run_id).await?;
            let replaced = self.read_replaced(lake, &format!("{run_id}-replaced")).await?;
            let mut known = Vec::new();
            for message in round.messages {
                if message.listing.iter().all(|object| self.is_known(&object, &replaced)) {
                    known.push(message.receipt);
                } else {
                    tracing::warn!(
                        message_id = message.id,
                        "left in the queue: not all that it tells of could be read"
                    );
                }
            }
            let deleted = queue.delete(&known).await?;
            self.summary.messages_received += round.received;
            self.summary.messages_deleted += deleted;
        }
        Ok(())
    }

    /// Reads the present content of objects whose content was replaced after a message told of it, since nothing
    /// promises another message.
    async fn read_replaced(&mut self, lake: &Lake, run_id: &str) -> Result<HashMap<Box<str>, ObjectRef>, IngestError> {
        let mut changed = mem::take(&mut self.changed);
        // They are counted by what becomes of their present content.
        self.summary.objects_left -= changed.len() as u64;
        let mut seen = HashSet::new();
        changed.retain(|location| seen.insert(location.clone()));
        let mut listing = Listing::default();
        if !changed.is_empty() {
            let unseen = self.inflow.s3.look_at(&changed, &mut listing).await?;
            self.gone.extend(unseen.into_iter().filter(|it| it.is_gone).map(|it| it.name));
            self.read(lake, listing.clone(), run_id).await?;
        }
        Ok(listing.iter().map(|object| (object.source_object.clone(), object)).collect())
    }

    /// Tells whether the ledger knows an object, or what replaced it, or it is gone for ever, or of a pruned day.
    fn is_known(&self, object: &ObjectRef, replaced: &HashMap<Box<str>, ObjectRef>) -> bool {
        let is_kept = |object: &ObjectRef| self.outflow.kept.has_place(object.place.as_deref());
        let is_read = |object: &ObjectRef| self.ledger.knows(object) != Known::New || !is_kept(object);
        is_read(object)
            || self.gone.contains(&object.source_object)
            || replaced.get(&object.source_object).is_some_and(is_read)
    }
}
