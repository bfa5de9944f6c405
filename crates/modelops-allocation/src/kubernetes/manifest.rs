//! A plan as Kubernetes manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::constraint::{Constraint, Selector};
use crate::fleet::Fleet;
use crate::plan::Plan;
use crate::workload::{Request, Workload};

/// A plan as Kubernetes Deployments: its `Display` is a stream of YAML documents, one for each request on each node.
///
/// Every Deployment has the replicas that the plan gives to its node, required node affinity by host name, what each replica needs as
/// requests and limits (`cpu_milli` as `cpu`, `memory_mib` as `memory`, whole devices under the device resource), and the request's
/// spread and apart rules. A part of a device is asked for by the annotation `gpu-fraction`. Positions of devices are not said:
/// Kubernetes' device plugin chooses. Names are made legal for Kubernetes and stay distinct.
///
/// # Example
/// ```
/// use modelops_allocation::kubernetes::Manifests;
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{DeviceDemand, Fleet, Greedy, Request, Workload};
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "gpu-0", "resources": {"cpu_milli": 8000}, "devices": [{"kind": "L4"}]}]}"#)?;
/// let chat = Request::new("chat/bf16").with_resource("cpu_milli", 1500).with_devices(DeviceDemand::whole(1));
/// let work = Workload::try_new(vec![chat])?;
/// let plan = Greedy::new(BestFit::default()).plan(&fleet, &work);
/// let text = Manifests::new(&fleet, &work, &plan).to_string();
/// assert!(text.contains("name: \"chat-bf16-gpu-0\""));
/// assert!(text.contains("\"cpu\": \"1500m\"") && text.contains("\"nvidia.com/gpu\": \"1\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Manifests<'a> {
    fleet: &'a Fleet,
    workload: &'a Workload,
    plan: &'a Plan,
    image: String,
    device: String,
}

impl<'a> Manifests<'a> {
    /// The manifests of a plan of this workload on this fleet.
    #[must_use]
    pub fn new(fleet: &'a Fleet, workload: &'a Workload, plan: &'a Plan) -> Self {
        Self {
            fleet,
            workload,
            plan,
            image: "registry.example/serve:latest".to_owned(),
            device: "nvidia.com/gpu".to_owned(),
        }
    }

    /// The same with this container image.
    #[must_use]
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.image = image.into();
        self
    }

    /// The same, whole devices being counted under this extended resource.
    #[must_use]
    pub fn with_device_resource(mut self, resource: impl Into<String>) -> Self {
        self.device = resource.into();
        self
    }

    fn deployment(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        request: &Request,
        node: usize,
        replicas: usize,
    ) -> fmt::Result {
        let node = &self.fleet.nodes()[node];
        let host = node
            .labels()
            .get(crate::HOSTNAME)
            .map_or(node.name(), String::as_str);
        let own = label_value(request.name());
        writeln!(
            f,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {}",
            quote(name)
        )?;
        writeln!(f, "  labels: {{{}: {}}}", quote(NAME), quote(&own))?;
        writeln!(
            f,
            "spec:\n  replicas: {replicas}\n  selector:\n    matchLabels: {{{}: {}}}",
            quote(INSTANCE),
            quote(&label_value(name))
        )?;
        writeln!(f, "  template:\n    metadata:\n      labels:")?;
        writeln!(
            f,
            "        {}: {}\n        {}: {}",
            quote(NAME),
            quote(&own),
            quote(INSTANCE),
            quote(&label_value(name))
        )?;
        for (key, value) in request.labels() {
            if key != NAME && key != INSTANCE {
                writeln!(f, "        {}: {}", quote(key), quote(value))?;
            }
        }
        let devices = request.devices();
        let part = devices.filter(|devices| devices.milli().to_u32() < 1000);
        if let Some(part) = part {
            let milli = part.milli().to_u32();
            writeln!(f, "      annotations: {{\"gpu-fraction\": \"0.{milli:03}\"}}")?;
        }
        writeln!(f, "    spec:\n      affinity:\n        nodeAffinity:")?;
        writeln!(
            f,
            "          requiredDuringSchedulingIgnoredDuringExecution:\n            nodeSelectorTerms:"
        )?;
        writeln!(f, "              - matchExpressions:")?;
        let mut expression = |key: &str, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
            writeln!(
                f,
                "                  - {{key: {}, operator: In, values: [{}]}}",
                quote(key),
                values.join(", ")
            )
        };
        expression(crate::HOSTNAME, &[host])?;
        for constraint in request.constraints() {
            if let Constraint::NodeLabel { key, values } = constraint {
                expression(key, &values.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
        }
        let apart = request
            .constraints()
            .iter()
            .filter_map(|constraint| match constraint {
                Constraint::Apart { from, domain } => Some((from, domain)),
                _ => None,
            });
        let apart: Vec<(&Selector, &String)> = apart.collect();
        if !apart.is_empty() {
            writeln!(
                f,
                "        podAntiAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:"
            )?;
            for (from, domain) in apart {
                writeln!(
                    f,
                    "            - topologyKey: {}\n              labelSelector:\n                matchLabels: {}",
                    quote(domain),
                    map(from.labels())
                )?;
            }
        }
        let spread = request
            .constraints()
            .iter()
            .filter_map(|constraint| match constraint {
                Constraint::Spread { of, domain, max_skew } => Some((of, domain, max_skew)),
                _ => None,
            });
        let spread: Vec<(&Selector, &String, &u32)> = spread.collect();
        if !spread.is_empty() {
            writeln!(f, "      topologySpreadConstraints:")?;
            for (of, domain, max_skew) in spread {
                let own = BTreeMap::from([(NAME.to_owned(), own.clone())]);
                let labels = if of.labels().is_empty() { &own } else { of.labels() };
                writeln!(
                    f,
                    "        - maxSkew: {}\n          topologyKey: {}\n          whenUnsatisfiable: DoNotSchedule",
                    (*max_skew).max(1),
                    quote(domain)
                )?;
                writeln!(
                    f,
                    "          labelSelector:\n            matchLabels: {}",
                    map(labels)
                )?;
            }
        }
        let mut needs: BTreeMap<String, String> = BTreeMap::new();
        for (resource, amount) in request.resources().iter() {
            let (key, amount) = match resource {
                "cpu_milli" => ("cpu", format!("{amount}m")),
                "memory_mib" => ("memory", format!("{amount}Mi")),
                "ephemeral_storage_mib" => ("ephemeral-storage", format!("{amount}Mi")),
                other => (other, amount.to_string()),
            };
            needs.insert(key.to_owned(), amount);
        }
        if let (Some(devices), None) = (devices, part) {
            needs.insert(self.device.clone(), devices.count().to_string());
        }
        writeln!(
            f,
            "      containers:\n        - name: serve\n          image: {}",
            quote(&self.image)
        )?;
        writeln!(
            f,
            "          resources:\n            requests: {}\n            limits: {}",
            map(&needs),
            map(&needs)
        )
    }
}

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";

impl fmt::Display for Manifests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for binding in self.plan.bindings() {
            *counts.entry((binding.request, binding.node)).or_insert(0) += 1;
        }
        let mut taken = BTreeSet::new();
        for ((request, node), replicas) in counts {
            let request = &self.workload.requests()[request];
            let wanted = object_name(&format!("{}-{}", request.name(), self.plan.node_name(node)));
            let mut name = wanted.clone();
            let mut number = 1;
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("{wanted}-{number}");
            }
            self.deployment(f, &name, request, node, replicas)?;
        }
        Ok(())
    }
}

/// A legal name of an object: lower case, digits, `-` and `.`, at most 52 characters so that a number and a pod's suffix still fit.
fn object_name(text: &str) -> String {
    let mut name: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    // The end tells names apart, so the beginning is cut.
    if name.len() > 52 {
        name = name.split_off(name.len() - 52);
    }
    let name = name.trim_matches('-');
    if name.is_empty() {
        "request".to_owned()
    } else {
        name.to_owned()
    }
}

/// A legal label value: at most 63 of letters, digits, `-`, `_` and `.`.
fn label_value(text: &str) -> String {
    let value: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    value
        .trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_owned()
}

/// A string as YAML and JSON both read it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn map(entries: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}: {}", quote(key), quote(value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}
