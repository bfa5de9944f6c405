//! Families whose label names are known only when a series comes: those of the `metrics` facade.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::info::Body;
use crate::kernel::slab::Reader;
use crate::listing::{Collect, Prepared};
use crate::sample::{Descriptor, Labels, Sample};
use crate::series::{Metric, OVERFLOW};

/// Names and texts, by rising name.
type Pairs = Vec<(String, String)>;

pub(crate) struct Loose<M: Metric> {
    descriptor: Descriptor,
    /// A description may come after the first use.
    help: RwLock<String>,
    shared: M::Shared,
    limit: usize,
    table: RwLock<BTreeMap<Pairs, Arc<(Body, M)>>>,
    overflow: OnceLock<Option<Arc<(Body, M)>>>,
}

impl<M: Metric> Loose<M> {
    pub(crate) fn new(descriptor: Descriptor, shared: M::Shared, limit: usize) -> Self {
        Self {
            help: RwLock::new(descriptor.help.clone()),
            descriptor,
            shared,
            limit,
            table: RwLock::new(BTreeMap::new()),
            overflow: OnceLock::new(),
        }
    }

    pub(crate) fn describe(&self, help: &str) {
        help.clone_into(&mut self.help.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The series of these labels, and whether it is its own; `None` where storage is exhausted.
    ///
    /// Label names are made to fit: characters that none may have become `_`, and reserved names get one at the end.
    /// Of a name that occurs twice the last text counts.
    pub(crate) fn series<'a>(&self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Option<(M, bool)> {
        let pairs: BTreeMap<_, _> = labels
            .map(|(name, text)| (label_name(name), text.to_owned()))
            .collect();
        let pairs: Pairs = pairs.into_iter().collect();
        {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = table.get(&pairs) {
                return Some((known.1.clone(), true));
            }
        }
        // Storage has a lock of its own, which is not asked for while the table's is held.
        let made = M::create(&self.shared);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.get(&pairs) {
            return Some((known.1.clone(), true));
        }
        let Some(metric) = made.filter(|_| table.len() < self.limit) else {
            drop(table);
            let names = pairs.iter().map(|(name, _)| (name.as_str(), OVERFLOW));
            let overflow = self.overflow.get_or_init(|| {
                let body = Body::new(&names.collect::<Vec<_>>());
                Some(Arc::new((body, M::create(&self.shared)?)))
            });
            return overflow.as_ref().map(|overflow| (overflow.1.clone(), false));
        };
        let borrowed: Vec<_> = pairs
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let series = Arc::new((Body::new(&borrowed), metric.clone()));
        table.insert(pairs, series);
        Some((metric, true))
    }
}

/// The name, made to fit: `[a-zA-Z_][a-zA-Z0-9_]*` and not reserved.
fn label_name(name: &str) -> String {
    let mut name = fitting_name(name);
    if name.starts_with("__") || matches!(name.as_str(), "le" | "quantile") {
        name = format!("label_{}", name.trim_start_matches('_'));
    }
    name
}

/// The name with every character replaced that a metric name cannot have.
pub(crate) fn fitting_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = name.chars().map(fits).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        name.insert(0, '_');
    }
    name
}

/// The series at one moment.
struct Listed<M: Metric> {
    descriptor: Descriptor,
    series: Vec<Arc<(Body, M)>>,
}

impl<M: Metric> Collect for Loose<M> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare(&self) -> Box<dyn Prepared + '_> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let overflow = self.overflow.get().and_then(Option::as_ref);
        Box::new(Listed {
            descriptor: Descriptor {
                help: self.help.read().unwrap_or_else(PoisonError::into_inner).clone(),
                ..self.descriptor.clone()
            },
            series: table.values().chain(overflow).cloned().collect(),
        })
    }
}

impl<M: Metric> Prepared for Listed<M> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn visit(&self, reader: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>)) {
        for series in &self.series {
            if let Some(sample) = series.1.sample(reader, false) {
                each(series.0.labels(), sample);
            }
        }
    }
}
