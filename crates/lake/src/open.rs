//! Files of a lake that are read in pieces: those of Parquet as its readers take them.

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use parquet::file::reader::Length;

use crate::remote::RemoteFile;
use crate::remote::RemoteRead;

/// An open file of a lake.
#[derive(Debug)]
pub enum LakeFile {
    /// In a local folder.
    Local(File),
    /// In an object store.
    Remote(RemoteFile),
}

impl LakeFile {
    /// Opens the same file once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Local(file) => Self::Local(file.try_clone()?),
            Self::Remote(file) => Self::Remote(file.clone()),
        })
    }

    /// Reads the content from its beginning on, and keeps nothing of what was read.
    pub(crate) fn into_read(self) -> LakeRead {
        match self {
            Self::Local(file) => LakeRead::Local(BufReader::new(file)),
            Self::Remote(file) => LakeRead::Remote(RemoteRead { file, at: 0, is_kept: false }),
        }
    }
}

/// A [`LakeFile`] that is read from a place on.
#[derive(Debug)]
pub enum LakeRead {
    /// In a local folder.
    Local(BufReader<File>),
    /// In an object store.
    Remote(RemoteRead),
}

impl Length for LakeFile {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => file.len(),
            Self::Remote(file) => file.bytes,
        }
    }
}

impl ChunkReader for LakeFile {
    type T = LakeRead;

    fn get_read(&self, start: u64) -> Result<LakeRead, ParquetError> {
        Ok(match self {
            Self::Local(file) => LakeRead::Local(file.get_read(start)?),
            Self::Remote(file) => LakeRead::Remote(RemoteRead { file: file.clone(), at: start, is_kept: true }),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Remote(file) => Ok(file.get(start, length)?),
        }
    }
}

impl Read for LakeRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(out),
            Self::Remote(file) => file.read(out),
        }
    }
}
