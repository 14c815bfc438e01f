//! The messages of OTLP 1.x that carry gauges, with the tags and names of its `metrics.proto`, and figures as such.
//!
//! A field of a `oneof` is an `Option` of its own: the bytes are the same, and no value is left out for being zero.

use jiff::Timestamp;

use crate::figures::Figure;
use crate::figures::Point;
use crate::figures::Value;

/// `ExportMetricsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct InstrumentationScope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

/// Without a unit: collectors that make Prometheus names of it would append it to the name.
#[derive(Clone, PartialEq, prost::Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(message, optional, tag = "5")]
    gauge: Option<Gauge>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NumberDataPoint {
    #[prost(fixed64, tag = "3")]
    time_unix_nano: u64,
    #[prost(double, optional, tag = "4")]
    as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    as_int: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
}

/// `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// `ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected_data_points: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// Puts the figures of a run that ended into one request. One without points is left out: it would be an empty gauge.
pub(crate) fn request(figures: &[Figure], ended: Timestamp) -> Request {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let told = figures.iter().filter(|figure| !figure.points.is_empty());
    let scope_metrics = ScopeMetrics {
        scope: Some(InstrumentationScope { name: name.to_owned(), version: version.to_owned() }),
        metrics: told.map(|figure| metric(figure, ended)).collect(),
    };
    let attributes = vec![attribute("service.name", name), attribute("service.version", version)];
    let resource = Some(Resource { attributes });
    Request { resource_metrics: vec![ResourceMetrics { resource, scope_metrics: vec![scope_metrics] }] }
}

fn metric(figure: &Figure, ended: Timestamp) -> Metric {
    let data_points = figure.points.iter().map(|point| data_point(point, ended)).collect();
    Metric { name: figure.name.clone(), description: figure.help.to_owned(), gauge: Some(Gauge { data_points }) }
}

fn data_point(point: &Point, ended: Timestamp) -> NumberDataPoint {
    let (as_int, as_double) = match point.value {
        Value::Whole(value) => (Some(value), None),
        Value::Fraction(value) => (None, Some(value)),
    };
    NumberDataPoint {
        // 0 says that the time is not known.
        time_unix_nano: u64::try_from(ended.as_nanosecond()).unwrap_or(0),
        as_double,
        as_int,
        attributes: point.label.iter().map(|(label, of)| attribute(label, of)).collect(),
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { string_value: Some(value.to_owned()) }) }
}
