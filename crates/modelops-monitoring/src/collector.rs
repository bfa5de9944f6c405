//! Metrics that are read at the moment of a scrape.

use std::collections::BTreeMap;

use crate::info::Body;
use crate::kernel::slab::Reader;
use crate::listing::Prepared;
use crate::sample::{Descriptor, Kind, Labels, Sample};

/// Something that is asked for its numbers at each scrape: the operating system, an accelerator, a pool.
///
/// Use it for what counts by itself; what your own code counts belongs into a [`Counter`](crate::Counter).
///
/// ```
/// use modelops_monitoring::{Collected, Collector, Registry};
/// struct Pool;
/// impl Collector for Pool {
///     fn collect(&self, out: &mut Collected) {
///         out.gauge("pool_idle_connections", "Connections that wait for work.", &[("pool", "a")], 3.0);
///     }
/// }
/// let registry = Registry::new("shop")?;
/// registry.add_collector(Box::new(Pool))?;
/// assert!(registry.to_prometheus_text().contains("pool_idle_connections{pool=\"a\"} 3.0\n"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
pub trait Collector: Send + Sync {
    /// Says all numbers there are now. A number that cannot be had is left out.
    ///
    /// Names are given in full, without the registry's namespace and without the `_total` of a counter. They are
    /// fixed when the collector is added: what the first call did not name, with the same kind, is left out later.
    fn collect(&self, out: &mut Collected);
}

/// What a [`Collector`] says.
#[derive(Debug, Default)]
pub struct Collected {
    families: BTreeMap<String, CollectedFamily>,
}

#[derive(Debug)]
pub(crate) struct CollectedFamily {
    descriptor: Descriptor,
    series: Vec<(Body, f64)>,
}

impl Collected {
    /// A number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, help, Kind::Counter, labels, value);
    }

    /// A number that rises and falls.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(name, help, Kind::Gauge, labels, value);
    }

    /// Facts that do not change, in the labels; the name comes without the `_info` of its sample.
    pub fn info(&mut self, name: &str, help: &str, facts: &[(&str, &str)]) {
        self.push(name, help, Kind::Info, facts, 1.0);
    }

    fn push(&mut self, name: &str, help: &str, kind: Kind, labels: &[(&str, &str)], value: f64) {
        let family = self
            .families
            .entry(name.to_owned())
            .or_insert_with(|| CollectedFamily {
                descriptor: Descriptor {
                    name: name.to_owned(),
                    help: help.to_owned(),
                    kind,
                    labels: &[],
                    start: None,
                },
                series: Vec::new(),
            });
        // One name is one kind, and one label set is one series: what comes first counts.
        let known = family.series.iter().any(|(body, _)| body.is(labels));
        if family.descriptor.kind == kind && !known {
            family.series.push((Body::new(labels), value));
        }
    }

    pub(crate) fn into_families(self) -> impl Iterator<Item = CollectedFamily> {
        self.families.into_values()
    }
}

impl CollectedFamily {
    /// The names of all labels in use.
    pub(crate) fn label_names(&self) -> impl Iterator<Item = Vec<&str>> {
        self.series
            .iter()
            .map(|(body, _)| body.labels().iter().map(|(name, _)| name).collect())
    }
}

impl Prepared for CollectedFamily {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn visit(&self, _: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>)) {
        for (body, value) in &self.series {
            let sample = match self.descriptor.kind {
                Kind::Counter => Sample::Total(*value),
                Kind::Info => Sample::Info,
                _ => Sample::Gauge(*value),
            };
            each(body.labels(), sample);
        }
    }
}
