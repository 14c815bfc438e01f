//! The listing of local sources.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::DirEntry;
use std::fs::FileType;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::vec;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::IntoParallelIterator;
use rayon::iter::IntoParallelRefMutIterator;
use rayon::iter::ParallelIterator;

use crate::IngestError;
use crate::Names;
use crate::error::chain;
use crate::fingerprint::fingerprint;
use crate::fingerprint::short_hex;
use crate::source::listing::Listing;
use crate::source::listing::Version;
use crate::source::skipped::SkipReason;
use crate::source::skipped::Skipped;

/// Lists files, and folders with all that they hold, in the order of names. A file that two sources or links reach is
/// listed once: under its name in its folder where that comes first, else under the first name that reaches it. So a
/// loop of links ends.
///
/// A source must be there. Some of the `files`, which were named one by one, may be gone or may not be looked at, but
/// not all.
pub(crate) fn list(sources: &[PathBuf], files: &[PathBuf], names: Names) -> Result<Listing, IngestError> {
    let mut walk = Walk { names, entries_left: AtomicUsize::new(ENTRIES_AHEAD), ..Walk::default() };
    for source in sources {
        walk.source(source)?;
    }
    let mut unseen = walk.named(files)?;
    if !unseen.is_empty() && unseen.len() == files.len() {
        return Err(unseen.swap_remove(0));
    }
    warn_of_unseen(&unseen);
    Ok(walk.listing)
}

/// Lists files by their names, all of which may be gone.
pub(crate) fn list_names(files: &[PathBuf]) -> Result<Listing, IngestError> {
    let mut walk = Walk::default();
    warn_of_unseen(&walk.named(files)?);
    Ok(walk.listing)
}

fn warn_of_unseen(unseen: &[IngestError]) {
    for why in unseen {
        tracing::warn!(error = chain(why), "named, and not to be had");
    }
}

/// Returns what tells one content of a local file from the next, beside its size.
pub(crate) fn version(metadata: &Metadata) -> Version<'static> {
    Version::Written(i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()))
}

#[derive(Default)]
struct Walk {
    /// The names of objects that are taken from a folder.
    names: Names,
    listing: Listing,
    /// Fingerprints of the real paths of all folders so far.
    folders: HashSet<u128>,
    /// The same of files that were not met in their own folder: links lead to them, or they are sources themselves.
    strays: HashSet<u128>,
    /// How many more entries may be kept of folders that are looked at ahead.
    entries_left: AtomicUsize,
}

/// The number of waiting folders that are looked at together, each with what is below it to some depth: a day's folder
/// alone is not worth waking a thread.
const FOLDERS_AHEAD: usize = 16;
const DEPTH_AHEAD: usize = 8;
/// How many entries are kept that were looked at before they are asked for.
const ENTRIES_AHEAD: usize = 1 << 15;
/// Entries of a folder of which is known at once what they are. One that has more is not looked at ahead.
const LOOKS: usize = 1 << 12;
/// Entries of a folder that one thread looks at, at least.
const LOOK_TOGETHER: usize = 256;

/// A folder that is to be visited.
struct LocalFolder {
    path: PathBuf,
    /// The canonical form of `path`.
    real: PathBuf,
    is_link: bool,
    is_large: bool,
    /// Its content, once that was looked at ahead.
    held: Option<Box<Result<FolderContent, IngestError>>>,
}

/// The content of a folder, in the order of names.
struct FolderContent {
    /// How many entries the folder has.
    n_entries: usize,
    objects: Vec<LocalObject>,
    folders: Vec<LocalFolder>,
    skipped: Skipped,
    /// The entries that follow, which nobody has looked at.
    rest: vec::IntoIter<FolderEntry>,
}

/// A folder's entry.
struct FolderEntry {
    name: OsString,
    kind: FileType,
    /// Looks it up in its open folder, and not from the root of the file system on.
    found: DirEntry,
}

/// A folder's entry that is an object.
struct LocalObject {
    name: OsString,
    /// Where it really stands, if it is a link.
    target: Option<PathBuf>,
    version: Version<'static>,
    bytes: u64,
}

/// An entry of a folder.
enum Seen {
    Folder(LocalFolder),
    Object(LocalObject),
    /// A file that is not read.
    Skipped(SkipReason, OsString),
    /// A folder that is not visited.
    SkippedFolder(SkipReason, OsString),
}

impl Walk {
    /// Lists files that were named one by one; returns why some of them are not to be had.
    fn named(&mut self, files: &[PathBuf]) -> Result<Vec<IngestError>, IngestError> {
        let mut unseen = Vec::new();
        for name in files {
            match self.source(name) {
                Ok(()) => {}
                Err(why @ IngestError::SourceMissing { .. }) => {
                    self.listing.gone += 1;
                    unseen.push(why);
                }
                Err(why @ IngestError::Source { .. }) => {
                    self.listing.left += 1;
                    unseen.push(why);
                }
                Err(why) => return Err(why),
            }
        }
        Ok(unseen)
    }

    /// Lists a file, or a folder with all that it holds.
    fn source(&mut self, source: &Path) -> Result<(), IngestError> {
        let path: PathBuf = source.components().filter(|part| *part != Component::CurDir).collect();
        match fs::canonicalize(source) {
            Ok(real) if real.is_dir() => self.folder(path, real),
            Ok(real) => self.file(path, &real),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(IngestError::SourceMissing { path: source.to_owned() })
            }
            Err(error) => Err(IngestError::source("find", source)(error)),
        }
    }

    /// Needs: `real` is the canonical form of `path`.
    fn folder(&mut self, path: PathBuf, real: PathBuf) -> Result<(), IngestError> {
        let mut waiting = vec![LocalFolder::new(path, real, false)];
        while let Some((folder, held)) = self.next(&mut waiting) {
            let mut held = held?;
            loop {
                for LocalObject { name, target, version, bytes } in held.objects.drain(..) {
                    if self.is_new(&folder.real, &name, target) {
                        self.push(folder.path.join(name), version, bytes);
                    }
                }
                if held.rest.as_slice().is_empty() {
                    break;
                }
                held.look(&folder, self.names)?;
            }
            self.listing.skipped.extend(held.skipped);
            waiting.extend(held.folders.into_iter().rev());
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, real: &Path) -> Result<(), IngestError> {
        let metadata = fs::metadata(real).map_err(IngestError::source("look at", &path))?;
        if self.is_new_stray(real) {
            self.push(path, version(&metadata), metadata.len());
        }
        Ok(())
    }

    /// Returns the next folder that was not visited, and what it holds, which was looked at along with what others
    /// hold.
    fn next(&mut self, waiting: &mut Vec<LocalFolder>) -> Option<(LocalFolder, Result<FolderContent, IngestError>)> {
        loop {
            let is_visited = self.folders.contains(&real_fingerprint(&waiting.last()?.real));
            if !is_visited && waiting.last()?.is_to_look_at() {
                let ahead = waiting.len().saturating_sub(FOLDERS_AHEAD);
                let ahead = waiting[ahead..].par_iter_mut().rev();
                look_ahead(ahead, DEPTH_AHEAD, self.names, &self.folders, &self.entries_left);
            }
            let mut folder = waiting.pop()?;
            let held = folder.held.take().map(|held| *held);
            let is_new = self.folders.insert(real_fingerprint(&folder.real));
            if let Some(Ok(held)) = &held {
                let n_entries = if is_new { held.n_entries } else { held.n_kept() };
                self.entries_left.fetch_add(n_entries, Ordering::Relaxed);
            }
            if is_new {
                let look =
                    || FolderContent::of(&folder, entries(&folder.real, usize::MAX)?.unwrap_or_default(), self.names);
                let held = held.unwrap_or_else(look);
                return Some((folder, held));
            }
        }
    }

    /// Tells whether an entry of a folder, which may be a link to `target`, is met for the first time.
    fn is_new(&mut self, folder: &Path, name: &OsStr, target: Option<PathBuf>) -> bool {
        match target {
            Some(target) => self.is_new_stray(&target),
            None => self.strays.is_empty() || !self.strays.contains(&real_fingerprint(&folder.join(name))),
        }
    }

    /// Tells whether a file that is not met in its own folder is met for the first time. There it is met once; so only
    /// strays are remembered.
    fn is_new_stray(&mut self, real: &Path) -> bool {
        let is_of_folder = real.file_name().is_some_and(|name| !is_hidden(name) && self.names.takes(name))
            && real.parent().is_some_and(|folder| self.folders.contains(&real_fingerprint(folder)));
        !is_of_folder && self.strays.insert(real_fingerprint(real))
    }

    fn push(&mut self, path: PathBuf, version: Version<'_>, bytes: u64) {
        let (source_object, path) = name(path);
        self.listing.push(&source_object, path, version, bytes);
    }
}

/// Looks at folders that were not visited, and at what is below them, as long as `left` says that so many entries may
/// still be kept.
fn look_ahead<'a>(
    folders: impl ParallelIterator<Item = &'a mut LocalFolder>,
    depth: usize,
    names: Names,
    visited: &HashSet<u128>,
    left: &AtomicUsize,
) {
    let is_to_look_at =
        |folder: &&mut LocalFolder| folder.is_to_look_at() && !visited.contains(&real_fingerprint(&folder.real));
    folders.filter(is_to_look_at).for_each(|folder| {
        if left.load(Ordering::Relaxed) == 0 {
            return;
        }
        let held = entries(&folder.real, LOOKS).and_then(|entries| {
            let Some(entries) = entries else {
                folder.is_large = true;
                return Ok(None);
            };
            let n_entries = entries.len();
            let paid = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(n_entries));
            if paid.is_ok() { FolderContent::of(folder, entries, names).map(Some) } else { Ok(None) }
        });
        folder.held = held.transpose().map(Box::new);
        // Links may lead in a circle.
        if let Some(Ok(held)) = folder.held.as_deref_mut()
            && depth > 0
            && !folder.is_link
        {
            look_ahead(held.folders.par_iter_mut(), depth - 1, names, visited, left);
        }
    });
}

impl LocalFolder {
    fn new(path: PathBuf, real: PathBuf, is_link: bool) -> Self {
        Self { path, real, is_link, is_large: false, held: None }
    }

    fn is_to_look_at(&self) -> bool {
        self.held.is_none() && !self.is_large
    }
}

impl FolderContent {
    fn of(folder: &LocalFolder, entries: Vec<FolderEntry>, names: Names) -> Result<Self, IngestError> {
        let mut held = Self {
            n_entries: entries.len(),
            objects: Vec::new(),
            folders: Vec::new(),
            skipped: Skipped::default(),
            rest: entries.into_iter(),
        };
        held.look(folder, names)?;
        Ok(held)
    }

    /// Counts the entries that are kept of it and of what is below it.
    fn n_kept(&self) -> usize {
        let below = self.folders.iter().filter_map(|folder| folder.held.as_deref()?.as_ref().ok());
        self.n_entries + below.map(Self::n_kept).sum::<usize>()
    }

    /// Looks at the next entries.
    fn look(&mut self, folder: &LocalFolder, names: Names) -> Result<(), IngestError> {
        let next: Vec<FolderEntry> = self.rest.by_ref().take(LOOKS).collect();
        if self.rest.as_slice().is_empty() {
            self.rest = Vec::new().into_iter();
        }
        let seen = next.into_par_iter().with_min_len(LOOK_TOGETHER).map(|entry| see(folder, entry, names));
        for seen in seen.collect::<Vec<_>>() {
            let Some(seen) = seen? else { continue };
            match seen {
                Seen::Folder(folder) => self.folders.push(folder),
                Seen::Object(object) => self.objects.push(object),
                Seen::Skipped(reason, name) => self.skipped.add_object(reason, folder.path.join(name).display()),
                Seen::SkippedFolder(reason, name) => {
                    self.skipped.add_folder(reason, folder.path.join(name).display());
                }
            }
        }
        Ok(())
    }
}

/// Reads the entries of a folder, in the order of their names; `None` where these are more than `limit`.
fn entries(folder: &Path, limit: usize) -> Result<Option<Vec<FolderEntry>>, IngestError> {
    let mut entries = Vec::new();
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::warn!(path = %folder.display(), "passed over: gone");
            return Ok(Some(entries));
        }
        found => found.map_err(IngestError::source("list", folder))?,
    };
    for entry in found {
        let entry = entry.map_err(IngestError::source("list", folder))?;
        if entries.len() == limit {
            return Ok(None);
        }
        let kind = entry.file_type().map_err(IngestError::source("look at", entry.path()))?;
        entries.push(FolderEntry { name: entry.file_name(), kind, found: entry });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(entries))
}

pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_")
}

fn real_fingerprint(real: &Path) -> u128 {
    fingerprint(&[real.as_os_str().as_encoded_bytes()])
}

/// Tells what an entry is; `None` where it is gone, a link that leads nowhere, or neither a file nor a folder.
fn see(folder: &LocalFolder, entry: FolderEntry, names: Names) -> Result<Option<Seen>, IngestError> {
    let FolderEntry { name, kind, found } = entry;
    if is_hidden(&name) {
        let skipped = if kind.is_dir() { Seen::SkippedFolder } else { Seen::Skipped };
        return Ok(Some(skipped(SkipReason::Hidden, name)));
    }
    let real = || folder.real.join(&name);
    if kind.is_dir() {
        return Ok(Some(Seen::Folder(LocalFolder::new(folder.path.join(&name), real(), false))));
    }
    // Nothing is asked about other files.
    if !kind.is_symlink() && !names.takes(&name) {
        return Ok(kind.is_file().then_some(Seen::Skipped(SkipReason::OtherName, name)));
    }
    let look = || {
        if !kind.is_symlink() {
            return Ok((None, found.metadata()?));
        }
        let target = fs::canonicalize(real())?;
        let metadata = fs::metadata(&target)?;
        Ok((Some(target), metadata))
    };
    let (target, metadata) = match look() {
        Ok(found) => found,
        Err(error) if leads_nowhere(kind, &error) => {
            tracing::warn!(path = %real().display(), "passed over: gone, or a link that leads nowhere");
            return Ok(None);
        }
        Err(error) => return Err(IngestError::source("look at", real())(error)),
    };
    if let Some(target) = target.as_ref().filter(|_| metadata.is_dir()) {
        return Ok(Some(Seen::Folder(LocalFolder::new(folder.path.join(&name), target.clone(), true))));
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    if !names.takes(&name) {
        return Ok(Some(Seen::Skipped(SkipReason::OtherName, name)));
    }
    Ok(Some(Seen::Object(LocalObject { name, target, version: version(&metadata), bytes: metadata.len() })))
}

/// Tells whether an entry is gone, or a link that leads nowhere or to itself.
pub(super) fn leads_nowhere(kind: FileType, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || (kind.is_symlink() && error.kind() != io::ErrorKind::PermissionDenied)
}

/// Returns the name of an object, and its path where that is another. The hash keeps two names apart that look alike
/// once their bytes that are not UTF-8 are replaced.
fn name(path: PathBuf) -> (Box<str>, Option<Box<OsStr>>) {
    match path.into_os_string().into_string() {
        Ok(name) => (name.into(), None),
        Err(path) => {
            let hash = short_hex([path.as_encoded_bytes()]);
            (format!("{}#{hash}", path.to_string_lossy()).into(), Some(path.into_boxed_os_str()))
        }
    }
}

#[cfg(test)]
mod tests;
