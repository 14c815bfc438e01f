//! Inflates an object, whole where its trailer allows that, member by member where not.

use std::mem;

use flate2::Decompress;
use flate2::FlushDecompress;
use flate2::Status;
use libdeflater::Crc;
use libdeflater::Decompressor;
use memchr::memmem;
use ring::digest;

use crate::error::DecodeError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const CHUNK_BYTES: usize = 1 << 16;
/// Deflate cannot do better than this.
const MAX_RATIO: usize = 1032;
/// How far gzip shrinks a trail where its trailer does not tell.
const USUAL_RATIO: usize = 8;
/// A buffer larger than this is not kept for the next object.
const KEEP_BYTES: usize = 256 << 20;

/// A SHA-256 digest.
pub type Sha256 = [u8; 32];

/// Inflates objects into a buffer that it reuses.
pub(crate) struct Gunzip {
    whole: Decompressor,
    is_hashing: bool,
    /// The inflated object, and after it the rest of larger ones: to clear that takes time.
    inflated: Vec<u8>,
}

impl Gunzip {
    pub(crate) fn new(is_hashing: bool) -> Self {
        Self { whole: Decompressor::new(), is_hashing, inflated: Vec::new() }
    }

    /// Inflates `stored`, which is gzip of any number of members, or JSON as it is. The buffer takes at most
    /// `room_bytes`. Gzip in gzip is inflated twice, as Firehose stores what CloudWatch Logs compressed.
    ///
    /// Returns with it the SHA-256 of what `stored` inflates to at first, if that is asked for and is one member: bytes of
    /// further members, or of none, are such as no digest vouches for.
    pub(crate) fn inflate<'a>(
        &'a mut self,
        stored: &'a [u8],
        cap_bytes: usize,
        room_bytes: usize,
    ) -> Result<(&'a [u8], Option<Sha256>), DecodeError> {
        if !is_gzip(stored) {
            return Ok((plain(stored, cap_bytes)?, None));
        }
        let (mut size, n_members) = self.inflate_gzip(stored, cap_bytes, room_bytes)?;
        // Here, where the text is still in the processor's cache.
        let sha256 = (self.is_hashing && n_members == 1).then(|| sha256(&self.inflated[..size]));
        if is_gzip(&self.inflated[..size]) {
            let outer = mem::take(&mut self.inflated);
            (size, _) = self.inflate_gzip(&outer[..size], cap_bytes, room_bytes.saturating_sub(size))?;
        }
        Ok((&self.inflated[..size], sha256))
    }

    /// Inflates gzip into the buffer; returns the size of what it holds, and the number of members.
    fn inflate_gzip(
        &mut self,
        stored: &[u8],
        cap_bytes: usize,
        room_bytes: usize,
    ) -> Result<(usize, usize), DecodeError> {
        let most = cap_bytes.min(room_bytes);
        if self.inflated.capacity() > KEEP_BYTES {
            self.inflated = Vec::new();
        }
        if let Some(size) = self.inflate_whole(stored, most) {
            return Ok((size, 1));
        }
        self.inflated.clear();
        let mut members = Members::gzip(stored, most);
        let no_room = |error| match error {
            DecodeError::TooLarge { .. } if most < cap_bytes => DecodeError::NoRoom { room_bytes },
            other => other,
        };
        while members.more(&mut self.inflated).map_err(no_room)? {}
        Ok((self.inflated.len(), members.n_members()))
    }

    /// Counts the bytes that its buffer takes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.inflated.capacity()
    }

    /// Returns the size of `stored` if it was one plausible member, now inflated and checked against its checksum and
    /// size. Everything else, faults too, is left to [`Members`].
    fn inflate_whole(&mut self, stored: &[u8], most: usize) -> Option<usize> {
        let size = plausible_size(stored).filter(|&size| size <= most)?;
        if self.inflated.len() < size {
            self.inflated.resize(size, 0);
        }
        let inflated = &mut self.inflated[..size];
        let written = self.whole.gzip_decompress(stored, inflated).ok()?;
        (written == size && ends_with_only_trailer(stored, inflated)).then_some(size)
    }
}

/// Returns the SHA-256 of a text.
pub(crate) fn sha256(text: &[u8]) -> Sha256 {
    sha256_of(digest::digest(&digest::SHA256, text))
}

pub(crate) fn sha256_of(digest: digest::Digest) -> Sha256 {
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Tells whether `stored` says that it is gzip.
pub(crate) fn is_gzip(stored: &[u8]) -> bool {
    stored.starts_with(&MAGIC)
}

/// Returns the size in the trailer, if deflate can reach it.
fn plausible_size(stored: &[u8]) -> Option<usize> {
    let size = u32::from_le_bytes(*stored.last_chunk()?) as usize;
    (size <= stored.len().saturating_mul(MAX_RATIO)).then_some(size)
}

/// Estimates the size of an object when inflated: what its gzip trailer says, where that is plausible.
///
/// A trailer speaks of the last member only, so an object of several members may exceed it; the decoder's cap holds
/// in any case.
pub fn inflated_estimate_bytes(stored: &[u8], cap_bytes: usize) -> usize {
    if !is_gzip(stored) {
        return stored.len();
    }
    // Content that hardly shrank is gzip itself.
    let said = plausible_size(stored).filter(|size| *size > stored.len() + stored.len() / 8);
    said.unwrap_or_else(|| usual_bytes(stored.len())).min(cap_bytes)
}

/// Guesses the size of a trail from that of its gzip.
pub(crate) fn usual_bytes(gzip_bytes: usize) -> usize {
    gzip_bytes.saturating_mul(USUAL_RATIO)
}

/// Tells whether the member that inflated to `inflated` is all of `stored`. libdeflate has verified the trailer that
/// stands where the member ends; its last four bytes are the content's size. If these stand nowhere but at the end of
/// `stored`, the member ends there; else the whole trailer is searched for.
fn ends_with_only_trailer(stored: &[u8], inflated: &[u8]) -> bool {
    let size = size_mod_2_32(inflated.len()).to_le_bytes();
    if memmem::find(stored, &size) == Some(stored.len() - size.len()) {
        return true;
    }
    let trailer = [libdeflater::crc32(inflated).to_le_bytes(), size].concat();
    memmem::find(stored, &trailer) == Some(stored.len() - TRAILER_BYTES)
}

#[expect(clippy::cast_possible_truncation, reason = "gzip's size field is modulo 2^32 by definition")]
fn size_mod_2_32(size: usize) -> u32 {
    size as u32
}

fn plain(stored: &[u8], cap_bytes: usize) -> Result<&[u8], DecodeError> {
    let text = stored.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stored);
    match text.trim_ascii_start().first() {
        Some(b'{' | b'[' | b'"') if stored.len() > cap_bytes => Err(DecodeError::TooLarge { cap_bytes }),
        Some(b'{' | b'[' | b'"') => Ok(stored),
        _ => Err(DecodeError::NotGzipNorJson),
    }
}

/// The reason why an object is not one whole member of gzip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// It is not gzip, or is damaged.
    #[error("it is not gzip, or is damaged")]
    Damaged,
    /// Something follows the member.
    #[error("more follows the gzip member")]
    TrailingBytes,
    /// It inflates past what is allowed.
    #[error("it inflates past {0} bytes")]
    TooLarge(usize),
}

/// Inflates an object that must be one whole member of gzip, as `CloudTrail` delivers its objects.
pub fn inflate_member(stored: &[u8], cap_bytes: usize) -> Result<Vec<u8>, MemberError> {
    let mut text = Vec::new();
    each_part(stored, cap_bytes, |part| text.extend_from_slice(part))?;
    Ok(text)
}

/// Returns the SHA-256 of what such an object inflates to, of which little is held at a time.
pub fn member_sha256(stored: &[u8]) -> Result<Sha256, MemberError> {
    let mut hash = digest::Context::new(&digest::SHA256);
    each_part(stored, usize::MAX, |part| hash.update(part))?;
    Ok(sha256_of(hash.finish()))
}

fn each_part(stored: &[u8], cap_bytes: usize, mut take: impl FnMut(&[u8])) -> Result<(), MemberError> {
    if !is_gzip(stored) {
        return Err(MemberError::Damaged);
    }
    let mut members = Members::gzip(stored, cap_bytes);
    let mut part = Vec::with_capacity(CHUNK_BYTES);
    loop {
        part.clear();
        let more = members.more(&mut part).map_err(|error| match error {
            DecodeError::TooLarge { cap_bytes } => MemberError::TooLarge(cap_bytes),
            DecodeError::TrailingBytes { .. } => MemberError::TrailingBytes,
            _ => MemberError::Damaged,
        })?;
        take(&part);
        // An empty member is passed without a pause.
        if members.n_begun > 1 {
            return Err(MemberError::TrailingBytes);
        }
        if members.is_between() {
            return if members.at == stored.len() { Ok(()) } else { Err(MemberError::TrailingBytes) };
        }
        if !more {
            return Err(MemberError::Damaged);
        }
    }
}

/// Inflates gzip member by member, and some bytes at a time; gives JSON as it is in the same way.
pub(crate) struct Members<S> {
    stored: S,
    is_gzip: bool,
    cap_bytes: usize,
    /// Where in `stored` the rest begins.
    at: usize,
    inflated_bytes: usize,
    /// The members that were begun.
    n_begun: usize,
    /// The member that is being inflated.
    member: Option<Member>,
}

struct Member {
    stream: Decompress,
    crc: Crc,
    bytes: usize,
}

impl<S: AsRef<[u8]>> Members<S> {
    pub(crate) fn gzip(stored: S, cap_bytes: usize) -> Self {
        Self { stored, is_gzip: true, cap_bytes, at: 0, inflated_bytes: 0, n_begun: 0, member: None }
    }

    /// Reads an object that is gzip, or JSON as it is.
    pub(crate) fn new(stored: S, cap_bytes: usize) -> Result<Self, DecodeError> {
        let is_gzip = is_gzip(stored.as_ref());
        if !is_gzip {
            plain(stored.as_ref(), cap_bytes)?;
        }
        Ok(Self { is_gzip, ..Self::gzip(stored, cap_bytes) })
    }

    /// Counts the members of gzip that were begun.
    pub(crate) fn n_members(&self) -> usize {
        self.n_begun
    }

    /// Tells whether a member has ended and no other was begun.
    fn is_between(&self) -> bool {
        self.member.is_none() && self.n_begun > 0
    }

    /// Appends what comes next to `out`, as much as it has room for and at least a byte; false at the end, when all of
    /// `stored` is checked.
    pub(crate) fn more(&mut self, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        if !self.is_gzip {
            return Ok(self.more_plain(out));
        }
        let size_before = out.len();
        while out.len() == size_before {
            let stored = self.stored.as_ref();
            let Some(member) = &mut self.member else {
                let rest = &stored[self.at..];
                if rest.is_empty() {
                    return Ok(false);
                }
                if !is_gzip(rest) {
                    return Err(DecodeError::TrailingBytes { count: rest.len() });
                }
                self.at = header_end(stored, self.at)?;
                self.n_begun += 1;
                self.member = Some(Member { stream: Decompress::new(false), crc: Crc::new(), bytes: 0 });
                continue;
            };
            grow(out, self.cap_bytes);
            let read_before = member.stream.total_in();
            let status = member.stream.decompress_vec(&stored[self.at..], out, FlushDecompress::None);
            self.at += usize::try_from(member.stream.total_in() - read_before).expect("no more is read than there is");
            let more = &out[size_before..];
            member.crc.update(more);
            member.bytes += more.len();
            self.inflated_bytes += more.len();
            if self.inflated_bytes > self.cap_bytes {
                return Err(DecodeError::TooLarge { cap_bytes: self.cap_bytes });
            }
            match status {
                Ok(Status::StreamEnd) => {
                    self.at = trailer_end(stored, self.at, member)?;
                    self.member = None;
                }
                Ok(_) if self.at < stored.len() || !more.is_empty() => {}
                Ok(_) => return Err(DecodeError::Gzip { offset: self.at, fault: "cut in a deflate stream" }),
                Err(_) => return Err(DecodeError::Gzip { offset: self.at, fault: "corrupt deflate stream" }),
            }
        }
        Ok(true)
    }

    fn more_plain(&mut self, out: &mut Vec<u8>) -> bool {
        grow(out, self.cap_bytes);
        let rest = &self.stored.as_ref()[self.at..];
        let next = &rest[..rest.len().min(out.capacity() - out.len())];
        out.extend_from_slice(next);
        self.at += next.len();
        !next.is_empty()
    }
}

/// Returns where the trailer at `at` ends, if it is that of `member`.
fn trailer_end(stored: &[u8], at: usize, member: &Member) -> Result<usize, DecodeError> {
    let end = at + TRAILER_BYTES;
    let Some(trailer) = stored.get(at..end) else {
        return Err(DecodeError::Gzip { offset: stored.len(), fault: "cut in a trailer" });
    };
    let is_its =
        trailer[..4] == member.crc.sum().to_le_bytes() && trailer[4..] == size_mod_2_32(member.bytes).to_le_bytes();
    if is_its { Ok(end) } else { Err(DecodeError::ChecksumMismatch { offset: end }) }
}

/// Returns where the header of the member at `at` ends (RFC 1952, 2.3).
fn header_end(stored: &[u8], at: usize) -> Result<usize, DecodeError> {
    const HAS_HEADER_CRC: u8 = 1 << 1;
    const HAS_EXTRA: u8 = 1 << 2;
    const HAS_NAME: u8 = 1 << 3;
    const HAS_COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;
    let cut = DecodeError::Gzip { offset: stored.len(), fault: "cut in a header" };
    let Some(header) = stored.get(at..at + HEADER_BYTES) else {
        return Err(cut);
    };
    let flags = header[3];
    if header[2] != DEFLATE || flags & RESERVED != 0 {
        return Err(DecodeError::Gzip { offset: at, fault: "unknown method or flags" });
    }
    let mut end = at + HEADER_BYTES;
    if flags & HAS_EXTRA != 0 {
        let Some(&[low, high]) = stored.get(end..end + 2) else {
            return Err(cut);
        };
        end += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        if flags & flag != 0 {
            let rest = stored.get(end..).unwrap_or_default();
            end += 1 + rest.iter().position(|&byte| byte == 0).ok_or_else(|| cut.clone())?;
        }
    }
    if flags & HAS_HEADER_CRC != 0 {
        end += 2;
    }
    if end > stored.len() { Err(cut) } else { Ok(end) }
}

/// Makes room for a chunk, doubling as a `Vec` does but not past the cap.
fn grow(out: &mut Vec<u8>, cap_bytes: usize) {
    if out.capacity() - out.len() < CHUNK_BYTES {
        let doubled = out.capacity().saturating_mul(2).min(cap_bytes);
        out.reserve_exact(doubled.saturating_sub(out.len()).max(CHUNK_BYTES));
    }
}

#[cfg(test)]
mod tests;
