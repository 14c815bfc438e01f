//! The price of a job, from what its plan counts.
//!
//! The prices are one table, and the measured rates another.

use std::io;
use std::io::Write;

use bytesize::ByteSize;
use serde::Serialize;
use trailweave_ingest::PlanSummary;
use trailweave_ingest::Source;

/// Prices of AWS in US dollars.
struct Prices {
    region: &'static str,
    /// The date of the prices.
    date: &'static str,
    source: &'static str,
    per_list: f64,
    per_get: f64,
    per_put: f64,
    /// A request to KMS, without the first 20,000 of a month, which are free.
    per_kms_request: f64,
    /// A GB (10^9 bytes) of S3 Standard for a month.
    per_gb_month: f64,
    /// A vCPU of Fargate on Linux and x86.
    per_cpu_hour: f64,
}

const PRICES: Prices = Prices {
    region: "us-east-1",
    date: "November 2026",
    source: "https://aws.amazon.com/s3/pricing, /kms/pricing and /fargate/pricing",
    per_list: 0.005 / 1e3,
    per_get: 0.0004 / 1e3,
    per_put: 0.005 / 1e3,
    per_kms_request: 0.03 / 1e4,
    per_gb_month: 0.023,
    per_cpu_hour: 0.04048,
};

/// The rates of a choice of events, of docs/performance.md: `run` on the busy account.
struct Rates {
    cpu_secs_per_mb: f64,
    /// Bytes of the lake for a byte of the trail.
    lake_bytes: f64,
}

const RELEVANT: Rates = Rates { cpu_secs_per_mb: 2.34 / 77.0, lake_bytes: 17.1 / 77.0 };
const ALL: Rates = Rates { cpu_secs_per_mb: 4.9 / 77.0, lake_bytes: 55.4 / 77.0 };
/// CPU seconds of an object besides, of `run` on 98,365 small ones.
const CPU_SECS_PER_OBJECT: f64 = 2.89 / 98_365.0;
/// Files that a batch brings to a lake, and correlating it after: parts of two tables and days, a file of the ledger, and
/// the tables of two days.
const FILES_PER_BATCH: u64 = 15;
/// The bytes that one PUT of an upload in parts takes.
const PUT_BYTES: u64 = 16 << 20;

/// The estimated price of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Price {
    /// LIST requests to the source.
    pub(crate) lists: Count,
    /// GET requests to the source.
    pub(crate) gets: Count,
    /// PUT requests to the lake; 0 if it is a folder.
    pub(crate) puts: Count,
    /// Requests to KMS for objects of a trail that is encrypted with a key of its own (SSE-KMS); none otherwise.
    pub(crate) kms_if_encrypted: Count,
    pub(crate) lake_bytes: u64,
    /// The storage of this share of the lake in S3.
    pub(crate) lake_usd_per_month: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_usd: f64,
}

/// A number of requests, and their price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) usd: f64,
}

impl Count {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn of(requests: u64, each: f64) -> Self {
        Self { requests, usd: requests as f64 * each }
    }
}

impl Price {
    /// Estimates the price of a plan with a lake of `events` at `lake`; none where nothing is read from S3.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(crate) fn of(plan: &PlanSummary, lake: &Source, events: &str) -> Option<Self> {
        if plan.list_requests + plan.get_requests == 0 {
            return None;
        }
        let rates = if events == "all" { ALL } else { RELEVANT };
        let lake_bytes = (plan.bytes as f64 * rates.lake_bytes) as u64;
        let puts = plan.batches * FILES_PER_BATCH + lake_bytes / PUT_BYTES;
        let cpu_seconds = plan.objects as f64 * CPU_SECS_PER_OBJECT + plan.bytes as f64 / 1e6 * rates.cpu_secs_per_mb;
        Some(Self {
            lists: Count::of(plan.list_requests, PRICES.per_list),
            gets: Count::of(plan.get_requests, PRICES.per_get),
            puts: Count::of(if matches!(lake, Source::S3(_)) { puts } else { 0 }, PRICES.per_put),
            kms_if_encrypted: Count::of(plan.get_requests, PRICES.per_kms_request),
            lake_bytes,
            lake_usd_per_month: lake_bytes as f64 / 1e9 * PRICES.per_gb_month,
            cpu_seconds,
            cpu_usd: cpu_seconds / 3600.0 * PRICES.per_cpu_hour,
        })
    }

    /// Writes it as text.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { lists, gets, puts, kms_if_encrypted, .. } = self;
        writeln!(
            out,
            "requests     {} LIST + {} GET + {} PUT: {:.4} USD",
            lists.requests,
            gets.requests,
            puts.requests,
            lists.usd + gets.usd + puts.usd
        )?;
        writeln!(
            out,
            "kms          {} Decrypt: {:.4} USD, only where the trail is encrypted with SSE-KMS",
            kms_if_encrypted.requests, kms_if_encrypted.usd
        )?;
        writeln!(
            out,
            "lake         about {}: {:.4} USD a month in S3",
            ByteSize(self.lake_bytes),
            self.lake_usd_per_month
        )?;
        writeln!(out, "cpu          about {:.1} s: {:.4} USD on Fargate", self.cpu_seconds, self.cpu_usd)?;
        let Prices { region, date, source, .. } = PRICES;
        writeln!(out, "prices       of {region}, {date}: {source}; transfer within the region is free")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(list_requests: u64, get_requests: u64) -> PlanSummary {
        let (objects, bytes, batches) = (get_requests, 1_000_000_000_000, 4_000);
        PlanSummary { objects, bytes, batches, list_requests, get_requests, ..PlanSummary::default() }
    }

    #[test]
    fn a_terabyte_costs_what_the_readme_says() {
        let lake: Source = "s3://bucket/lake".parse().unwrap_or_else(|never| match never {});
        let price = Price::of(&plan(10_000, 10_000_000), &lake, "relevant").expect("it is read from S3");
        let mut text = Vec::new();
        price.write(&mut text).expect("memory takes it");
        let text = String::from_utf8(text).expect("it is text");
        let expected = [
            "10000 LIST + 10000000 GET + 73236 PUT: 4.4162 USD",
            "10000000 Decrypt: 30.0000 USD",
            "5.1078 USD a month",
            "cpu          about 30683.4 s: 0.3450 USD",
            "us-east-1, November 2026",
        ];
        for expected in expected {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn what_is_local_has_no_price_and_a_lake_in_a_folder_no_put() {
        let lake = Source::Local("lake".into());
        assert_eq!(Price::of(&plan(0, 0), &lake, "relevant"), None);
        let price = Price::of(&plan(1, 1), &lake, "all").expect("it is read from S3");
        assert_eq!((price.puts.requests, price.lake_bytes / 1_000_000_000), (0, 719));
    }
}
