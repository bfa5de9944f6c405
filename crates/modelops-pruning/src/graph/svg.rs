//! SVG with labels that avoid each other.

use std::fmt::Write;

use super::drawing::{Drawing, short};

const SIDE: f64 = 640.0;
const MARGIN: f64 = 70.0;
const HEAD: f64 = 56.0;
const FONT: f64 = 12.0;

/// An axis-parallel box: left, top, right, bottom.
type Area = [f64; 4];

pub(crate) fn render(drawing: &Drawing) -> String {
    let (width, height) = (SIDE + 2.0 * MARGIN, SIDE + MARGIN + HEAD);
    let at: Vec<[f64; 2]> = drawing
        .layout
        .positions()
        .iter()
        .map(|[x, y]| [MARGIN + x * SIDE, HEAD + y * SIDE])
        .collect();
    let (radius, depth) = sizes(drawing);
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a String takes all text");
    line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"Inter, Helvetica, Arial, sans-serif\">"
    ));
    line(format_args!(
        "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    ));
    if drawing.directed {
        line(format_args!(
            "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#7d8b99\"/></marker></defs>"
        ));
    }
    if !drawing.title.is_empty() {
        let title = escaped(&drawing.title);
        line(format_args!(
            "<text x=\"24\" y=\"30\" font-size=\"18\" font-weight=\"600\" fill=\"#1f2933\">{title}</text>"
        ));
    }
    let gone = drawing.faded.iter().filter(|faded| **faded).count();
    let mut caption = format!("{} nodes, {} edges", drawing.labels.len(), drawing.edges.len());
    if gone > 0 {
        write!(caption, ", {gone} to be removed (dashed)").expect("a String takes all text");
    }
    line(format_args!(
        "<text x=\"24\" y=\"48\" font-size=\"12\" fill=\"#66727f\">{caption}</text>"
    ));

    // Labels of edges only where they can be read.
    let label_edges = drawing.edges.len() <= 40;
    let mut taken: Vec<Area> = at
        .iter()
        .zip(&radius)
        .map(|([x, y], r)| [x - r, y - r, x + r, y + r])
        .collect();
    for (a, b, weight) in &drawing.edges {
        let faded = drawing.faded[*a] || drawing.faded[*b];
        let pen = 0.6 + 4.4 * drawing.thickness(*weight);
        let colour = if faded { "#d5dbe1" } else { "#a9b5c1" };
        let dash = if faded { " stroke-dasharray=\"4 4\"" } else { "" };
        let tip = if drawing.directed {
            " marker-end=\"url(#tip)\""
        } else {
            ""
        };
        let path = if a == b {
            loop_path(at[*a], radius[*a])
        } else {
            edge_path(at[*a], at[*b], radius[*a], radius[*b])
        };
        line(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{pen:.1}\" \
             stroke-linecap=\"round\"{dash}{tip}><title>{} – {}: {weight}</title></path>",
            escaped(&drawing.labels[*a]),
            escaped(&drawing.labels[*b])
        ));
    }
    for (node, [x, y]) in at.iter().enumerate() {
        let (fill, stroke, dash) = if drawing.faded[node] {
            ("#ffffff".to_owned(), "#b4bec8", " stroke-dasharray=\"3 3\"")
        } else {
            (blue(depth[node]), "#ffffff", "")
        };
        line(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" \
             stroke-width=\"1.5\"{dash}/>",
            radius[node]
        ));
    }
    if label_edges {
        for (a, b, weight) in drawing.edges.iter().filter(|(a, b, _)| a != b) {
            let text = short(*weight);
            let (x, y) = ((at[*a][0] + at[*b][0]) / 2.0, (at[*a][1] + at[*b][1]) / 2.0);
            let half = 3.0 * text.len() as f64;
            taken.push([x - half, y - 7.0, x + half, y + 7.0]);
            let colour = if drawing.faded[*a] || drawing.faded[*b] {
                "#b4bec8"
            } else {
                "#5a6775"
            };
            line(format_args!(
                "{}",
                label([x, y + 3.5], 10.0, "middle", colour, &text)
            ));
        }
    }
    for (node, text) in drawing.labels.iter().enumerate() {
        let (place, anchor, area) = place_label(at[node], radius[node], text, &taken, width);
        taken.push(area);
        let colour = if drawing.faded[node] { "#9aa4ae" } else { "#1f2933" };
        line(format_args!("{}", label(place, FONT, anchor, colour, text)));
    }
    line(format_args!("</svg>"));
    out
}

/// Radius of every node and its depth of colour (0 to 1), both from its strength.
fn sizes(drawing: &Drawing) -> (Vec<f64>, Vec<f64>) {
    let mut strength = vec![0.0_f64; drawing.labels.len()];
    for (a, b, weight) in &drawing.edges {
        strength[*a] += weight.abs();
        strength[*b] += weight.abs();
    }
    let most = strength
        .iter()
        .copied()
        .filter(|s| s.is_finite())
        .fold(0.0, f64::max);
    let depth: Vec<f64> = strength
        .iter()
        .map(|s| {
            if most > 0.0 {
                (s / most).min(1.0).sqrt()
            } else {
                0.5
            }
        })
        .collect();
    let largest = (110.0 / (drawing.labels.len().max(1) as f64).sqrt()).clamp(5.0, 20.0);
    (
        depth.iter().map(|depth| largest * (0.4 + 0.6 * depth)).collect(),
        depth,
    )
}

/// A straight line between the rims.
fn edge_path(a: [f64; 2], b: [f64; 2], from: f64, to: f64) -> String {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = (dx * dx + dy * dy).sqrt().max(1e-9);
    let (ux, uy) = (dx / length, dy / length);
    let (x1, y1) = (a[0] + ux * from, a[1] + uy * from);
    let (x2, y2) = (b[0] - ux * (to + 1.5), b[1] - uy * (to + 1.5));
    format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")
}

/// A loop above a node.
fn loop_path(at: [f64; 2], radius: f64) -> String {
    format!("M{:.1} {:.1}c-18 -30 26 -30 8 0", at[0] - 4.0, at[1] - radius)
}

/// The first of six places around the node that covers the least of what is already there.
fn place_label(
    at: [f64; 2],
    radius: f64,
    text: &str,
    taken: &[Area],
    width: f64,
) -> ([f64; 2], &'static str, Area) {
    let long = 0.58 * FONT * text.chars().count() as f64;
    let (near, [x, y]) = (radius + 4.0, at);
    let slant = near * 0.75;
    let candidates = [
        ([x + near, y + 4.0], "start"),
        ([x - near, y + 4.0], "end"),
        ([x, y - near - 1.0], "middle"),
        ([x, y + near + 9.0], "middle"),
        ([x + slant, y - slant], "start"),
        ([x + slant, y + slant + 8.0], "start"),
    ];
    let cost = |(place, anchor): &([f64; 2], &'static str)| {
        let left = place[0]
            - long
                * if *anchor == "start" {
                    0.0
                } else if *anchor == "end" {
                    1.0
                } else {
                    0.5
                };
        let area = [left, place[1] - FONT * 0.8, left + long, place[1] + FONT * 0.2];
        let outside = (4.0 - left).max(0.0) + (left + long - width + 4.0).max(0.0);
        let cover: f64 = taken.iter().map(|other| overlap(&area, other)).sum();
        (cover + outside * 100.0, area)
    };
    let mut best = (candidates[0].0, candidates[0].1, cost(&candidates[0]));
    for candidate in &candidates[1..] {
        let found = cost(candidate);
        if found.0 < best.2.0 {
            best = (candidate.0, candidate.1, found);
        }
    }
    (best.0, best.1, best.2.1)
}

fn overlap(a: &Area, b: &Area) -> f64 {
    (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0)
}

/// Text on a white halo, so that edges do not cross it out: drawn twice, since not every viewer can paint a stroke
/// below its fill.
fn label(at: [f64; 2], size: f64, anchor: &str, colour: &str, text: &str) -> String {
    let text = escaped(text);
    let place = format!(
        "x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\"",
        at[0], at[1]
    );
    format!(
        "<text {place} fill=\"none\" stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\" \
         aria-hidden=\"true\">{text}</text><text {place} fill=\"{colour}\">{text}</text>"
    )
}

/// From pale to deep blue.
fn blue(depth: f64) -> String {
    let mix = |pale: f64, deep: f64| (pale + (deep - pale) * depth).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(173.0, 23.0),
        mix(205.0, 92.0),
        mix(235.0, 158.0)
    )
}

/// Text that cannot leave its element; control characters, which XML forbids, become spaces.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
