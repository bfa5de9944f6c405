//! A Grafana dashboard of everything a registry holds.

use serde_json::{Value, json};

use crate::registry::Registry;
use crate::sample::{Descriptor, Kind};

/// Columns of Grafana's grid, and the size of one panel.
const COLUMNS: usize = 24;
const WIDTH: usize = 12;
const HEIGHT: usize = 8;

impl Registry {
    /// A Grafana dashboard with a panel for each metric, as the JSON that Grafana imports: rates of counters, quantiles of
    /// histograms, values of gauges, states and facts.
    ///
    /// The data source is a variable of the dashboard. With `native_histograms` quantiles are asked of native
    /// histograms, otherwise of classic buckets.
    ///
    /// ```
    /// use modelops_monitoring::Registry;
    /// let registry = Registry::new("shop")?;
    /// registry.counter("orders", "Orders taken.")?;
    /// let dashboard = registry.grafana_dashboard("Shop", false);
    /// assert_eq!(dashboard["panels"][0]["targets"][0]["expr"], "sum(rate(shop_orders_total[$__rate_interval]))");
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    #[must_use]
    pub fn grafana_dashboard(&self, title: &str, native_histograms: bool) -> Value {
        let panels: Vec<_> = self
            .descriptors()
            .iter()
            .enumerate()
            .map(|(place, descriptor)| panel(place, descriptor, native_histograms))
            .collect();
        json!({
            "title": title,
            "schemaVersion": 39,
            "editable": true,
            "refresh": "30s",
            "time": { "from": "now-1h", "to": "now" },
            "templating": { "list": [{
                "name": "datasource",
                "type": "datasource",
                "query": "prometheus",
                "label": "Data source",
            }]},
            "panels": panels,
        })
    }
}

fn panel(place: usize, descriptor: &Descriptor, native: bool) -> Value {
    let name = &*descriptor.name;
    let by = descriptor.labels.join(", ");
    let grouped = |inner: String| {
        if by.is_empty() {
            format!("sum({inner})")
        } else {
            format!("sum by ({by}) ({inner})")
        }
    };
    let legend = if descriptor.labels.is_empty() {
        name.to_owned()
    } else {
        let parts: Vec<_> = descriptor
            .labels
            .iter()
            .map(|label| format!("{{{{{label}}}}}"))
            .collect();
        parts.join(" ")
    };
    let (kind, targets): (_, Vec<(String, String)>) = match descriptor.kind {
        Kind::Counter => (
            "timeseries",
            vec![(grouped(format!("rate({name}_total[$__rate_interval])")), legend)],
        ),
        Kind::Gauge => ("timeseries", vec![(name.to_owned(), legend)]),
        Kind::StateSet => (
            "state-timeline",
            vec![(name.to_owned(), format!("{{{{{name}}}}}"))],
        ),
        Kind::Info => ("table", vec![(format!("{name}_info"), String::new())]),
        Kind::Histogram => {
            let quantile = |q: f64| {
                let rates = if native {
                    format!("sum(rate({name}[$__rate_interval]))")
                } else {
                    format!("sum by (le) (rate({name}_bucket[$__rate_interval]))")
                };
                (
                    format!("histogram_quantile({q}, {rates})"),
                    format!("p{}", q * 100.0),
                )
            };
            ("timeseries", [0.5, 0.9, 0.99].map(quantile).into())
        }
    };
    let unit = match (descriptor.kind, descriptor.unit().map(|(unit, _)| unit)) {
        (Kind::Counter, Some("bytes")) => "Bps",
        (Kind::Counter, _) => "cps",
        (_, Some("seconds")) => "s",
        (_, Some("bytes")) => "bytes",
        (_, Some("ratio")) => "percentunit",
        (_, Some("celsius")) => "celsius",
        (_, Some("joules")) => "joule",
        _ => "short",
    };
    let targets: Vec<_> = ('A'..='Z')
        .zip(targets)
        .map(
            |(reference, (expr, legend))| json!({ "refId": reference, "expr": expr, "legendFormat": legend }),
        )
        .collect();
    json!({
        "id": place + 1,
        "type": kind,
        "title": name,
        "description": descriptor.help,
        "datasource": { "type": "prometheus", "uid": "${datasource}" },
        "gridPos": {
            "h": HEIGHT,
            "w": WIDTH,
            "x": place % (COLUMNS / WIDTH) * WIDTH,
            "y": place / (COLUMNS / WIDTH) * HEIGHT,
        },
        "fieldConfig": { "defaults": { "unit": unit }, "overrides": [] },
        "targets": targets,
    })
}
