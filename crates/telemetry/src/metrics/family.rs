//! Families of metrics whose children are all made when the family is.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result,
};

/// A word from a fixed set that a metric is told apart by.
pub(crate) trait Label: Copy + 'static {
    /// All of them; [`Self::index`] is the place of each.
    const ALL: &'static [Self];

    fn index(self) -> usize;

    fn text(self) -> &'static str;
}

/// Implements [`Label`] for an enum without values, whose variants are listed in their order.
macro_rules! label {
    ($name:ty { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $crate::metrics::family::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn index(self) -> usize {
                self as usize
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}
pub(super) use label;

/// Makes metrics and registers them.
#[derive(Default)]
pub(super) struct Registrar(Registry);

impl Registrar {
    pub(super) fn into_registry(self) -> Registry {
        self.0
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::new(name, help)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    pub(super) fn float_gauge(&self, name: &str, help: &str) -> Result<Gauge> {
        self.register(Gauge::new(name, help)?)
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts)?)
    }

    pub(super) fn counter_family(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauge_family(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn histogram_family(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(opts, labels)?)
    }

    /// A counter for each `L`.
    pub(super) fn counters<L: Label>(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<By<L, IntCounter>> {
        let family = self.counter_family(name, help, &[label])?;
        By::make(|by: L| family.get_metric_with_label_values(&[by.text()]))
    }

    /// A counter for each `K` and `L`.
    pub(super) fn counters2<K: Label, L: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> Result<By<K, By<L, IntCounter>>> {
        let family = self.counter_family(name, help, &labels)?;
        By::make(|outer: K| {
            By::make(|inner: L| family.get_metric_with_label_values(&[outer.text(), inner.text()]))
        })
    }

    /// A gauge for each `L`.
    pub(super) fn gauges<L: Label>(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<By<L, IntGauge>> {
        let family = self.gauge_family(name, help, &[label])?;
        By::make(|by: L| family.get_metric_with_label_values(&[by.text()]))
    }

    /// A gauge for each `K` and `L`.
    pub(super) fn gauges2<K: Label, L: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> Result<By<K, By<L, IntGauge>>> {
        let family = self.gauge_family(name, help, &labels)?;
        By::make(|outer: K| {
            By::make(|inner: L| family.get_metric_with_label_values(&[outer.text(), inner.text()]))
        })
    }

    /// A counter for each of `reasons`, by the label `label`.
    pub(super) fn reasons(
        &self,
        name: &str,
        help: &str,
        label: &str,
        reasons: &[&'static str],
    ) -> Result<ReasonCounters> {
        let family = self.counter_family(name, help, &[label])?;
        let child = |reason: &&'static str| {
            let counter = family.get_metric_with_label_values(&[*reason])?;
            Ok((*reason, counter))
        };
        let mut known = reasons.iter().map(child).collect::<Result<Vec<_>>>()?;
        known.sort_unstable_by_key(|(reason, _)| *reason);
        Ok(ReasonCounters { known, family })
    }
}

/// One `T` for each `L`.
pub(super) struct By<L, T> {
    children: Box<[T]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, T> By<L, T> {
    fn make(child: impl FnMut(L) -> Result<T>) -> Result<Self> {
        let children = L::ALL.iter().copied().map(child).collect::<Result<_>>()?;
        Ok(Self {
            children,
            label: PhantomData,
        })
    }

    /// The one of `label`. There always is one: [`Label::ALL`] has all.
    pub(super) fn of(&self, label: L) -> Option<&T> {
        self.children.get(label.index())
    }
}

impl<L: Label> By<L, IntCounter> {
    /// Hot path: runs per request, allocates nothing.
    pub(super) fn inc(&self, label: L) {
        if let Some(counter) = self.of(label) {
            counter.inc();
        }
    }
}

impl<K: Label, L: Label> By<K, By<L, IntCounter>> {
    /// Hot path: runs per request, allocates nothing.
    pub(super) fn inc2(&self, outer: K, inner: L) {
        if let Some(counters) = self.of(outer) {
            counters.inc(inner);
        }
    }
}

impl<L: Label> By<L, IntGauge> {
    pub(super) fn set(&self, label: L, value: i64) {
        if let Some(gauge) = self.of(label) {
            gauge.set(value);
        }
    }
}

/// A counter for each reason that another crate has a name for.
pub(super) struct ReasonCounters {
    /// Sorted by reason.
    known: Vec<(&'static str, IntCounter)>,
    family: IntCounterVec,
}

impl ReasonCounters {
    /// Counts a reason; one that was not announced too. There are no more of them than the code
    /// has strings.
    ///
    /// Hot path: runs per refused request, allocates nothing for a known reason.
    pub(super) fn inc(&self, reason: &'static str) {
        let found = self.known.binary_search_by_key(&reason, |(known, _)| known);
        match found.ok().and_then(|index| self.known.get(index)) {
            Some((_, counter)) => counter.inc(),
            None => self.inc_unknown(reason),
        }
    }

    #[cold]
    fn inc_unknown(&self, reason: &'static str) {
        // One label for one name of a label: that can't be an error.
        if let Ok(counter) = self.family.get_metric_with_label_values(&[reason]) {
            counter.inc();
        }
    }
}
