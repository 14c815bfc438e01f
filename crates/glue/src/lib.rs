//! The tables of a lake in AWS Glue, which tells Athena, Redshift, EMR, Snowflake and others where their newest metadata is.
//!
//! ```text
//!  lake: v<N>.metadata.json, committed --> GetTable: VersionId 41, metadata_location v<N-1>
//!                                          UpdateTable, if it still is 41: metadata_location v<N>
//! ```
//!
//! It makes requests and judges nothing: what an entry may name is decided by `trailweave-lake`. A crate of its own, because
//! the client of Glue is larger than the lake.

mod failed;
mod table;

use std::io;
use std::sync::Arc;

use aws_sdk_glue::Client;
use aws_sdk_glue::error::ProvideErrorMetadata;
use aws_sdk_glue::types::TableInput;
use tokio::sync::OnceCell;
use trailweave_ingest::S3Options;
use trailweave_lake::Catalog;
use trailweave_lake::CatalogEntry;
use trailweave_lake::LakeError;
use trailweave_lake::RequestThread;
use trailweave_lake::TableMetadata;
use trailweave_table::Table;

use crate::failed::failed;

/// The codes of answers where a table was changed, or removed, since it was read.
const LOST: [&str; 3] = ["ConcurrentModificationException", "VersionMismatchException", "EntityNotFoundException"];

/// AWS Glue. Nothing is asked of it, nor of the surroundings, before the first request.
#[derive(Debug)]
pub struct Glue {
    options: S3Options,
    client: Arc<OnceCell<Client>>,
    thread: RequestThread,
}

impl Glue {
    /// Reaches it as S3 is reached, the endpoint being Glue's own.
    pub fn new(options: S3Options) -> io::Result<Self> {
        Ok(Self { options, client: Arc::default(), thread: RequestThread::start("glue")? })
    }

    /// Makes a table, unless there is one of its name, and tells whether there was none.
    fn create(&self, database: &str, table: &Table, input: TableInput) -> Result<bool, LakeError> {
        let of = database.to_owned();
        let create =
            |glue: Client| async move { glue.create_table().database_name(of).table_input(input).send().await };
        match self.ask(create) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("AlreadyExistsException") => Ok(false),
            Err(error) => Err(failed(format!("make the table `{}`", table.name), database, error)),
        }
    }

    /// Makes a request, while the caller waits.
    fn ask<T, F>(&self, request: impl FnOnce(Client) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send,
    {
        let (client, options) = (Arc::clone(&self.client), self.options.clone());
        self.thread.wait(async move {
            let client = client.get_or_init(|| Box::pin(connect(options))).await.clone();
            Box::pin(request(client)).await
        })
    }
}

async fn connect(options: S3Options) -> Client {
    Client::new(&trailweave_ingest::sdk_config(&options).await)
}

impl Catalog for Glue {
    fn check(&self, database: &str) -> Result<(), LakeError> {
        let name = database.to_owned();
        let answer = self.ask(|glue| async move { glue.get_database().name(name).send().await });
        answer.map(|_| ()).map_err(|error| failed("look".to_owned(), database, error))
    }

    fn entry(&self, database: &str, table: &Table) -> Result<Option<CatalogEntry>, LakeError> {
        let (of, name) = (database.to_owned(), table.name);
        let answer = self.ask(move |glue| async move { glue.get_table().database_name(of).name(name).send().await });
        match answer {
            Ok(answer) => Ok(answer.table().map(table::entry)),
            Err(error) if error.code() == Some("EntityNotFoundException") => Ok(None),
            Err(error) => Err(failed(format!("read the table `{name}`"), database, error)),
        }
    }

    fn point(
        &self,
        database: &str,
        table: &Table,
        before: Option<&CatalogEntry>,
        to: &TableMetadata<'_>,
    ) -> Result<bool, LakeError> {
        let (of, input) = (database.to_owned(), table::input(table, before, to));
        let Some(version_id) = before.map(|entry| entry.version_id.clone()) else {
            return self.create(database, table, input);
        };
        let update = |glue: Client| async move {
            let request = glue.update_table().database_name(of).table_input(input);
            request.version_id(version_id).skip_archive(true).send().await
        };
        match self.ask(update) {
            Ok(_) => Ok(true),
            Err(error) if error.code().is_some_and(|code| LOST.contains(&code)) => Ok(false),
            Err(error) => Err(failed(format!("update the table `{}`", table.name), database, error)),
        }
    }
}
