//! The program as users run it: the real binary, real files, and real readers of the lake.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod ask;
mod aws;
mod bad_input;
mod beside;
mod circles;
mod decisions;
mod demo;
mod doctor;
mod gates;
mod iceberg;
mod inventory;
mod layers;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "otlp")]
mod otlp;
mod program;
mod published_chain;
mod quarantine;
mod queue;
mod readers;
mod recipes;
mod report;
mod s3;
mod scheduled;
mod spark;
mod uploads;
mod usage;
mod validate_logs;
mod verify;
