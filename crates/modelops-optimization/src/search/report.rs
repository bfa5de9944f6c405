//! A study to look at: plots, and one HTML file of all of them.

use std::fmt::Write as _;

use super::study::{Direction, Study};
use super::trial::{Trial, TrialState};
use super::value::significant;
use crate::LinePlot;
use crate::plot::escaped;

/// The size of the plot of parallel coordinates.
const HEIGHT: f64 = 420.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 380.0;
const FIRST: f64 = 70.0;
const GAP: f64 = 130.0;

impl Study {
    /// The value of every complete trial over one parameter; `None` where there is no such parameter. Choices stand at 0, 1, … in the order of
    /// their declaration, logarithmic parameters at their decimal logarithm.
    #[must_use]
    pub fn slice_plot(&self, parameter: &str) -> Option<LinePlot> {
        let place = self.space().position(parameter)?;
        let domain = self.space().parameters()[place].domain();
        let label = if domain.is_log() {
            format!("log10 {parameter}")
        } else {
            parameter.to_owned()
        };
        let points = |feasible: bool| {
            let trials = self.valued().filter(move |t| t.is_feasible() == feasible);
            trials.filter_map(move |t| {
                let x = t.parameters().numbers()[place];
                Some((if domain.is_log() { x.log10() } else { x }, t.value()?))
            })
        };
        let plot = LinePlot::new(self.name(), label, "value").with_dots("trials", points(true));
        let broken: Vec<(f64, f64)> = points(false).collect();
        Some(if broken.is_empty() {
            plot
        } else {
            plot.with_dots("break a constraint", broken)
        })
    }

    /// The first two values of every complete trial, and of those on the Pareto front; `None` for a study of one objective.
    #[must_use]
    pub fn pareto_plot(&self) -> Option<LinePlot> {
        if self.directions().len() < 2 {
            return None;
        }
        let pair = |t: &Trial| (t.values()[0], t.values()[1]);
        let plot = LinePlot::new(self.name(), "first value", "second value")
            .with_dots("trials", self.valued().map(pair))
            .with_dots("front", self.pareto_front().into_iter().map(pair));
        Some(plot)
    }

    /// Every complete trial as a line across its parameters and its value, the best ones darkest, as the text of an SVG file.
    #[must_use]
    pub fn parallel_plot(&self) -> String {
        let mut trials: Vec<&Trial> = self
            .valued()
            .filter(|t| t.value().is_some_and(f64::is_finite))
            .collect();
        // The best last, so that they lie on top.
        let sign = match self.directions()[0] {
            Direction::Minimize => 1.0,
            Direction::Maximize => -1.0,
        };
        trials.sort_by(|a, b| {
            let value = |t: &Trial| sign * t.values()[0];
            value(b).total_cmp(&value(a)).then(b.number().cmp(&a.number()))
        });
        let parameters = self.space().parameters();
        let width = FIRST * 2.0 + GAP * parameters.len() as f64;
        // Writing to a String cannot fail.
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="{width}" height="{HEIGHT}" fill="#fff"/>
<text x="20" y="26" font-size="15" font-weight="bold">{}</text>
"##,
            escaped(self.name())
        );
        let values = || trials.iter().map(|t| t.values()[0]);
        let (low, high) = (
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
        );
        let at = |axis: usize, place: f64| {
            (
                FIRST + GAP * axis as f64,
                BOTTOM - place.clamp(0.0, 1.0) * (BOTTOM - TOP),
            )
        };
        for (rank, trial) in trials.iter().enumerate() {
            let mut path = String::new();
            for (axis, (p, number)) in parameters.iter().zip(trial.parameters().numbers()).enumerate() {
                // A parameter that the trial does not have: the line passes on to the next one.
                if !number.is_nan() {
                    let (x, y) = at(axis, p.domain().place_of(*number));
                    let _ = write!(path, "{x:.1},{y:.1} ");
                }
            }
            let part = if high > low {
                (trial.values()[0] - low) / (high - low)
            } else {
                0.5
            };
            let (x, y) = at(parameters.len(), part);
            let goodness = (rank + 1) as f64 / trials.len() as f64;
            let (red, green, blue) = (
                205.0 * (1.0 - goodness),
                215.0 - 100.0 * goodness,
                225.0 - 47.0 * goodness,
            );
            let _ = writeln!(
                svg,
                r#"<polyline points="{path}{x:.1},{y:.1}" fill="none" stroke="rgb({red:.0},{green:.0},{blue:.0})" stroke-width="1.2"/>"#
            );
        }
        for (axis, parameter) in parameters.iter().enumerate() {
            let (bottom, top) = parameter.domain().ends();
            draw_axis(&mut svg, at(axis, 0.0).0, parameter.name(), &bottom, &top);
        }
        let ends = if trials.is_empty() {
            (String::new(), String::new())
        } else {
            (significant(low), significant(high))
        };
        draw_axis(&mut svg, at(parameters.len(), 0.0).0, "value", &ends.0, &ends.1);
        svg.push_str("</svg>\n");
        svg
    }

    /// The study as one HTML file that needs nothing else: its table, history, importance, parallel coordinates, slices and, of several
    /// objectives, the Pareto front.
    #[must_use]
    pub fn to_html(&self) -> String {
        let name = escaped(self.name());
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title>\
             <style>body{{font-family:sans-serif;color:#333;max-width:1200px;margin:2em auto}}pre{{overflow-x:auto}}\
             td{{padding:2px 12px 2px 0}}.scroll{{overflow-x:auto}}</style></head><body>\n<h1>{name}</h1>\n<pre>{}</pre>\n",
            escaped_lines(&self.to_string())
        );
        let _ = writeln!(html, "<h2>History</h2>\n{}", self.history_plot().to_svg());
        if let Some(plot) = self.pareto_plot() {
            let _ = writeln!(html, "<h2>Pareto front</h2>\n{}", plot.to_svg());
        }
        let mut importance = self.importance();
        importance.sort_by(|a, b| b.1.total_cmp(&a.1));
        if !importance.is_empty() {
            html.push_str("<h2>Importance</h2>\n<table>");
            for (name, part) in importance {
                let _ = write!(
                    html,
                    "<tr><td>{}</td><td>{:.1} %</td><td><svg width=\"300\" height=\"10\"><rect width=\"{:.0}\" height=\"10\" fill=\"#0072B2\"/></svg></td></tr>",
                    escaped(name),
                    100.0 * part,
                    300.0 * part
                );
            }
            html.push_str("</table>\n");
        }
        let _ = writeln!(
            html,
            "<h2>Parallel coordinates</h2>\n<div class=\"scroll\">{}</div>\n<h2>Slices</h2>",
            self.parallel_plot()
        );
        for parameter in self.space().parameters() {
            if let Some(plot) = self.slice_plot(parameter.name()) {
                html.push_str(&plot.to_svg());
            }
        }
        html.push_str("</body></html>\n");
        html
    }

    fn valued(&self) -> impl Iterator<Item = &Trial> {
        self.trials().iter().filter(|t| t.state == TrialState::Complete)
    }
}

fn draw_axis(svg: &mut String, x: f64, name: &str, bottom: &str, top: &str) {
    let _ = writeln!(
        svg,
        r##"<path d="M{x:.1} {TOP}V{BOTTOM}" stroke="#333"/><text x="{x:.1}" y="{}" text-anchor="middle" font-weight="bold">{}</text><text x="{x:.1}" y="{}" text-anchor="middle">{}</text><text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"##,
        HEIGHT - 6.0,
        escaped(name),
        BOTTOM + 16.0,
        escaped(bottom),
        TOP - 8.0,
        escaped(top)
    );
}

/// Text with its line breaks, for HTML.
fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<String>>().join("\n")
}
