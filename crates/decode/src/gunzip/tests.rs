//! Streams as they come, and as they must not come.

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut out = vec![0; encoder.gzip_compress_bound(bytes.len())];
    let size = encoder.gzip_compress(bytes, &mut out).unwrap();
    out.truncate(size);
    out
}

fn inflate(stored: &[u8], cap_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    Gunzip::new(true).inflate(stored, cap_bytes, usize::MAX).map(|(inflated, _)| inflated.to_vec())
}

#[test]
fn all_members_are_inflated_even_equal_ones() {
    let member = gzip(b"{}");
    assert_eq!(inflate(&member, 9).unwrap(), b"{}");
    assert_eq!(inflate(&[&member[..], &member, &gzip(b"")].concat(), 9).unwrap(), b"{}{}");
}

#[test]
fn only_one_member_has_a_hash_and_it_is_that_of_its_text() {
    let member = gzip(b"{}");
    let hash = |stored: &[u8]| Gunzip::new(true).inflate(stored, 1 << 20, usize::MAX).unwrap().1;
    assert_eq!(hash(&member), Some(sha256(b"{}")));
    assert_eq!(Gunzip::new(false).inflate(&member, 1 << 20, usize::MAX).unwrap().1, None);
    // Gzip in gzip is what its outer member holds.
    assert_eq!(hash(&gzip(&member)), Some(sha256(&member)));
    for more in [&member, &gzip(b"")] {
        assert_eq!(hash(&[&member[..], more].concat()), None);
    }
    assert_eq!(hash(b"{}"), None);
}

#[test]
fn only_one_whole_member_passes_for_a_delivered_object() {
    let (text, member) = (vec![b'x'; 3 * CHUNK_BYTES], gzip(&vec![b'x'; 3 * CHUNK_BYTES]));
    assert_eq!(inflate_member(&member, usize::MAX), Ok(text.clone()));
    assert_eq!(member_sha256(&member), Ok(sha256(&text)));
    assert_eq!(member_sha256(&gzip(b"")), Ok(sha256(b"")));
    for more in [&gzip(b"")[..], b"x", &member] {
        assert_eq!(member_sha256(&[&member[..], more].concat()), Err(MemberError::TrailingBytes));
    }
    for more in [&gzip(b"")[..], b"x"] {
        assert_eq!(member_sha256(&[&gzip(b"")[..], more].concat()), Err(MemberError::TrailingBytes));
    }
    let mut damaged = member.clone();
    let at = damaged.len() - 5;
    damaged[at] ^= 1;
    for stored in [&damaged[..], &member[..at], &member[..12], b"{}", b""] {
        assert_eq!(member_sha256(stored), Err(MemberError::Damaged));
    }
    assert_eq!(inflate_member(&member, 9), Err(MemberError::TooLarge(9)));
}

#[test]
fn every_optional_part_of_a_header_is_skipped() {
    let plain = gzip(b"{}");
    let mut header = plain[..10].to_vec();
    header[3] = 0b0001_1110;
    let named = [&header[..], b"\x03\0abc", b"name\0", b"comment\0", b"\0\0", &plain[10..]].concat();
    let mut out = Vec::new();
    let mut members = Members::gzip(&named, 9);
    while members.more(&mut out).unwrap() {}
    assert_eq!(out, b"{}");
}

#[test]
fn whatever_follows_the_last_member_is_refused() {
    let member = gzip(b"{}");
    for tail in [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"{}", b"\x1f", &member[member.len() - 8..]] {
        let stored = [&member, tail].concat();
        assert_eq!(inflate(&stored, 9), Err(DecodeError::TrailingBytes { count: tail.len() }));
    }
}

#[test]
fn a_stream_cut_anywhere_is_refused() {
    let stored = gzip(b"{\"Records\":[]}");
    for length in 2..stored.len() {
        assert!(matches!(inflate(&stored[..length], 99), Err(DecodeError::Gzip { .. })), "cut at {length}");
    }
}

#[test]
fn a_wrong_checksum_or_size_is_refused() {
    for from_the_end in 1..=8 {
        let mut stored = gzip(b"{}");
        let at = stored.len() - from_the_end;
        stored[at] ^= 1;
        let end = stored.len();
        assert_eq!(inflate(&stored, 9), Err(DecodeError::ChecksumMismatch { offset: end }));
    }
}

#[test]
fn an_object_past_the_cap_is_refused_without_the_memory_for_it() {
    let bomb = gzip(&vec![b' '; 32 << 20]);
    let mut gunzip = Gunzip::new(true);
    assert_eq!(gunzip.inflate(&bomb, 1 << 20, usize::MAX), Err(DecodeError::TooLarge { cap_bytes: 1 << 20 }));
    assert!(gunzip.inflated.capacity() <= (1 << 20) + 2 * CHUNK_BYTES);
    assert_eq!(inflate(b"{          }", 4), Err(DecodeError::TooLarge { cap_bytes: 4 }));
    assert_eq!(inflate(&gzip(b"1234"), 4).unwrap(), b"1234");
}

#[test]
fn an_object_past_its_room_is_told_from_one_past_the_cap() {
    let members = [gzip(&vec![b' '; 3 << 20]), gzip(b"{}")].concat();
    let mut gunzip = Gunzip::new(true);
    for stored in [&members, &gzip(&vec![b' '; 3 << 20])] {
        assert_eq!(gunzip.inflate(stored, 4 << 20, 1 << 20), Err(DecodeError::NoRoom { room_bytes: 1 << 20 }));
        assert!(gunzip.inflated.capacity() <= (1 << 20) + 2 * CHUNK_BYTES);
        assert_eq!(gunzip.inflate(stored, 1 << 20, 4 << 20), Err(DecodeError::TooLarge { cap_bytes: 1 << 20 }));
    }
}

#[test]
fn a_size_that_deflate_cannot_reach_is_not_believed() {
    let mut stored = gzip(b"{}");
    let size_at = stored.len() - 4;
    stored[size_at..].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut gunzip = Gunzip::new(true);
    assert!(matches!(gunzip.inflate(&stored, usize::MAX, usize::MAX), Err(DecodeError::ChecksumMismatch { .. })));
    assert!(gunzip.inflated.capacity() <= 2 * CHUNK_BYTES);
}

#[test]
fn what_is_neither_gzip_nor_json_is_refused() {
    for stored in [&b""[..], b" ", b"\x1f", b"PK\x03\x04", b"123", b"\xef\xbb\xbf"] {
        assert_eq!(inflate(stored, 9), Err(DecodeError::NotGzipNorJson));
    }
    assert_eq!(inflate(b"\xef\xbb\xbf []", 9).unwrap(), b"\xef\xbb\xbf []");
}

fn gz_that_says(bytes: u32) -> Vec<u8> {
    let mut stored = vec![0; 1000];
    stored[..2].copy_from_slice(&MAGIC);
    stored[996..].copy_from_slice(&bytes.to_le_bytes());
    stored
}

#[test]
fn the_trailer_is_believed_where_it_can_be_true() {
    assert_eq!(inflated_estimate_bytes(&gz_that_says(9_999), 1 << 30), 9_999);
    assert_eq!(inflated_estimate_bytes(&gz_that_says(999_999), 5_000), 5_000);
    assert_eq!(inflated_estimate_bytes(&gz_that_says(10), 1 << 30), 8_000);
    assert_eq!(inflated_estimate_bytes(&gz_that_says(u32::MAX), 1 << 30), 8_000);
    assert_eq!(inflated_estimate_bytes(b"{}", 1 << 30), 2);
    assert_eq!(inflated_estimate_bytes(b"", 1 << 30), 0);
}
