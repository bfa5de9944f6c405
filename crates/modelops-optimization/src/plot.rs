//! Line plots as SVG: loss curves and study histories.

use std::fmt::Write as _;

/// A small line plot that renders to SVG text, the same bytes every time.
///
/// Use it to look at a loss curve or a study; for anything richer write the numbers out and use a plotting tool.
/// Points that are not finite, or not above zero on a logarithmic axis, are left out.
///
/// # Example
///
/// ```
/// use modelops_optimization::LinePlot;
///
/// let svg = LinePlot::new("loss of the fit", "iteration", "loss")
///     .with_line("train", [1.0, 0.5, 0.25])
///     .with_log_y()
///     .to_svg();
/// assert!(svg.starts_with("<svg ") && svg.contains("loss of the fit"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinePlot {
    title: String,
    x_label: String,
    y_label: String,
    log_y: bool,
    series: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    marks: bool,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Colour-blind safe (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

impl LinePlot {
    /// An empty plot.
    #[must_use]
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            log_y: false,
            series: Vec::new(),
        }
    }

    /// Adds a line through `values` at 0, 1, 2, …
    #[must_use]
    pub fn with_line(self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let points = values
            .into_iter()
            .enumerate()
            .map(|(i, v)| (i as f64, v))
            .collect();
        self.with_series(name, points, false)
    }

    /// Adds a line through points (x, y).
    #[must_use]
    pub fn with_points_line(
        self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points.into_iter().collect();
        self.with_series(name, points, false)
    }

    /// Adds a dot at each point (x, y).
    #[must_use]
    pub fn with_dots(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().collect();
        self.with_series(name, points, true)
    }

    /// Makes the vertical axis logarithmic.
    #[must_use]
    pub fn with_log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    fn with_series(mut self, name: impl Into<String>, points: Vec<(f64, f64)>, marks: bool) -> Self {
        self.series.push(Series {
            name: name.into(),
            points,
            marks,
        });
        self
    }

    /// The plot as the text of an SVG file.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let drawn: Vec<Vec<(f64, f64)>> = self.series.iter().map(|s| self.drawable(s)).collect();
        let all = || drawn.iter().flatten();
        let x_axis = Axis::linear(all().map(|p| p.0), LEFT, WIDTH - RIGHT);
        let y_axis = if self.log_y {
            Axis::decades(all().map(|p| p.1), HEIGHT - BOTTOM, TOP)
        } else {
            Axis::linear(all().map(|p| p.1), HEIGHT - BOTTOM, TOP)
        };
        let mut svg = String::new();
        self.frame(&mut svg, &x_axis, &y_axis);
        for (index, (series, points)) in self.series.iter().zip(&drawn).enumerate() {
            draw(
                &mut svg,
                series,
                points,
                COLOURS[index % COLOURS.len()],
                &x_axis,
                &y_axis,
            );
        }
        if self.series.len() > 1 {
            self.legend(&mut svg);
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The points that the axes can show; heights as logarithms where the axis is.
    fn drawable(&self, series: &Series) -> Vec<(f64, f64)> {
        series
            .points
            .iter()
            .map(|&(x, y)| (x, if self.log_y { y.log10() } else { y }))
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect()
    }

    fn frame(&self, svg: &mut String, x_axis: &Axis, y_axis: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="26" font-size="15" font-weight="bold">{}</text>"##,
            escaped(&self.title)
        );
        for (at, label) in &x_axis.ticks {
            let x = x_axis.place(*at);
            let _ = writeln!(
                svg,
                r##"<path d="M{x:.1} {TOP}V{bottom}" stroke="#e6e6e6"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{label}</text>"##,
                bottom + 18.0
            );
        }
        for (at, label) in &y_axis.ticks {
            let y = y_axis.place(*at);
            let _ = writeln!(
                svg,
                r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#e6e6e6"/><text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"##,
                LEFT - 8.0,
                y + 4.0
            );
        }
        let (middle_x, middle_y) = (0.5 * (LEFT + right), 0.5 * (TOP + bottom));
        let _ = writeln!(
            svg,
            r##"<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#333"/>
<text x="{middle_x}" y="{}" text-anchor="middle">{}</text>
<text x="18" y="{middle_y}" text-anchor="middle" transform="rotate(-90 18 {middle_y})">{}</text>"##,
            HEIGHT - 14.0,
            escaped(&self.x_label),
            escaped(&self.y_label)
        );
    }

    /// Names in the line of the title, from the right, where they cover no point.
    fn legend(&self, svg: &mut String) {
        let mut right = WIDTH - RIGHT;
        for (index, series) in self.series.iter().enumerate().rev() {
            let _ = writeln!(
                svg,
                r#"<text x="{right:.1}" y="26" text-anchor="end">{}</text>"#,
                escaped(&series.name)
            );
            // Seven units a letter is a little more than a sans-serif of this size takes.
            right -= 7.0 * series.name.chars().count() as f64 + 20.0;
            let _ = writeln!(
                svg,
                r#"<rect x="{right:.1}" y="20" width="14" height="4" fill="{}"/>"#,
                COLOURS[index % COLOURS.len()]
            );
            right -= 16.0;
        }
    }
}

fn draw(
    svg: &mut String,
    series: &Series,
    points: &[(f64, f64)],
    colour: &str,
    x_axis: &Axis,
    y_axis: &Axis,
) {
    let placed = points.iter().map(|p| (x_axis.place(p.0), y_axis.place(p.1)));
    if series.marks || points.len() == 1 {
        for (x, y) in placed {
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#);
        }
        return;
    }
    let mut path = String::new();
    for (x, y) in placed {
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    let _ = writeln!(
        svg,
        r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>"#,
        path.trim_end()
    );
}

/// A range of values laid on a range of pixels, with labelled ticks.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        if low > high { (0.0, 1.0) } else { (low, high) }
    }

    /// Ticks at 1, 2 or 5 times a power of ten, four to nine of them.
    fn linear(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = Self::range(values);
        let span = if high > low {
            high - low
        } else {
            high.abs().max(1.0)
        };
        let power = 10f64.powf((span / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|s| span / s <= 6.5);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = (
            (low / step).floor(),
            (high / step).ceil().max((low / step).floor() + 1.0),
        );
        let count = (last - first).min(20.0) as usize;
        let ticks = (0..=count)
            .map(|k| (first + k as f64) * step)
            .map(|v| (v, tick_label(v, step)))
            .collect();
        Self {
            low: first * step,
            high: last * step,
            from,
            to,
            ticks,
        }
    }

    /// Ticks at powers of ten; the values come as logarithms.
    fn decades(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = Self::range(values);
        if high - low < 1.0 {
            // Less than a decade: powers of ten would leave at most one tick.
            let mut axis = Self::linear([low, high].into_iter(), from, to);
            for (at, label) in &mut axis.ticks {
                *label = format!("{:.3}", 10f64.powf(*at));
            }
            return axis;
        }
        let (first, last) = (low.floor(), high.ceil());
        let stride = ((last - first) / 8.0).ceil().max(1.0);
        let count = ((last - first) / stride) as usize;
        let ticks = (0..=count)
            .map(|k| first + stride * k as f64)
            .map(|v| (v, format!("1e{v}")))
            .collect();
        Self {
            low: first,
            high: last,
            from,
            to,
            ticks,
        }
    }
}

/// As many decimals as the step needs, exponents for the very large and small.
fn tick_label(value: f64, step: f64) -> String {
    let value = if value.abs() < 1e-9 * step { 0.0 } else { value };
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}
