//! Messages of S3 or CloudTrail about new objects, which come through an SQS queue.
//!
//! A message is hidden from other readers while it is held, and comes back when the process that holds it dies. So it
//! is deleted last, when the ledger knows what it tells of.

mod message;

use std::collections::HashMap;
use std::collections::HashSet;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Region;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use aws_sdk_sqs::types::Message as SqsMessage;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::StreamExt;
use futures::TryStreamExt;
use futures::future::try_join_all;
use futures::stream;

use crate::Filter;
use crate::IngestError;
use crate::Location;
use crate::S3Options;
use crate::error::chain;
use crate::source::listing::Listing;
use crate::source::listing::ObjectRef;
use crate::source::listing::Version;
use crate::source::s3::S3;
use crate::source::s3::remedy_or;
use crate::source::s3::shared;

/// Messages that are received before what they tell of is read, which bounds memory.
const ROUND: usize = 5_000;
/// Messages in one request, as SQS allows.
const TOGETHER: usize = 10;
/// Requests under way at once.
const REQUESTS: usize = 16;
/// Any wait makes SQS ask all its servers, so that an empty answer means an empty queue.
const WAIT_SECONDS: i32 = 1;

/// A queue, and the messages that are held of it.
#[derive(Debug)]
pub(crate) struct Queue {
    client: Client,
    url: String,
    /// How long a message is hidden, unless that is renewed.
    visibility: Duration,
    /// Receipts of what was received and not deleted.
    held: Mutex<HashSet<String>>,
}

/// A message that tells of objects.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) listing: Listing,
}

/// Messages that were received together.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// How many messages, those included that tell of nothing that could be understood.
    pub(crate) received: u64,
    pub(crate) messages: Vec<Message>,
}

impl Queue {
    /// Asks how long the queue hides a message.
    pub(crate) async fn open(url: &str, options: &S3Options) -> Result<Self, IngestError> {
        let shared = Box::pin(shared(options)).await;
        let mut config = aws_sdk_sqs::config::Builder::from(&shared).endpoint_url(endpoint(url));
        if let Some(region) = region(url) {
            config = config.region(Region::new(region.to_owned()));
        }
        let client = Client::from_conf(config.build());
        let name = QueueAttributeName::VisibilityTimeout;
        let request = client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let answer = Box::pin(request.send()).await.map_err(failed("look at", url))?;
        let said: Option<u64> = answer.attributes().and_then(|attributes| attributes.get(&name)?.parse().ok());
        let visibility = Duration::from_secs(said.unwrap_or_default().max(1));
        Ok(Self { client, url: url.to_owned(), visibility, held: Mutex::default() })
    }

    /// Receives messages until there are none, or enough for a round. `s3` is asked of objects that are only named.
    pub(crate) async fn receive(&self, s3: &S3, filter: &Filter) -> Result<Round, IngestError> {
        let mut round = Round::default();
        let mut is_drained = false;
        while !is_drained && round.messages.len() < ROUND {
            let answers = try_join_all((0..REQUESTS).map(|_| Box::pin(self.receive_some()))).await?;
            is_drained = answers.iter().any(Vec::is_empty);
            for message in answers.into_iter().flatten() {
                round.received += 1;
                round.messages.extend(self.hold(message, filter));
            }
        }
        look_at_named(s3, &mut round.messages).await;
        Ok(round)
    }

    async fn receive_some(&self) -> Result<Vec<SqsMessage>, IngestError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let request = request.wait_time_seconds(WAIT_SECONDS).visibility_timeout(self.visibility_seconds());
        let answer = request.send().await.map_err(failed("read", &self.url))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// `None` where the message tells of nothing that is understood. It is held all the same, so that this run does
    /// not meet it again, and then left for the queue's own rules.
    fn hold(&self, message: SqsMessage, filter: &Filter) -> Option<Message> {
        let (id, receipt) = (message.message_id.unwrap_or_default(), message.receipt_handle.unwrap_or_default());
        self.held().insert(receipt.clone());
        match message::listing(&message.body.unwrap_or_default(), filter) {
            Ok(listing) => Some(Message { id, receipt, listing }),
            Err(error) => {
                tracing::warn!(message_id = id, error = chain(&error), "left in the queue: not understood");
                None
            }
        }
    }

    /// Deletes messages; says how many. One that cannot be deleted comes back, and is known then.
    pub(crate) async fn delete(&self, receipts: &[String]) -> Result<u64, IngestError> {
        let batches = stream::iter(receipts.chunks(TOGETHER)).map(|batch| Box::pin(self.delete_some(batch)));
        batches.buffered(REQUESTS).try_fold(0, |sum, deleted| async move { Ok(sum + deleted) }).await
    }

    async fn delete_some(&self, receipts: &[String]) -> Result<u64, IngestError> {
        let entry = |(n, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(receipt).build()
        };
        let entries = entries(receipts.iter().enumerate().map(entry));
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(failed("delete messages of", &self.url))?;
        for failure in answer.failed() {
            tracing::warn!(code = failure.code(), error = failure.message(), "a message was not deleted");
        }
        let mut held = self.held();
        for receipt in receipts {
            held.remove(receipt);
        }
        Ok(answer.successful().len() as u64)
    }

    /// Keeps what is held hidden, for as long as it is polled.
    pub(crate) async fn keep(&self) -> Infallible {
        loop {
            tokio::time::sleep(self.visibility / 3).await;
            let held: Vec<String> = self.held().iter().cloned().collect();
            let batches = stream::iter(held.chunks(TOGETHER)).map(|batch| Box::pin(self.keep_some(batch)));
            batches.buffer_unordered(REQUESTS).collect::<()>().await;
        }
    }

    /// A message that cannot be kept hidden comes back and is known then, which is not a reason to end a run.
    async fn keep_some(&self, receipts: &[String]) {
        let entry = |(n, receipt): (usize, &String)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(self.visibility_seconds())
                .build()
        };
        let entries = entries(receipts.iter().enumerate().map(entry));
        let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
        if let Err(error) = request.send().await {
            tracing::warn!(error = chain(&error), "messages are not kept hidden, and may come back");
        }
    }

    fn visibility_seconds(&self) -> i32 {
        i32::try_from(self.visibility.as_secs()).unwrap_or(i32::MAX)
    }

    fn held(&self) -> MutexGuard<'_, HashSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives objects that are only named their present size and version. One that cannot be looked at stays as it is:
/// its fetch, of a version that no object has, says whether it is gone, denied or there.
async fn look_at_named(s3: &S3, messages: &mut [Message]) {
    let named = |message: &Message| message.listing.iter().filter(message::is_named).collect::<Vec<_>>();
    let named: Vec<_> = messages.iter().map(named).collect();
    let locations: Vec<_> = named.iter().flatten().filter_map(|it| Location::of(&it.source_object)).collect();
    let mut found = Listing::default();
    if let Err(error) = s3.look_at(&locations, &mut found).await {
        tracing::warn!(error = chain(&error), "objects that messages name cannot be looked at");
    }
    let found: HashMap<_, _> = found.iter().map(|object| (object.source_object.clone(), object)).collect();
    for (message, named) in messages.iter_mut().zip(&named) {
        message.listing.retain(|object| !message::is_named(object));
        for object in named {
            let ObjectRef { source_object, version, bytes, .. } = found.get(&object.source_object).unwrap_or(object);
            message.listing.push(source_object, None, Version::Text(version), *bytes);
        }
    }
}

fn entries<T>(built: impl Iterator<Item = Result<T, BuildError>>) -> Vec<T> {
    built.map(|entry| entry.expect("an entry has an id and a receipt")).collect()
}

/// Scheme and host of a queue's URL: every partition, and every endpoint of a private network, names its own.
fn endpoint(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..].find('/').map_or(url, |path| &url[..host + path])
}

/// The region that AWS's own host names tell: `sqs.<region>.amazonaws.com`.
fn region(url: &str) -> Option<&str> {
    let mut labels = endpoint(url).split("://").nth(1)?.split('.');
    labels.find(|label| ["sqs", "sqs-fips"].contains(label))?;
    labels.next()
}

/// Names what was tried on which queue.
fn failed<E>(action: &'static str, url: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> IngestError
where
    E: Send + Sync + 'static,
    SdkError<E, HttpResponse>: ProvideErrorMetadata + Error,
{
    let url = url.to_owned();
    move |error| {
        let remedy = match error.code() {
            Some("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist") => "check its URL".into(),
            _ => remedy_or(
                &error,
                "allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes \
                 on it, and kms:Decrypt on its key",
            ),
        };
        IngestError::Aws { action, name: url, remedy, source: error.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_asked_where_its_url_says() {
        for (url, host, of) in [
            ("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/1/q",
                "https://sqs.cn-north-1.amazonaws.com.cn",
                Some("cn-north-1"),
            ),
            ("http://127.0.0.1:5000/1/q", "http://127.0.0.1:5000", None),
        ] {
            assert_eq!((endpoint(url), region(url)), (host, of));
        }
    }
}
