//! The Graphviz language.

use std::fmt::Write;

use super::drawing::{Drawing, short};

pub(crate) fn render(drawing: &Drawing) -> String {
    let (kind, arrow) = if drawing.directed {
        ("digraph", "->")
    } else {
        ("graph", "--")
    };
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a String takes all text");
    line(format_args!("{kind} {{"));
    if !drawing.title.is_empty() {
        line(format_args!(
            "    label={}; labelloc=t; fontname=\"sans-serif\";",
            quoted(&drawing.title)
        ));
    }
    line(format_args!(
        "    node [shape=ellipse, style=filled, fillcolor=\"#dbe7f3\", fontname=\"sans-serif\"];"
    ));
    line(format_args!(
        "    edge [color=\"#7a8794\", fontname=\"sans-serif\", fontsize=10];"
    ));
    for (node, label) in drawing.labels.iter().enumerate() {
        let style = if drawing.faded[node] {
            ", style=dashed, fontcolor=\"#9aa4ae\""
        } else {
            ""
        };
        line(format_args!("    {node} [label={}{style}];", quoted(label)));
    }
    for (a, b, weight) in &drawing.edges {
        let faded = drawing.faded[*a] || drawing.faded[*b];
        let style = if faded { ", style=dashed" } else { "" };
        let pen = 0.5 + 3.5 * drawing.thickness(*weight);
        let (label, pen) = (short(*weight), short(pen));
        line(format_args!(
            "    {a} {arrow} {b} [label=\"{label}\", penwidth={pen}{style}];"
        ));
    }
    line(format_args!("}}"));
    out
}

/// A quoted DOT string: only quotes and backslashes need an escape, line ends become `\n`.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .replace('\r', "")
    )
}
