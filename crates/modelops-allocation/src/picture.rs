//! A plan as a picture: one bar a device.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::fleet::Fleet;
use crate::plan::Plan;
use crate::space::SHARE;
use crate::workload::{Request, Workload};

/// A fleet with its plan as an SVG picture: one bar a device, filled from below by what is bound to it, node beside node.
///
/// A bar shows the resource of its device that is used most; its title (shown by a browser under the pointer) says all. A node
/// without devices is one bar of the node's own most used resource. Each request has its colour; the legend names the forty with
/// the most bars. `Display` writes the picture; it is the same bytes for the same plan.
///
/// # Example
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{Fleet, Greedy, Picture, Workload};
/// let fleet: Fleet = serde_json::from_str(r#"{"nodes": [{"name": "n", "devices": [{"kind": "L4", "count": 2}]}]}"#)?;
/// let work: Workload = serde_json::from_str(r#"{"requests": [{"name": "chat", "devices": {"share_milli": 500}}]}"#)?;
/// let plan = Greedy::new(BestFit::default()).plan(&fleet, &work);
/// let svg = Picture::new(&fleet, &work, &plan).to_string();
/// assert!(svg.starts_with("<svg") && svg.contains("chat#0: 50 %"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    fleet: &'a Fleet,
    workload: &'a Workload,
    plan: &'a Plan,
    width: u32,
}

/// One bar: what is on it, and of what.
struct Bar {
    label: String,
    /// Colour, height in thousandths, title.
    parts: Vec<(usize, u64, String)>,
}

const GAP: f64 = 10.0;
const LEGEND: usize = 40;

impl<'a> Picture<'a> {
    /// A picture of this plan of this workload on this fleet, 1,000 units wide.
    #[must_use]
    pub fn new(fleet: &'a Fleet, workload: &'a Workload, plan: &'a Plan) -> Self {
        Self {
            fleet,
            workload,
            plan,
            width: 1000,
        }
    }

    /// The same with this width in pixels (at least 200).
    #[must_use]
    pub fn with_width(mut self, width: u32) -> Self {
        self.width = width.max(200);
        self
    }

    fn bars(&self) -> Vec<Vec<Bar>> {
        let mut on_device: BTreeMap<(usize, usize), Vec<(usize, u32)>> = BTreeMap::new();
        let mut on_node: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        for binding in self.plan.bindings() {
            let replica = (binding.request, binding.replica);
            on_node.entry(binding.node).or_default().push(replica);
            for device in &binding.devices {
                on_device
                    .entry((binding.node, *device))
                    .or_default()
                    .push(replica);
            }
        }
        let nodes = self.fleet.nodes().iter().enumerate();
        nodes
            .map(|(i, node)| {
                if node.devices().is_empty() {
                    let there = on_node.get(&i).map_or(&[][..], Vec::as_slice);
                    let has: Vec<(&str, u64)> = node.resources().iter().collect();
                    return vec![self.bar(node.name().to_owned(), there, &has, |request, name| {
                        request.resources().amount(name)
                    })];
                }
                let devices = node.devices().iter().enumerate();
                devices
                    .map(|(d, device)| {
                        let there = on_device.get(&(i, d)).map_or(&[][..], Vec::as_slice);
                        let share = std::iter::once((SHARE, 1000));
                        let has: Vec<(&str, u64)> = share.chain(device.resources().iter()).collect();
                        let label = format!("{} {d}: {}", node.name(), device.kind());
                        self.bar(label, there, &has, |request, name| {
                            request.devices().map_or(0, |devices| match name {
                                SHARE => u64::from(devices.milli().to_u32()),
                                name => devices.resources().amount(name),
                            })
                        })
                    })
                    .collect()
            })
            .collect()
    }

    /// A bar by the resource that is used most.
    fn bar(
        &self,
        label: String,
        there: &[(usize, u32)],
        has: &[(&str, u64)],
        need: impl Fn(&Request, &str) -> u64,
    ) -> Bar {
        let requests = self.workload.requests();
        let used = |(name, capacity): &(&str, u64)| {
            let sum: u128 = there
                .iter()
                .map(|(request, _)| u128::from(need(&requests[*request], name)))
                .sum();
            (sum * 1000).checked_div(u128::from(*capacity)).unwrap_or(0)
        };
        // The first of equals.
        let most = has.iter().rev().max_by_key(|resource| used(resource));
        let parts = there.iter().map(|(request, replica)| {
            let (name, capacity) = most.copied().unwrap_or((SHARE, 1));
            let amount = u128::from(need(&requests[*request], name)) * 1000;
            let milli = amount.checked_div(u128::from(capacity)).unwrap_or(0) as u64;
            let title = format!(
                "{}#{replica}: {} % of {name}",
                requests[*request].name(),
                milli / 10
            );
            (*request, milli, title)
        });
        Bar {
            label,
            parts: parts.collect(),
        }
    }
}

/// A colour for each request, neighbours far apart on the wheel.
fn colour(request: usize) -> String {
    let hue = (request as u64 * 137_508) % 360_000;
    let light = [52, 38, 66][request / 12 % 3];
    format!("hsl({}.{:03},62%,{light}%)", hue / 1000, hue % 1000)
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.bars();
        let bars: usize = nodes.iter().map(Vec::len).sum();
        // Names need room; a large fleet is a carpet of thin bars.
        let (bar, height, named) = match bars {
            0..=64 => (26.0, 120.0, true),
            65..=400 => (14.0, 70.0, true),
            _ => (5.0, 22.0, false),
        };
        let width = f64::from(self.width);
        let mut body = String::new();
        let (mut x, mut y) = (GAP, 64.0);
        let row = height + if named { 34.0 } else { 6.0 };
        for (node, bars) in self.fleet.nodes().iter().zip(&nodes) {
            let devices = bars.len() as f64 * (bar + 2.0);
            let letters = if named {
                node.name().chars().count().min(24) as f64 * 6.6
            } else {
                0.0
            };
            let wide = devices.max(letters);
            if x + wide > width - GAP && x > GAP {
                (x, y) = (GAP, y + row);
            }
            for (i, one) in bars.iter().enumerate() {
                draw(&mut body, one, x + i as f64 * (bar + 2.0), y, bar, height);
            }
            if named {
                let name: String = node.name().chars().take(24).collect();
                let (at, kind) = (
                    y + height + 13.0,
                    node.devices().first().map_or("", |device| device.kind()),
                );
                let kind: String = kind.chars().take((wide / 5.2) as usize).collect();
                let _ = write!(body, "<text x=\"{x:.1}\" y=\"{at:.1}\">{}</text>", escape(&name));
                let _ = write!(
                    body,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"k\">{}</text>",
                    at + 11.0,
                    escape(&kind)
                );
                body.push('\n');
            }
            x += wide + if named { GAP } else { 3.0 };
        }
        y += row + 6.0;
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for binding in self.plan.bindings() {
            *seen.entry(binding.request).or_insert(0) += 1;
        }
        let mut legend: Vec<(usize, usize)> = seen.into_iter().collect();
        legend.sort_by_key(|(request, count)| (std::cmp::Reverse(*count), *request));
        let more = legend.len().saturating_sub(LEGEND);
        legend.truncate(LEGEND);
        let mut at = GAP;
        for (request, count) in legend {
            let text = format!("{} ×{count}", self.plan.request_name(request));
            let wide = 24.0 + text.chars().count() as f64 * 6.6;
            if at + wide > width - GAP && at > GAP {
                (at, y) = (GAP, y + 17.0);
            }
            let _ = writeln!(
                body,
                "<rect x=\"{at:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                y,
                colour(request),
                at + 15.0,
                y + 10.0,
                escape(&text)
            );
            at += wide;
        }
        if more > 0 {
            y += 17.0;
            let _ = writeln!(
                body,
                "<text x=\"{GAP}\" y=\"{:.1}\">and {more} more</text>",
                y + 10.0
            );
        }
        let total = y + 26.0;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {total:.0}\" width=\"{width}\" height=\"{total:.0}\">"
        )?;
        writeln!(
            f,
            "<style>text{{font:11px system-ui,sans-serif;fill:#222}}.h{{font-size:16px;font-weight:600}}.k{{font-size:9px;fill:#777}}</style>"
        )?;
        writeln!(f, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")?;
        let plan = self.plan;
        writeln!(
            f,
            "<text x=\"{GAP}\" y=\"24\" class=\"h\">{} of {} replicas placed on {} nodes with {} devices</text>",
            plan.bindings().len(),
            plan.bindings().len() + plan.rejected().len(),
            self.fleet.nodes().len(),
            self.fleet.devices()
        )?;
        writeln!(
            f,
            "<text x=\"{GAP}\" y=\"42\">value {} of at most {}, gap {:.2} %; a bar is a device, filled by its most used resource</text>",
            plan.value(),
            plan.bound().value(),
            100.0 * plan.gap()
        )?;
        writeln!(f, "{body}</svg>")
    }
}

fn draw(body: &mut String, bar: &Bar, x: f64, y: f64, width: f64, height: f64) {
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        "<g><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" fill=\"#f1f1ee\" stroke=\"#bbb\" stroke-width=\"0.5\"/></g>",
        escape(&bar.label)
    );
    let mut below = y + height;
    for (request, milli, title) in &bar.parts {
        let tall = height * *milli as f64 / 1000.0;
        below -= tall;
        let _ = write!(
            body,
            "<rect x=\"{x:.1}\" y=\"{below:.1}\" width=\"{width}\" height=\"{tall:.1}\" fill=\"{}\" stroke=\"#fff\" stroke-width=\"0.4\"><title>{}</title></rect>",
            colour(*request),
            escape(title)
        );
    }
    body.push('\n');
}

/// Text between tags.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not legal in XML at all.
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
