//! A lake: its folders and its format.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;

use trailweave_table::DATE_PARTITION;
use trailweave_table::EVENTS;
use trailweave_table::STATE_DIR;
use trailweave_table::Table;
use trailweave_table::table_dir;

use crate::Catalog;
use crate::Choices;
use crate::Folder;
use crate::Format;
use crate::GlueTables;
use crate::Iceberg;
use crate::LakeError;
use crate::LakeFile;
use crate::LeaseTimes;
use crate::Listed;
use crate::Omit;
use crate::PublishOptions;
use crate::WholeFile;
use crate::metrics::WrittenFiles;
use crate::random::random;
use crate::remote::Remote;
use crate::retired::Retired;
use crate::store::Store;
use crate::without::Without;

/// A lake in a local folder or in an object store.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    format: Format,
    store: Store,
    lease_times: LeaseTimes,
    clock: Clock,
    catalog: Option<Arc<dyn Catalog>>,
    written: WrittenFiles,
}

/// The place of a lake.
#[derive(Debug, Clone)]
pub struct LakePlace {
    root: PathBuf,
    store: Store,
    lease_times: LeaseTimes,
    clock: Clock,
    catalog: Option<Arc<dyn Catalog>>,
}

/// The time of day, in milliseconds since the epoch. Without a clock it is always 0.
#[derive(Clone, Default)]
struct Clock(Option<Arc<dyn Fn() -> i64 + Send + Sync>>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").finish_non_exhaustive()
    }
}

/// A committed file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its UTC date, `YYYY-MM-DD`; `None` where the table is not partitioned.
    pub event_date: Option<String>,
    /// Where it stands.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl LakePlace {
    /// Names a folder.
    pub fn local(root: &Path) -> Self {
        Self::new(root.to_owned(), Store::Local, LeaseTimes::default())
    }

    /// Names a prefix of a bucket, `url` being `s3://bucket/prefix` and `store` that of the bucket. A run writes under
    /// a lease of `lease_times`.
    pub fn remote(url: &str, store: Arc<dyn ObjectStore>, lease_times: LeaseTimes) -> Result<Self, LakeError> {
        let remote = Remote::start(url, store)?;
        Ok(Self::new(url.trim_end_matches('/').into(), Store::Remote(remote), lease_times))
    }

    fn new(root: PathBuf, store: Store, lease_times: LeaseTimes) -> Self {
        Self { root, store, lease_times, clock: Clock::default(), catalog: None }
    }

    /// Gives it a clock. By it snapshots get their times, and gc finds those that are too old; without one they only
    /// count up.
    #[must_use]
    pub fn with_clock(self, now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { clock: Clock(Some(Arc::new(now_ms))), ..self }
    }

    /// Gives it the catalogue whose tables follow its commits, once it is published there.
    #[must_use]
    pub fn with_catalog(self, catalog: Option<Arc<dyn Catalog>>) -> Self {
        Self { catalog, ..self }
    }

    /// Makes the lake of a format that stands there.
    fn lake(&self, format: Format) -> Lake {
        Lake {
            root: self.root.clone(),
            format,
            store: self.store.clone(),
            lease_times: self.lease_times,
            clock: self.clock.clone(),
            catalog: self.catalog.clone(),
            written: WrittenFiles::default(),
        }
    }

    /// Tells whether the state of a lake there is more than its format and the locks of its writers.
    fn is_begun(&self) -> Result<bool, LakeError> {
        let state = self.root.join(STATE_DIR);
        let beside = [format_file(&self.root), state.join("leases")];
        let is_more = |file: &Listed| {
            let name = file.path.file_name().unwrap_or_default().as_encoded_bytes();
            !name.starts_with(b"lock")
                && !name.starts_with(b".")
                && !beside.iter().any(|path| file.path.starts_with(path))
        };
        Ok(self.store.files(&state)?.iter().any(is_more))
    }

    /// Takes it for a folder of files that is not a lake.
    pub fn into_folder(self) -> Folder {
        Folder::new(self.root, self.store)
    }
}

impl Lake {
    /// Opens the lake in the folder `root`.
    pub fn open(root: &Path) -> Result<Self, LakeError> {
        Self::open_at(&LakePlace::local(root))
    }

    /// Opens the lake at a place.
    pub fn open_at(place: &LakePlace) -> Result<Self, LakeError> {
        let root = place.root.clone();
        let path = format_file(&root);
        let read = || match place.store.read(&path) {
            Err(LakeError::File { source, .. }) if source.kind() == ErrorKind::NotADirectory => {
                Err(LakeError::NotAFolder { root: root.clone() })
            }
            read => read,
        };
        let text = match read()? {
            Some(text) => text,
            None if !place.is_begun()? => return Err(LakeError::NotALake { root }),
            // Another run may just have made it.
            None => read()?.ok_or_else(|| {
                let source = "it is gone, and what stands beside it is the state of a lake".into();
                LakeError::Damaged { path: path.clone(), source }
            })?,
        };
        let format: Format =
            serde_json::from_slice(&text).map_err(|source| LakeError::Damaged { path, source: source.into() })?;
        let (found, known) = (format.format_version, Format::VERSION);
        match found.cmp(&known) {
            Ordering::Less => return Err(LakeError::OlderFormat { root, found, known }),
            Ordering::Greater => return Err(LakeError::NewerFormat { root, found, known }),
            Ordering::Equal => {}
        }
        Ok(place.lake(format))
    }

    /// Opens the lake in the folder `root`, or makes one, as [`Lake::open_or_create_at`].
    pub fn open_or_create(root: &Path, events: Option<&str>) -> Result<Self, LakeError> {
        Self::open_or_create_at(&LakePlace::local(root), events)
    }

    /// Opens the lake at a place, or makes one that keeps `events` (`relevant` where `None`).
    pub fn open_or_create_at(place: &LakePlace, events: Option<&str>) -> Result<Self, LakeError> {
        Self::open_or_create_with(place, Choices { events, omit: None })
    }

    /// Opens the lake at a place, or makes one. A lake into which a run has planned to write must have been made with the
    /// same choices.
    pub fn open_or_create_with(place: &LakePlace, choices: Choices<'_>) -> Result<Self, LakeError> {
        let lake = match Self::open_at(place) {
            Ok(lake) => lake,
            Err(LakeError::NotALake { .. }) => Self::create(place, choices)?,
            Err(other) => return Err(other),
        };
        if choices.are_those_of(&lake.format) { Ok(lake) } else { lake.choose(choices) }
    }

    /// Makes other choices, as long as only a run that failed before it planned anything knows the first.
    fn choose(mut self, choices: Choices<'_>) -> Result<Self, LakeError> {
        if self.place().is_begun()? {
            return Err(self.other_choices(choices));
        }
        let _lock = self.lock()?;
        if self.place().is_begun()? {
            return Err(self.other_choices(choices));
        }
        choices.make(&mut self.format, salt);
        self.write(&format_file(&self.root), &self.format.text())?;
        Ok(self)
    }

    pub(crate) fn other_choices(&self, asked: Choices<'_>) -> LakeError {
        let root = self.root.clone();
        match (asked.events, asked.omit) {
            (Some(events), _) if events != self.format.events => {
                LakeError::OtherEvents { root, kept: self.format.events.clone(), asked: events.to_owned() }
            }
            (_, omit) => {
                let text = |omit: &Omit| serde_json::to_string(omit).expect("names are plain data");
                LakeError::OtherOmit { root, kept: text(&self.format.omit), asked: omit.map(text).unwrap_or_default() }
            }
        }
    }

    /// Makes a lake, unless another run has just made it, which may have made other choices.
    fn create(place: &LakePlace, choices: Choices<'_>) -> Result<Self, LakeError> {
        let mut format = Format {
            format_version: Format::VERSION,
            events: "relevant".to_owned(),
            omit: Omit::new(),
            salt: None,
            iceberg: None,
        };
        choices.make(&mut format, salt);
        let lake = place.lake(format);
        let path = format_file(&lake.root);
        place.store.write_new(&path, &lake.format.text())?;
        Self::open_at(place)
    }

    /// Returns the folder of the lake, or its URL.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of one of the lake's files below its folder, so that a lake that is moved has the same ones.
    pub fn below<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).expect("a lake's file stands in the lake")
    }

    /// Returns the properties of the lake.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Begins to publish the lake's tables, or goes on with it; says how from now on, where `options` say so.
    ///
    /// Needs: the lake's lock.
    pub fn begin_publishing(&self, options: &PublishOptions) -> Result<(), LakeError> {
        let before = Self::open_at(&self.place())?.format;
        let mut iceberg = before.iceberg.clone().unwrap_or_default();
        iceberg.keep_secs = options.keep_secs.or(iceberg.keep_secs);
        match &options.glue {
            GlueTables::AsBefore => {}
            GlueTables::Of(database) if iceberg.glue_database.as_ref() == Some(database) => {}
            GlueTables::Of(database) => {
                self.catalog_with(database)?.check(database)?;
                iceberg.glue_database = Some(database.clone());
            }
            GlueTables::Leave => iceberg.glue_database = None,
        }
        let format = Format { iceberg: Some(iceberg), ..before.clone() };
        if format == before { Ok(()) } else { self.write(&format_file(&self.root), &format.text()) }
    }

    /// Looks at a database of a catalogue and at a table of it, as a commit would.
    pub fn look_at_catalog(&self, database: &str) -> Result<(), LakeError> {
        let catalog = self.catalog_with(database)?;
        catalog.check(database)?;
        catalog.entry(database, &EVENTS).map(|_| ())
    }

    /// Returns the catalogue that has a database.
    pub(crate) fn catalog_with(&self, database: &str) -> Result<&dyn Catalog, LakeError> {
        self.catalog().ok_or_else(|| LakeError::NoCatalog { database: database.to_owned() })
    }

    /// Says that no file is kept any more which a change replaced, and none is left of those that were.
    pub(crate) fn end_keeping(&self) -> Result<(), LakeError> {
        let format = Self::open_at(&self.place())?.format;
        let iceberg = format.iceberg.map(|iceberg| Iceberg { keep_secs: None, ..iceberg });
        self.write(&format_file(&self.root), &Format { iceberg, ..format }.text())
    }

    /// Says how the lake is published, as its file has it now; `None` where it is not.
    pub fn iceberg(&self) -> Result<Option<Iceberg>, LakeError> {
        Ok(Self::open_at(&self.place())?.format.iceberg)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.0.as_ref().map_or(0, |now_ms| now_ms())
    }

    /// Returns `_trailweave`: the lake's own state, which query engines do not list.
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(STATE_DIR)
    }

    /// Returns the folder of a table.
    pub fn table_dir(&self, table: &Table) -> PathBuf {
        self.root.join(table_dir(table))
    }

    /// Lists the committed parts of a table, in the order of their dates and names. A table that has none yet is empty.
    pub fn parts(&self, table: &Table) -> Result<Vec<Part>, LakeError> {
        let folder = self.table_dir(table);
        let mut parts = Vec::new();
        for Listed { path, bytes, .. } in self.held_files(&folder)? {
            let above = path.parent().and_then(|above| above.strip_prefix(&folder).ok()).and_then(Path::to_str);
            let date = above.and_then(date_of_partition);
            match (table.dated_by, date) {
                (None, _) if above == Some("") => parts.push(Part { event_date: None, path, bytes }),
                (Some(_), Some(date)) => parts.push(Part { event_date: Some(date.to_owned()), path, bytes }),
                _ => {}
            }
        }
        parts.sort();
        Ok(parts)
    }

    /// Lists the files below a folder of a table whose rows the table has: not those that wait for their names, nor those
    /// that older snapshots alone name.
    pub fn held_files(&self, folder: &Path) -> Result<Vec<Listed>, LakeError> {
        let retired = self.retired()?;
        let is_held = |file: &Listed| {
            let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.ends_with(".parquet") && !name.starts_with(['.', '_']) && !retired.has(self.below(&file.path))
        };
        Ok(self.files(folder)?.into_iter().filter(is_held).collect())
    }

    /// Lists everything below a folder of the lake, hidden or not, in the order of the paths.
    pub fn files(&self, folder: &Path) -> Result<Vec<Listed>, LakeError> {
        self.store.files(folder)
    }

    /// Reads the content of a small file; `None` where there is none.
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, LakeError> {
        self.store.read(path)
    }

    /// Opens a Parquet file; `None` where there is none.
    pub fn open_file(&self, path: &Path) -> Result<Option<LakeFile>, LakeError> {
        self.store.open(path)
    }

    /// Opens a part that was listed.
    pub fn open_part(&self, path: &Path) -> Result<LakeFile, LakeError> {
        self.open_file(path)?.ok_or_else(|| LakeError::missing(path))
    }

    /// Opens a part whose size the listing told, which asks an object store for nothing yet.
    pub fn open_listed(&self, part: &Part) -> Result<LakeFile, LakeError> {
        match &self.store {
            Store::Local => self.open_part(&part.path),
            Store::Remote(remote) => Ok(LakeFile::Remote(remote.listed(&part.path, part.bytes))),
        }
    }

    /// Opens a file of lines, which is read once and never held whole.
    pub fn open_lines(&self, path: &Path) -> Result<BufReader<impl Read + Send + use<>>, LakeError> {
        Ok(BufReader::new(self.open_part(path)?.into_read()))
    }

    /// Begins a file that appears whole or not at all.
    pub fn create_file(&self, path: &Path) -> Result<WholeFile, LakeError> {
        Ok(self.store.create(path)?.known_to(&self.written))
    }

    /// Writes a whole file.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), LakeError> {
        self.create_file(path)?.write_whole(content)
    }

    /// Writes a whole file, unless it is there, and tells whether it was not.
    pub(crate) fn create_new(&self, path: &Path, content: &[u8]) -> Result<bool, LakeError> {
        self.store.write_new(path, content)
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, path: &Path) -> Result<(), LakeError> {
        self.store.remove(path)
    }

    /// Removes files in this order, and the folders that they leave empty.
    pub fn remove_all(&self, paths: &[PathBuf]) -> Result<(), LakeError> {
        paths.iter().try_for_each(|path| self.remove(path))?;
        self.store.sync(&paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect())
    }

    /// Returns the place where it stands.
    pub(crate) fn place(&self) -> LakePlace {
        LakePlace {
            root: self.root.clone(),
            store: self.store.clone(),
            lease_times: self.lease_times,
            clock: self.clock.clone(),
            catalog: self.catalog.clone(),
        }
    }

    pub(crate) fn lease_times(&self) -> LeaseTimes {
        self.lease_times
    }

    pub(crate) fn catalog(&self) -> Option<&dyn Catalog> {
        self.catalog.as_deref()
    }

    /// Returns what is known of the files that it has written.
    pub(crate) fn written(&self) -> &WrittenFiles {
        &self.written
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the object store in which engines are to read the lake, for what a lake keeps beside its tables is not listed
    /// there; `None` for files that they may read as they are.
    pub fn object_store(&self) -> Result<Option<Arc<dyn ObjectStore>>, LakeError> {
        let retired = self.retired()?;
        let files = retired.files().map(|below| self.root.join(below));
        let (store, hidden): (Arc<dyn ObjectStore>, HashSet<Key>) = match &self.store {
            Store::Local if !self.keeps_snapshots() => return Ok(None),
            Store::Local => {
                let key = |path: PathBuf| Key::from_absolute_path(std::path::absolute(path).ok()?).ok();
                (Arc::new(LocalFileSystem::new()), files.filter_map(key).collect())
            }
            Store::Remote(remote) => (Arc::clone(remote.store()), files.map(|path| remote.key(&path)).collect()),
        };
        if hidden.is_empty() {
            return Ok(Some(store));
        }
        Ok(Some(Arc::new(Without { store, hidden: Arc::new(hidden) })))
    }

    /// Tells whether its folders may hold files that no table holds any more, which readers of folders see.
    pub fn keeps_snapshots(&self) -> bool {
        self.format.iceberg.as_ref().is_some_and(|it| it.keep_secs.is_some())
    }

    fn retired(&self) -> Result<Retired, LakeError> {
        if self.keeps_snapshots() { Retired::read(&self.store, &self.state_dir()) } else { Ok(Retired::default()) }
    }
}

/// Makes a random text of 128 bits.
fn salt() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// Returns the date of a partition by the name of its folder, `event_date=YYYY-MM-DD`.
pub fn date_of_partition(folder: &str) -> Option<&str> {
    folder.strip_prefix(DATE_PARTITION)?.strip_prefix('=')
}

fn format_file(root: &Path) -> PathBuf {
    root.join(STATE_DIR).join("lake.json")
}
