//! Facts that do not change, and states that are on or off.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::kernel::slab::Reader;
use crate::labels::LabelValue;
use crate::listing::{Collect, Prepared};
use crate::sample::{Descriptor, Labels, Pairs, Sample};
use crate::series::label_body;

/// Labels that are made once and kept.
#[derive(Debug)]
pub(crate) struct Body {
    body: Box<str>,
    pairs: Box<[(Box<str>, Box<str>)]>,
}

impl Body {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
        Self {
            body: label_body(&names, pairs.iter().map(|(_, text)| *text)),
            pairs: pairs
                .iter()
                .map(|(name, text)| ((*name).into(), (*text).into()))
                .collect(),
        }
    }

    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels {
            body: &self.body,
            pairs: Pairs::Loose(&self.pairs),
        }
    }

    /// Whether these are the labels, in this order.
    pub(crate) fn is(&self, pairs: &[(&str, &str)]) -> bool {
        self.pairs.len() == pairs.len()
            && self
                .pairs
                .iter()
                .zip(pairs)
                .all(|((a, x), (b, y))| **a == **b && **x == **y)
    }
}

/// The family of one info.
pub(crate) struct Facts {
    descriptor: Descriptor,
    facts: Body,
}

impl Facts {
    pub(crate) fn new(descriptor: Descriptor, facts: &[(&str, &str)]) -> Self {
        Self {
            descriptor,
            facts: Body::new(facts),
        }
    }
}

impl Collect for Facts {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare(&self) -> Box<dyn Prepared + '_> {
        Box::new(self)
    }
}

impl Prepared for &Facts {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn visit(&self, _: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>)) {
        each(self.facts.labels(), Sample::Info);
    }
}

/// States that are on or off, named by the variants of the enum `E`; a clone shares them.
///
/// Use it for the phase a server is in, or for the features that are on. Its series are labelled with the name of the
/// metric itself, as OpenMetrics wants it.
///
/// ```
/// use modelops_monitoring::{Registry, label_enum};
/// label_enum! { pub enum Phase { Loading = "loading", Ready = "ready" } }
/// let registry = Registry::new("llm")?;
/// let phase = registry.state_set::<Phase>("phase", "What the server does.")?;
/// phase.set(Phase::Loading);
/// phase.set(Phase::Ready);
/// assert!(phase.is_on(Phase::Ready) && !phase.is_on(Phase::Loading));
/// assert!(registry.to_prometheus_text().ends_with("llm_phase{llm_phase=\"loading\"} 0\nllm_phase{llm_phase=\"ready\"} 1\n"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[doc(alias = "Enum")]
pub struct StateSet<E> {
    cells: Arc<AtomicU64>,
    state: PhantomData<fn(E)>,
}

impl<E> Clone for StateSet<E> {
    fn clone(&self) -> Self {
        Self {
            cells: Arc::clone(&self.cells),
            state: PhantomData,
        }
    }
}

impl<E> fmt::Debug for StateSet<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = format_args!("{:#b}", self.cells.load(Relaxed)).to_string();
        f.debug_struct("StateSet").field("on", &on).finish()
    }
}

impl<E: LabelValue> StateSet<E> {
    /// All states off; `None` where `E` is text or has more than 64 values.
    pub(crate) fn new() -> Option<Self> {
        E::CARDINALITY.filter(|states| *states <= 64)?;
        Some(Self {
            cells: Arc::default(),
            state: PhantomData,
        })
    }

    pub(crate) fn cells(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.cells)
    }

    /// Puts this state on and all others off, at once: no scrape sees two states, or none.
    #[expect(clippy::needless_pass_by_value, reason = "states are small and copied")]
    pub fn set(&self, state: E) {
        self.cells.store(1 << state.index(), Relaxed);
    }

    /// Puts this state on or off and leaves the others.
    #[expect(clippy::needless_pass_by_value, reason = "states are small and copied")]
    pub fn switch(&self, state: E, on: bool) {
        let cell = 1 << state.index();
        if on {
            self.cells.fetch_or(cell, Relaxed);
        } else {
            self.cells.fetch_and(!cell, Relaxed);
        }
    }

    /// Whether this state is on.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "states are small and copied")]
    pub fn is_on(&self, state: E) -> bool {
        self.cells.load(Relaxed) >> state.index() & 1 == 1
    }
}

/// The family of one state set.
pub(crate) struct States {
    descriptor: Descriptor,
    cells: Arc<AtomicU64>,
    labels: Box<[Body]>,
}

impl States {
    pub(crate) fn new<E: LabelValue>(descriptor: Descriptor, cells: Arc<AtomicU64>) -> Self {
        let states = E::CARDINALITY.unwrap_or(0);
        Self {
            labels: (0..states)
                .map(|state| Body::new(&[(&descriptor.name, E::text_at(state))]))
                .collect(),
            descriptor,
            cells,
        }
    }
}

impl Collect for States {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn prepare(&self) -> Box<dyn Prepared + '_> {
        Box::new(self)
    }
}

impl Prepared for &States {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn visit(&self, _: &Reader, each: &mut dyn FnMut(Labels<'_>, Sample<'_>)) {
        let cells = self.cells.load(Relaxed);
        for (state, labels) in self.labels.iter().enumerate() {
            each(labels.labels(), Sample::State(cells >> state & 1 == 1));
        }
    }
}
