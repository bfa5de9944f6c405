//! The series of a family as the encoders read them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::kernel::slab::Reader;
use crate::sample::{Descriptor, Labels, Sample};
use crate::series::{Core, Metric, Sorted};

/// The lines of a family of counters, up to their values.
pub(crate) struct CounterLines<'a> {
    starts: &'a [u8],
    ends: &'a [usize],
    values: Vec<u64>,
}

impl CounterLines<'_> {
    /// How long all the line starts are together, and how many.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.starts.len(), self.ends.len())
    }

    /// Each line's start and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut from = 0;
        self.ends.iter().zip(&self.values).map(move |(end, value)| {
            let start = &self.starts[from..*end];
            from = *end;
            (start, *value)
        })
    }
}

/// A family of any kind, as the registry sees it.
pub(crate) trait Collect: Send + Sync {
    fn descriptor(&self) -> &Descriptor;

    /// The series at this moment, to be read later: reading takes no lock but storage's.
    fn prepare(&self) -> Box<dyn Prepared + '_>;

    /// Drops the series that nothing was recorded into for `idle`; says how many. Families whose series are there for
    /// good drop none.
    fn evict_idle(&self, _now: Duration, _idle: Duration) -> usize {
        0
    }
}

/// The series of a family at one moment.
pub(crate) trait Prepared {
    fn descriptor(&self) -> &Descriptor;

    /// The series of a family of counters with text labels, the overflow series left out; `None` for any other.
    fn counter_lines(&self, _reader: &Reader) -> Option<CounterLines<'_>> {
        None
    }

    /// Whether a counter of the family ever had an exemplar.
    fn exemplified(&self) -> bool {
        false
    }

    /// Seconds since the epoch from which on every series counts; `None` where that is not known.
    fn start(&self) -> Option<f64> {
        self.descriptor().start
    }

    /// The overflow series, where the family has one and it is in use.
    fn overflow(&self, _reader: &Reader) -> Option<(Labels<'_>, Sample<'_>)> {
        None
    }

    /// Calls `each` with the label body and the value of every series, in a fixed order.
    fn visit(&self, reader: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>));
}

struct Listed<'a, M: Metric> {
    core: &'a Core<M>,
    sorted: Arc<Sorted<M>>,
}

impl<M: Metric> Collect for Core<M> {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare(&self) -> Box<dyn Prepared + '_> {
        Box::new(Listed {
            core: self,
            sorted: self.sorted(),
        })
    }

    fn evict_idle(&self, now: Duration, idle: Duration) -> usize {
        self.evict(now, idle)
    }
}

impl<M: Metric> Prepared for Listed<'_, M> {
    fn descriptor(&self) -> &Descriptor {
        &self.core.descriptor
    }

    fn counter_lines(&self, reader: &Reader) -> Option<CounterLines<'_>> {
        if self.sorted.ends.is_empty() {
            return None;
        }
        let slots = &*self.sorted.slots;
        let (least, most) = (*slots.iter().min()?, *slots.iter().max()?);
        let span = (most - least) as usize + 1;
        let values = if span <= 4 * self.sorted.ends.len() {
            // Series made one after the other lie side by side: whole pages are added up.
            let mut sums = vec![0; span];
            reader.sum_range(least, &mut sums);
            slots.iter().map(|slot| sums[(slot - least) as usize]).collect()
        } else {
            slots.iter().map(|slot| reader.sum(*slot)).collect()
        };
        Some(CounterLines {
            starts: &self.sorted.starts,
            ends: &self.sorted.ends,
            values,
        })
    }

    fn exemplified(&self) -> bool {
        M::exemplified(&self.core.shared)
    }

    fn start(&self) -> Option<f64> {
        // Once a series was dropped it may have begun anew, at a time that nobody noted.
        let dropped = self.core.generation.load(Relaxed) > 0;
        self.core.descriptor.start.filter(|_| !dropped)
    }

    fn overflow(&self, reader: &Reader) -> Option<(Labels<'_>, Sample<'_>)> {
        let overflow = self
            .core
            .overflow
            .as_ref()
            .filter(|_| self.core.overflowed.load(Relaxed))?;
        Some((
            overflow.labels(self.core.descriptor.labels),
            overflow.metric.sample(reader, false)?,
        ))
    }

    fn visit(&self, reader: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>)) {
        let labelled = !self.core.descriptor.labels.is_empty();
        for (index, metric) in self.core.dense.iter().enumerate() {
            if let Some(sample) = metric.sample(reader, labelled) {
                each(self.core.dense_labels(index), sample);
            }
        }
        let overflow = self
            .core
            .overflow
            .as_ref()
            .filter(|_| self.core.overflowed.load(Relaxed));
        for entry in self.sorted.entries.iter().chain(overflow) {
            if let Some(sample) = entry.metric.sample(reader, false) {
                each(entry.labels(self.core.descriptor.labels), sample);
            }
        }
    }
}
