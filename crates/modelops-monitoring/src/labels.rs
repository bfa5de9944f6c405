//! Typed label sets: enums are dense, strings are looked up.

/// One label's value: text, or one of finitely many that are known in advance.
///
/// Implemented for `&str`, `bool` and every enum that [`label_enum!`](crate::label_enum) declares.
pub trait LabelValue {
    /// How many values there are; `None` for text.
    const CARDINALITY: Option<usize>;

    /// The position of a finite value, below `CARDINALITY`; 0 for text.
    fn index(&self) -> usize;

    /// The text of the finite value at `index`; empty for text.
    fn text_at(index: usize) -> &'static str;

    /// The text that is exposed.
    fn text(&self) -> &str;
}

impl LabelValue for &str {
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn text_at(_: usize) -> &'static str {
        ""
    }

    fn text(&self) -> &str {
        self
    }
}

impl LabelValue for bool {
    const CARDINALITY: Option<usize> = Some(2);

    fn index(&self) -> usize {
        usize::from(*self)
    }

    fn text_at(index: usize) -> &'static str {
        ["false", "true"][index & 1]
    }

    fn text(&self) -> &str {
        Self::text_at(usize::from(*self))
    }
}

/// The labels that tell the series of one family apart. Declare one with [`label_set!`](crate::label_set).
///
/// Where every label is an enum, all series exist from the start in one array and are found by arithmetic.
/// Where a label is text, series come into being on first use, up to the registry's cardinality limit.
pub trait LabelSet {
    /// The labels' names, in the order in which they are exposed.
    const NAMES: &'static [&'static str];

    /// How many label sets there are; `None` where a label is text.
    const COMBINATIONS: Option<usize>;

    /// The position of this label set among all, below `COMBINATIONS`; 0 where a label is text.
    fn index(&self) -> usize;

    /// Calls `each` with the texts of the label set at `index`, in the order of `NAMES`.
    fn texts_at(index: usize, each: &mut dyn FnMut(&'static str));

    /// Calls `each` with the text of every label, in the order of `NAMES`.
    fn texts<'a>(&'a self, each: impl FnMut(&'a str));
}

/// No labels: the family is a single series.
impl LabelSet for () {
    const NAMES: &'static [&'static str] = &[];
    const COMBINATIONS: Option<usize> = Some(1);

    fn index(&self) -> usize {
        0
    }

    fn texts_at(_: usize, _: &mut dyn FnMut(&'static str)) {}

    fn texts<'a>(&'a self, _: impl FnMut(&'a str)) {}
}

/// The product of cardinalities; `None` where one of them is text or the product overflows.
#[doc(hidden)]
#[must_use]
pub const fn combinations(cardinalities: &[Option<usize>]) -> Option<usize> {
    let mut product = Some(1usize);
    let mut i = 0;
    while i < cardinalities.len() {
        product = match (product, cardinalities[i]) {
            (Some(a), Some(b)) => a.checked_mul(b),
            _ => None,
        };
        i += 1;
    }
    product
}

/// Declares an enum whose variants are the values of a label.
///
/// ```
/// use modelops_monitoring::{LabelValue, label_enum};
/// label_enum! {
///     /// How a request ended.
///     pub enum Outcome { Ok = "ok", Denied = "denied" }
/// }
/// assert_eq!(Outcome::Denied.text(), "denied");
/// assert_eq!(Outcome::CARDINALITY, Some(2));
/// ```
#[macro_export]
macro_rules! label_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$vmeta])* #[doc = concat!("`", $text, "`")] $variant),+ }

        impl $name {
            const TEXTS: &'static [&'static str] = &[$($text),+];
        }

        impl $crate::LabelValue for $name {
            const CARDINALITY: Option<usize> = Some(Self::TEXTS.len());

            #[inline]
            fn index(&self) -> usize {
                *self as usize
            }

            fn text_at(index: usize) -> &'static str {
                Self::TEXTS[index]
            }

            fn text(&self) -> &str {
                Self::TEXTS[*self as usize]
            }
        }
    };
}

/// Declares a struct whose fields are labels.
///
/// A field is a `&str`, a `bool` or a [`label_enum!`](crate::label_enum).
///
/// ```
/// use modelops_monitoring::{LabelSet, label_enum, label_set};
/// label_enum! { pub enum Outcome { Ok = "ok", Denied = "denied" } }
/// label_set! {
///     /// The labels of a request.
///     pub struct Route<'a> { tenant: &'a str, outcome: Outcome }
/// }
/// label_set! { pub struct Cached { outcome: Outcome, hit: bool } }
/// assert_eq!(Route::NAMES, ["tenant", "outcome"]);
/// assert_eq!(Cached::COMBINATIONS, Some(4));
/// ```
#[doc(alias = "labels")]
#[macro_export]
macro_rules! label_set {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$lt:lifetime>)? { $($(#[$fmeta:meta])* $field:ident : $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name $(<$lt>)? {
            $($(#[$fmeta])* #[doc = concat!("The label `", stringify!($field), "`.")] $vis $field: $ty),+
        }

        impl $(<$lt>)? $crate::LabelSet for $name $(<$lt>)? {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];
            const COMBINATIONS: Option<usize> =
                $crate::combinations(&[$(<$ty as $crate::LabelValue>::CARDINALITY),+]);

            #[inline]
            fn index(&self) -> usize {
                let mut index = 0;
                $(index = index * <$ty as $crate::LabelValue>::CARDINALITY.unwrap_or(1)
                    + $crate::LabelValue::index(&self.$field);)+
                index
            }

            fn texts_at(index: usize, each: &mut dyn FnMut(&'static str)) {
                let mut below = <Self as $crate::LabelSet>::COMBINATIONS.unwrap_or(1);
                let mut rest = index;
                $(
                    below /= <$ty as $crate::LabelValue>::CARDINALITY.unwrap_or(1);
                    each(<$ty as $crate::LabelValue>::text_at(rest / below));
                    rest %= below;
                )+
                let _ = rest;
            }

            #[inline]
            fn texts<'labels>(&'labels self, mut each: impl FnMut(&'labels str)) {
                $(each($crate::LabelValue::text(&self.$field));)+
            }
        }
    };
}
