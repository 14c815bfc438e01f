//! Errors of a lake, each with its remedy.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::iter;
use std::path::Path;
use std::path::PathBuf;

use object_store::client::HttpError;
use parquet::errors::ParquetError;
use trailweave_table::DATE_PARTITION;
use trailweave_table::LEDGER;
use trailweave_table::LOGGED;
use trailweave_table::PRODUCTS;
use trailweave_table::REJECTS;

use crate::answer::Answer;
use crate::answer::OTHER_SERVER;

/// The reason why the lake could not be read or written. Each ends the run: the lake is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The folder holds no `_trailweave/lake.json`.
    #[error("`{}` is not a Trailweave lake; name one that `trailweave run` or `trailweave ingest` has made", root.display())]
    NotALake {
        /// The folder that was named.
        root: PathBuf,
    },
    /// A file stands where the lake is to be.
    #[error("`{}` is a file, or stands below one, and a lake is a folder; name another with --lake", root.display())]
    NotAFolder {
        /// The path that was named.
        root: PathBuf,
    },
    /// The lake was written by an older release.
    #[error(
        "the lake `{}` has format {found}, this release writes {known}; make it anew: run over the same sources with \
         another `--lake`",
        root.display()
    )]
    OlderFormat {
        /// The lake.
        root: PathBuf,
        /// Its format version.
        found: u32,
        /// The version that this release reads.
        known: u32,
    },
    /// The lake was written by a newer release.
    #[error("the lake `{}` has format {found}, this release knows up to {known}; use a newer release", root.display())]
    NewerFormat {
        /// The lake.
        root: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version that this release reads.
        known: u32,
    },
    /// `--events` differs from the choice that the lake was made with.
    #[error("the lake `{}` keeps `{kept}` events, `{asked}` was asked; leave out --events or name another lake", root.display())]
    OtherEvents {
        /// The lake.
        root: PathBuf,
        /// The choice that it was made with.
        kept: String,
        /// The choice that was asked for.
        asked: String,
    },
    /// The lake was made with another choice of columns that are left out.
    #[error(
        "the lake `{}` was made with omit = {kept}, and omit = {asked} is asked for; leave `omit` out of the configuration to go on with its \
         own, or make another lake", root.display()
    )]
    OtherOmit {
        /// The lake.
        root: PathBuf,
        /// The choice that it was made with.
        kept: String,
        /// The choice that was asked for.
        asked: String,
    },
    /// Another run writes this lake.
    #[error("another run is writing the lake `{}`; `--wait 10m` waits until it ends", root.display())]
    Locked {
        /// The lake.
        root: PathBuf,
    },
    /// The lake was published with `--keep` between its opening and its lock.
    #[error("the lake `{}` keeps older snapshots since a moment ago; run the command again", root.display())]
    KeepsNow {
        /// The lake.
        root: PathBuf,
    },
    /// A change of the whole lake is to be finished before a share of a job may write.
    #[error("a killed run left a change of the lake `{}` unfinished; let `gc` finish it, then run the share again", root.display())]
    Unfinished {
        /// The lake.
        root: PathBuf,
    },
    /// A prefix has characters that an object store's library writes in another way.
    #[error(
        "nothing can be written below `{}` as it is named: in S3 the prefix of a lake or a stage may have letters, digits and \
         `-_.!'()=$@&+,:;`, and single `/`; name another",
        root.display()
    )]
    OddPrefix {
        /// The URL that was named.
        root: PathBuf,
    },
    /// Another run took the lake, because this one did not renew its lease for too long.
    #[error("cannot write `{}`: this run has lost its lease of the lake to another; run again later", path.display())]
    LeaseLost {
        /// The file that was to be written.
        path: PathBuf,
    },
    /// This run did not renew its lease for so long that another may take the lake.
    #[error("cannot write `{}`: this run could not renew its lease of the lake in time; check the network and run again", path.display())]
    LeaseLate {
        /// The object that was to be written.
        path: PathBuf,
    },
    /// The server does not do what Amazon S3 does, and a lake needs it.
    #[error("cannot {action} `{}`: the server {fault}; {OTHER_SERVER}", path.display())]
    Server {
        /// The request.
        action: &'static str,
        /// The object.
        path: PathBuf,
        /// The server's own way, in words.
        fault: &'static str,
    },
    /// An object of the lake could not be read or written.
    #[error("cannot {action} `{}`; {}", path.display(), remedy(source))]
    Store {
        /// The operation that was tried.
        action: &'static str,
        /// The object.
        path: PathBuf,
        /// The store's own error.
        #[source]
        source: Box<object_store::Error>,
    },
    /// Somebody else has committed to a table of the lake.
    #[error("the newest snapshot in `{}`, {snapshot_id}, is not one of Trailweave, which publishes over no other; remove the folder \
             `_trailweave/iceberg` of the lake and publish it anew, and let nothing else write to its tables", path.display())]
    ForeignSnapshot {
        /// The file of metadata.
        path: PathBuf,
        /// The snapshot.
        snapshot_id: i64,
    },
    /// A table in the database of a catalogue is not the lake's, or somebody else has committed to it.
    #[error(
        "the table `{table}` of the Glue database `{database}` is not this lake's: it names {names}; remove the table there by \
             `aws glue delete-table`, which leaves files alone, and publish again, or name another --glue-database; and let \
             nothing else write to the lake's tables"
    )]
    ForeignTable {
        /// The database.
        database: String,
        /// The table.
        table: &'static str,
        /// The metadata that it names.
        names: String,
    },
    /// The lake is published in a catalogue, and this program cannot reach one.
    #[error(
        "the lake is published in the Glue database `{database}`, which takes a program with the feature `glue` and a lake in \
             S3; `publish --no-glue` leaves the tables there as they are"
    )]
    NoCatalog {
        /// The database.
        database: String,
    },
    /// A catalogue did not do what was asked of it.
    #[error("cannot {action} in the Glue database `{database}`; {remedy}")]
    Catalog {
        /// The request.
        action: String,
        /// The database.
        database: String,
        /// The way out.
        remedy: Cow<'static, str>,
        /// The catalogue's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Others committed to a table again and again while this run tried to.
    #[error("cannot commit to `{}`: others do so all the time; let nothing else write to it", path.display())]
    Contended {
        /// The folder of its metadata.
        path: PathBuf,
    },
    /// A file of the lake could not be read or written.
    #[error("cannot {action} `{}`{}", path.display(), aid(source))]
    File {
        /// The operation that was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's own error.
        #[source]
        source: io::Error,
    },
    /// A file of the lake does not hold what its name says.
    #[error("`{}` is damaged; {}", path.display(), repair(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reader's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A Parquet file could not be encoded.
    #[error("cannot encode rows for `{}`{}", path.display(), room(kind(source)))]
    Encode {
        /// The file.
        path: PathBuf,
        /// The encoder's own error.
        #[source]
        source: ParquetError,
    },
}

impl LakeError {
    /// Names what was tried on which file.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Names a file that is not there, though it was listed or named before.
    pub(crate) fn missing(path: impl Into<PathBuf>) -> Self {
        Self::file("open", path)(io::ErrorKind::NotFound.into())
    }

    /// Tells whether a file was not there that was listed before.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Store { source, .. } => matches!(**source, object_store::Error::NotFound { .. }),
            _ => false,
        }
    }

    /// Names a Parquet file that could not be read: it is damaged, unless it was not to be had. An error that Arrow
    /// passes on from a file's pages has lost the difference, and counts as damage.
    pub fn parquet(path: impl Into<PathBuf>) -> impl FnOnce(ParquetError) -> Self {
        let path = path.into();
        move |source| match kind(&source) {
            None | Some(io::ErrorKind::UnexpectedEof) => Self::Damaged { path, source: source.into() },
            Some(kind) => Self::File { action: "read", path, source: io::Error::new(kind, source) },
        }
    }
}

/// Says what a user can do about a file that is damaged, by where it stands. A run makes up for a loss only as far as
/// it reads what the file told of.
fn repair(path: &Path) -> &'static str {
    let folders = path.ancestors().skip(1).filter_map(Path::file_name);
    let mut tables = folders.filter(|name| !name.as_encoded_bytes().starts_with(DATE_PARTITION.as_bytes()));
    let table = tables.next().unwrap_or_default();
    if PRODUCTS.iter().any(|product| table == product.name) {
        "`correlate --whole` makes it anew from `events`"
    } else if table == LEDGER.name || path.ends_with("plan.json") {
        "restore it from a copy, or remove it, let `gc --orphans` remove the parts that only it told of, and run again, over all \
         sources and without --from, --to, --account and --region: what it told of is missing from the lake until it is read again"
    } else if LOGGED.iter().any(|logged| table == logged.name) {
        "restore it from a copy, or remove it and let `ingest --again --from D --to D` read its rows again; `doctor` then says of which days"
    } else if table == REJECTS.name {
        "restore it from a copy, or remove it: what it says of records that could not become rows is lost then, and no row"
    } else {
        "restore it from a copy; without one, make the lake anew by a `run` into another place"
    }
}

/// Says what a user can do about a full disk.
fn room(kind: Option<io::ErrorKind>) -> &'static str {
    match kind {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            "; no space is left: free some and run again, which goes on where this run ended"
        }
        _ => "",
    }
}

/// Returns what the operating system said to a reader or writer of Parquet.
fn kind(error: &ParquetError) -> Option<io::ErrorKind> {
    match error {
        ParquetError::External(source) => Some(source.downcast_ref::<io::Error>()?.kind()),
        // All that is left of why the last bytes of a file could not be written.
        ParquetError::General(text) => {
            let code = text.rsplit_once("(os error ")?.1.split_once(')')?.0;
            Some(io::Error::from_raw_os_error(code.parse().ok()?).kind())
        }
        _ => None,
    }
}

/// Says what a user can do about an error of a file: a full disk, or an error of the object store inside it.
fn aid(error: &io::Error) -> Cow<'static, str> {
    let inner = |error: &(dyn Error + 'static)| match error.downcast_ref::<io::Error>() {
        Some(error) => Some(remedy(error.get_ref()?.downcast_ref()?)),
        None => error.downcast_ref().map(remedy),
    };
    match causes(error).find_map(inner) {
        Some(remedy) => format!("; {remedy}").into(),
        None => room(Some(error.kind())).into(),
    }
}

/// Says what a user can do about an answer of an object store, or about none.
fn remedy(error: &object_store::Error) -> Cow<'static, str> {
    let answer = Answer::of(error);
    match error {
        object_store::Error::Unauthenticated { .. } => "give AWS credentials, or renew them".into(),
        object_store::Error::NotFound { .. } if answer.code.as_deref() == Some("NoSuchKey") => {
            "it is no longer there; run again".into()
        }
        object_store::Error::NotFound { .. } => "check the name of the bucket, which must exist".into(),
        _ if answer == Answer::default() && causes(error).any(<dyn Error>::is::<HttpError>) => {
            "check the network, the credentials and --endpoint-url".into()
        }
        _ if answer.is_lacking() => format!("the server answered {answer}; {OTHER_SERVER}").into(),
        _ if error.to_string().contains("non-partial response") => format!(
            "the server answered 200 with the whole object where some bytes of it were asked for; {OTHER_SERVER}"
        )
        .into(),
        _ => answer.remedy(
            "allow s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject and \
             s3:AbortMultipartUpload on the lake, with valid credentials",
        ),
    }
}

/// Iterates over an error and its sources.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_its_remedy() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let path = PathBuf::from("lake/part-0.parquet");
        let encode = |source| LakeError::Encode { path: path.clone(), source };
        let file = LakeError::file("write", &path)(full());
        let text = "fail to get inner writer: \"No space left on device (os error 28)\"".to_owned();
        for error in [file, encode(ParquetError::External(Box::new(full()))), encode(ParquetError::General(text))] {
            let said = error.to_string();
            assert!(said.contains("lake/part-0.parquet") && said.contains("free some and run again"), "{said}");
        }
        assert!(!encode(ParquetError::EOF("early".to_owned())).to_string().contains("free some"));
    }

    #[test]
    fn the_remedy_of_damage_is_that_of_the_file() {
        let said = |path: &str| {
            let source = "no footer".into();
            LakeError::Damaged { path: path.into(), source }.to_string()
        };
        for (path, remedy) in [
            ("events/lake/correlated/event_date=2026-09-01/part-0.parquet", "correlate --whole"),
            ("lake/events/event_date=2026-09-01/part-00ff00ff00ff00ff-0.parquet", "remove it and let `ingest --again"),
            ("lake/_trailweave/ledger/part-0.parquet", "let `gc --orphans` remove the parts"),
            ("lake/_trailweave/runs/one/plan.json", "let `gc --orphans` remove the parts"),
            ("lake/sessions/event_date=2026-09-01/compact-00ff00ff00ff00ff-0.parquet", "`doctor` then says"),
            ("lake/rejects/part-00ff00ff00ff00ff-0.parquet", "and no row"),
            ("events/lake/_trailweave/lake.json", "is damaged; restore it from a copy"),
        ] {
            assert!(said(path).contains(remedy), "{}", said(path));
        }
    }

    #[test]
    fn a_file_that_is_not_to_be_had_is_not_called_damaged() {
        let read = |kind: io::ErrorKind| LakeError::parquet("part-0.parquet")(io::Error::from(kind).into());
        assert!(matches!(read(io::ErrorKind::TimedOut), LakeError::File { action: "read", .. }));
        assert!(matches!(read(io::ErrorKind::UnexpectedEof), LakeError::Damaged { .. }));
        let odd = LakeError::parquet("part-0.parquet")(ParquetError::General("no footer".to_owned()));
        assert!(matches!(odd, LakeError::Damaged { .. }));
    }
}
