//! A verification at work: its lake, its sources, its means.

use std::sync::Arc;

use trailweave_lake::Lake;

use super::copies::Copies;
use super::options::VerifyOptions;
use crate::IngestOptions;
use crate::cpu::Cpu;
use crate::source::s3::S3;

/// The means of a verification.
pub(super) struct Verification<'v> {
    pub(super) lake: &'v Lake,
    pub(super) cpu: Cpu,
    pub(super) s3: Arc<S3>,
    pub(super) options: &'v IngestOptions,
    pub(super) verify: &'v VerifyOptions,
    pub(super) copies: Copies,
}
