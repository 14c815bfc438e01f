//! A file that appears whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::file::metadata::RowGroupMetaData;
use trailweave_table::Table;

use crate::LakeError;
use crate::metrics::WrittenFiles;
use crate::random::random;
use crate::remote::Remote;
use crate::remote::Upload;

/// A file under a temporary name, hidden from every reader until [`WholeFile::commit`]. Dropped before, it is removed;
/// killed before, its leftover has a name that no reader lists and that the next attempt overwrites.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    target: Target,
    known_to: WrittenFiles,
}

#[derive(Debug)]
enum Target {
    /// Under its temporary name; without it once it is committed.
    Local {
        temporary: PathBuf,
        out: Option<BufWriter<File>>,
    },
    Remote(Upload),
}

impl WholeFile {
    /// Begins the file that will stand at `path`, making its folder where needed.
    pub fn create(path: &Path) -> Result<Self, LakeError> {
        Self::create_as(path, "")
    }

    /// Does the same under a temporary name of `whose`.
    fn create_as(path: &Path, whose: &str) -> Result<Self, LakeError> {
        let folder = folder(path);
        fs::create_dir_all(folder).map_err(LakeError::file("make the folder", folder))?;
        let mut name = OsString::from(format!(".{whose}"));
        name.push(path.file_name().unwrap_or_default());
        name.push(".tmp");
        let temporary = folder.join(name);
        let out = File::create(&temporary).map_err(LakeError::file("create", &temporary))?;
        let target = Target::Local { temporary, out: Some(BufWriter::new(out)) };
        Ok(Self { path: path.to_owned(), target, known_to: WrittenFiles::default() })
    }

    /// Lets every user read a local file, whatever the process's mask says.
    pub fn readable_by_all(self) -> Result<Self, LakeError> {
        #[cfg(unix)]
        if let Target::Local { temporary, .. } = &self.target {
            let permissions = fs::Permissions::from_mode(0o644);
            fs::set_permissions(temporary, permissions).map_err(LakeError::file("let others read", temporary))?;
        }
        Ok(self)
    }

    /// Does the same in an object store.
    pub(crate) fn upload(remote: &Arc<Remote>, path: &Path) -> Self {
        let target = Target::Remote(Upload::new(remote, path));
        Self { path: path.to_owned(), target, known_to: WrittenFiles::default() }
    }

    /// Lets a lake know its metrics once it is written.
    pub(crate) fn known_to(mut self, written: &WrittenFiles) -> Self {
        self.known_to = written.clone();
        self
    }

    /// Notes the row groups that were written, which are those of a file of `table`.
    pub(crate) fn note(&self, table: &Table, groups: &[RowGroupMetaData]) {
        self.known_to.note(&self.path, table, groups);
    }

    /// Writes `content` as the whole file.
    pub fn write_all_at(path: &Path, content: &[u8]) -> Result<(), LakeError> {
        Self::create(path)?.write_whole(content)
    }

    /// Writes `content` as the whole file.
    pub fn write_whole(mut self, content: &[u8]) -> Result<(), LakeError> {
        Write::write_all(&mut self, content).map_err(LakeError::file("write", &self.path))?;
        self.commit()
    }

    /// Writes `content` as the whole file, unless there is one, and tells whether there was none. Others may try at the
    /// same time.
    pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<bool, LakeError> {
        let whose = format!("{:016x}.", random());
        let mut file = Self::create_as(path, &whose)?;
        file.write_all(content).map_err(LakeError::file("write", path))?;
        let mut is_new = true;
        file.commit_by(|temporary, path| match fs::hard_link(temporary, path) {
            Ok(()) => fs::remove_file(temporary),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                is_new = false;
                fs::remove_file(temporary)
            }
            // Not all file systems have links; a rename is as good but for a file that has just come.
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
                fs::rename(temporary, path)
            }
            Err(error) => Err(error),
        })?;
        Ok(is_new)
    }

    /// Returns where the file will stand.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the content durable, then visible, replacing what stood there.
    pub fn commit(self) -> Result<(), LakeError> {
        self.commit_by(|temporary, path| fs::rename(temporary, path))
    }

    /// Makes the content durable, then visible. Needs: `name` gives a local file its own name.
    fn commit_by(mut self, name: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Result<(), LakeError> {
        match &mut self.target {
            Target::Remote(upload) => upload.finish(),
            Target::Local { temporary, out } => {
                let out = out.take().expect("a file is committed once");
                let durable = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
                durable.map_err(|source| {
                    // As when it is dropped.
                    let _ = fs::remove_file(&*temporary);
                    LakeError::file("write", &*temporary)(source)
                })?;
                name(temporary, &self.path).map_err(LakeError::file("rename to", &self.path))?;
                let folder = folder(&self.path);
                let listed = File::open(folder).and_then(|folder| folder.sync_all());
                listed.map_err(LakeError::file("sync the folder", folder))
            }
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Local { out, .. } => out.as_mut().expect("no write follows the commit").write(bytes),
            Target::Remote(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Local { out, .. } => out.as_mut().expect("no flush follows the commit").flush(),
            Target::Remote(_) => Ok(()),
        }
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Target::Local { temporary, out } = &mut self.target
            && out.take().is_some()
        {
            // A leftover is harmless, and the error that led here is the one to report.
            let _ = fs::remove_file(temporary);
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
