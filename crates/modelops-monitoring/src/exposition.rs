//! Which format a scraper gets, and the formats beyond the two plain ones.

use crate::encode::{openmetrics, openmetrics2, otlp, protobuf, text};
use crate::registry::Registry;

/// A format that a scraper can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Prometheus text 0.0.4: what is given where nothing else is asked for.
    PrometheusText,
    /// OpenMetrics text 1.0: exemplars, units.
    OpenMetrics1,
    /// OpenMetrics text 2.0 (release candidate 0): native histograms, start timestamps.
    OpenMetrics2,
    /// Length-delimited Prometheus protobuf: what a Prometheus server with native histograms asks for.
    PrometheusProtobuf,
}

impl Format {
    /// The `Content-Type` of a response in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::PrometheusText => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetrics2 => "application/openmetrics-text; version=2.0.0; charset=utf-8",
            Self::PrometheusProtobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format that suits an `Accept` header best: the greatest `q`, and of equals the one named first.
    ///
    /// Where nothing suits, or there is no header, it is the Prometheus text format, which every scraper reads.
    /// OpenMetrics without a version means 1.0.
    ///
    /// ```
    /// use modelops_monitoring::Format;
    /// let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    /// assert_eq!(Format::negotiate(Some(prometheus)), Format::OpenMetrics1);
    /// assert_eq!(Format::negotiate(None), Format::PrometheusText);
    /// ```
    ///
    /// **References**: RFC 9110, section 12.5.1; Prometheus, "Content negotiation".
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = (0.0, Self::PrometheusText);
        for range in accept.unwrap_or_default().split(',') {
            if let Some((quality, format)) = media_range(range)
                && quality > best.0
            {
                best = (quality, format);
            }
        }
        best.1
    }
}

/// The quality and the format of one media range; `None` for what is not spoken here.
fn media_range(range: &str) -> Option<(f64, Format)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut quality, mut version, mut message, mut encoding) = (1.0, None, None, None);
    for part in parts {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.parse::<f64>().ok().filter(|q| (0.0..=1.0).contains(q))?,
            "version" => version = Some(value),
            "proto" => message = Some(value),
            "encoding" => encoding = Some(value),
            _ => {}
        }
    }
    let format = match (media.as_str(), version) {
        ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics1,
        ("application/openmetrics-text", Some("2.0.0")) => Format::OpenMetrics2,
        ("application/vnd.google.protobuf", _)
            if message == Some("io.prometheus.client.MetricFamily") && encoding == Some("delimited") =>
        {
            Format::PrometheusProtobuf
        }
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::PrometheusText,
        _ => return None,
    };
    Some((quality, format))
}

/// The answer to one scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exposition {
    /// The `Content-Type` of the response.
    pub content_type: &'static str,
    /// The body of the response.
    pub body: Vec<u8>,
}

impl Registry {
    /// All metrics in the format that suits an `Accept` header best: the answer to a scrape.
    ///
    /// ```
    /// use modelops_monitoring::Registry;
    /// let registry = Registry::new("shop")?;
    /// registry.counter("orders", "Orders taken.")?.inc();
    /// let answer = registry.expose(Some("application/openmetrics-text"));
    /// assert_eq!(answer.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    /// assert!(answer.body.ends_with(b"shop_orders_total 1\n# EOF\n"));
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    #[must_use]
    pub fn expose(&self, accept: Option<&str>) -> Exposition {
        let format = Format::negotiate(accept);
        let mut body = Vec::new();
        self.encode_in(format, &mut body);
        Exposition {
            content_type: format.content_type(),
            body,
        }
    }

    /// Appends all metrics in `format` to `out`.
    pub fn encode_in(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::PrometheusText => self.encode(text::encode, out),
            Format::OpenMetrics1 => self.encode(openmetrics::encode, out),
            Format::OpenMetrics2 => self.encode(openmetrics2::encode, out),
            Format::PrometheusProtobuf => self.encode(protobuf::encode, out),
        }
    }

    /// Appends all metrics in OTLP, the protocol of OpenTelemetry: one `ExportMetricsServiceRequest` in protobuf, to be
    /// posted to `/v1/metrics` of a collector as `application/x-protobuf`.
    ///
    /// `resource` describes the service (`service.name` at least); `unix_nanos` is now, in nanoseconds since the epoch.
    /// Counts are cumulative; give the registry a [start](crate::RegistryOptions::start), which the protocol asks for.
    /// Histograms are exponential ones, whose bucket `i` is ours of index `i + 1`.
    ///
    /// **Numerics**: NaN and infinite observations are left out, for the format has no bucket for them.
    #[doc(alias("opentelemetry", "otel"))]
    pub fn encode_otlp(&self, resource: &[(&str, &str)], unix_nanos: u64, out: &mut Vec<u8>) {
        self.encode(
            |families, out| otlp::encode(families, resource, unix_nanos, out),
            out,
        );
    }

    /// All metrics in the OpenMetrics text format 2.0 (`application/openmetrics-text; version=2.0.0`).
    ///
    /// ```
    /// use modelops_monitoring::{HistogramOptions, Registry, Schema};
    /// let registry = Registry::new("shop")?;
    /// let options = HistogramOptions::seconds().with_schema(Schema::try_new(0)?).with_buckets(&[1.0]);
    /// registry.histogram("order_seconds", "Time to take an order.", options)?.observe_n(2.0, 3);
    /// assert!(registry.to_openmetrics2().contains(
    ///     "shop_order_seconds {count:3,sum:6.0,schema:0,zero_threshold:2.938735877055719e-39,zero_count:0,\
    ///      positive_spans:[1:1],positive_buckets:[3],bucket:[1.0:0,+Inf:3]}\n"
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_openmetrics2(&self) -> String {
        let mut out = Vec::new();
        self.encode_in(Format::OpenMetrics2, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}
