//! Turns one CloudTrail object into Arrow rows of `events`, of `sessions` and of `rejects`, and a tally.
//!
//! ```text
//! stored: &[u8] --gunzip--> inflated: &[u8] --ordinary--> record: &[u8] --glance--> --simd-json--> tape
//!  as in S3                 capped            borders     + its fields    may be a    one record     |
//!                              |              alone            ^          row                      append
//!                              '- an odd one -> envelope, split '                                     |
//!                                                Decoded { events, rejects, tally } <-- builders <----'
//! ```
//!
//! Only the border and three fields are looked at of a record that is not a row: see docs/adr/0006.
//!
//! It does no I/O, reads no clock and spawns nothing; a worker owns a [`Decoder`] and feeds it objects, whose rows it
//! takes together; of a large object, which is cut into [`Pieces`], each may take one. One bad record never fails an
//! object: it becomes a row of `rejects`. An object fails as a whole, with a [`DecodeError`], when its records cannot be
//! told apart or its bytes cannot be trusted.
//!
//! [`oracle`] does the same in the slow, obvious way; tests hold the two together. So does, for as many seconds as it
//! is told, `cargo run -p trailweave-decode --example fuzz -- 60`, over mutated objects;
//! `fuzz/` holds a target for cargo-fuzz, which needs a nightly compiler, as does `make miri`, which runs the vector
//! instructions under Miri.

mod append;
mod codes;
mod decoder;
mod ec2;
mod envelope;
mod error;
mod exported;
mod glance;
mod gunzip;
mod identity;
mod json;
mod kms;
mod mask;
mod normalise;
mod options;
pub mod oracle;
mod ordinary;
mod parser;
mod pieces;
mod position;
mod record;
mod records;
mod reject;
mod relevant;
mod resource_ids;
mod row;
mod session;
mod split;

pub use crate::append::plain;
pub use crate::decoder::{Decoded, Decoder, Read};
pub use crate::error::DecodeError;
pub use crate::gunzip::{MemberError, Sha256, inflate_member, inflated_estimate_bytes, member_sha256};
pub use crate::options::{DecodeOptions, Selection, UnknownSelection};
pub use crate::pieces::survey::Survey;
pub use crate::pieces::{Cuts, Piece, Pieces};
pub use crate::records::Taken;
