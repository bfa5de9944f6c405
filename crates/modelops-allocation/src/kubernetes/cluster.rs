//! A cluster as Kubernetes describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::constraint::{Constraint, Selector, TAINTS};
use crate::error::KubernetesError;
use crate::fleet::{Device, Fleet, Node};
use crate::kubernetes::objects::{
    Expression, LabelSelector, NodeList, NodeObject, PodList, PodObject, PodTerm, Taint, Toleration,
};
use crate::kubernetes::quantity::{self, Rounding};
use crate::ledger::{Ledger, Ticket};
use crate::resources::{Milli, Resources};
use crate::workload::{DeviceDemand, Request, Workload};

/// Nodes, what runs on them, and what waits.
///
/// - Units: `cpu` becomes `cpu_milli`, `memory` and `ephemeral-storage` become `memory_mib` and `ephemeral_storage_mib`, everything
///   else keeps its name. What nodes have is rounded down, what pods ask for up.
/// - Devices: `nvidia.com/gpu` and `amd.com/gpu`. The kind is the node's label `nvidia.com/gpu.product` (or `amd.com/gpu.product-name`),
///   `vram_mib` its label `nvidia.com/gpu.memory`. The annotations `gpu-fraction` and `gpu-memory` ask for a part of one device.
/// - Pods: requests are called `namespace/name`, worth 1, with the pod's priority and labels and, as the cost of a move, the
///   annotation `controller.kubernetes.io/pod-deletion-cost`. Pods that succeeded or failed are left out.
/// - Rules: node selectors, taints, required node affinity of one term with `In` and `Exists`, required pod affinity and
///   anti-affinity and spread constraints that must hold, with selectors by labels. What is required but not read here is listed
///   in [`Cluster::unread`]; a request with such a rule may be placed where Kubernetes would not.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The nodes that can be scheduled on.
    pub fleet: Fleet,
    /// Pods with the position of their node.
    pub running: Vec<(Request, usize)>,
    /// Pods without a node.
    pub pending: Workload,
    /// What was left out or not understood.
    pub unread: Vec<Unread>,
}

/// Something of the cluster that the plan does not know of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unread {
    /// A node that is cordoned, with the pods on it.
    Unschedulable {
        /// The node.
        node: String,
    },
    /// A required rule in a form that is not read.
    Rule {
        /// The pod.
        pod: String,
        /// The field of its specification.
        field: &'static str,
    },
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unschedulable { node } => write!(f, "node {node} is cordoned"),
            Self::Rule { pod, field } => write!(f, "pod {pod} has a rule in {field} that is not read"),
        }
    }
}

/// Extended resources that are devices.
const DEVICES: [&str; 2] = ["nvidia.com/gpu", "amd.com/gpu"];
const NAMESPACE: &str = "kubernetes.io/metadata.namespace";

impl Cluster {
    /// Reads nodes and pods.
    ///
    /// # Errors
    /// [`KubernetesError`] for a quantity that is none, names that occur twice, and totals that overflow.
    ///
    /// # Example
    /// ```
    /// use modelops_allocation::kubernetes::Cluster;
    /// let nodes = r#"{"kind": "List", "items": [{"metadata": {"name": "gpu-0", "labels": {"nvidia.com/gpu.product": "L4"}},
    ///     "status": {"allocatable": {"cpu": "7910m", "memory": "30Gi", "nvidia.com/gpu": "1", "pods": "110"}}}]}"#;
    /// let pods = r#"{"kind": "List", "items": [{"metadata": {"name": "chat", "namespace": "prod"},
    ///     "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "2", "nvidia.com/gpu": "1"}}}]}}]}"#;
    /// let cluster = Cluster::try_new(&serde_json::from_str(nodes)?, &serde_json::from_str(pods)?)?;
    /// assert_eq!(cluster.fleet.nodes()[0].resources().amount("cpu_milli"), 7910);
    /// assert_eq!(cluster.fleet.nodes()[0].devices()[0].kind(), "L4");
    /// assert_eq!(cluster.pending.requests()[0].name(), "prod/chat");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_new(nodes: &NodeList, pods: &PodList) -> Result<Self, KubernetesError> {
        let mut unread = Vec::new();
        let mut usable = Vec::new();
        for node in &nodes.items {
            if node.spec.unschedulable {
                unread.push(Unread::Unschedulable {
                    node: node.metadata.name.clone(),
                });
            } else {
                usable.push(node);
            }
        }
        let world = World::new(&usable);
        let fleet = usable
            .iter()
            .map(|node| read_node(node))
            .collect::<Result<_, _>>()?;
        let fleet = Fleet::try_new(fleet)?;
        let positions: BTreeMap<&str, usize> = usable
            .iter()
            .enumerate()
            .map(|(i, node)| (node.metadata.name.as_str(), i))
            .collect();
        let cordoned: BTreeSet<&str> = nodes
            .items
            .iter()
            .filter(|node| node.spec.unschedulable)
            .map(|node| node.metadata.name.as_str())
            .collect();
        let (mut running, mut pending) = (Vec::new(), Vec::new());
        for pod in &pods.items {
            if ["Succeeded", "Failed"].contains(&pod.status.phase.as_str()) {
                continue;
            }
            let node = pod.spec.node_name.as_str();
            if cordoned.contains(node) {
                continue;
            }
            let request = world.read_pod(pod, &mut unread)?;
            if node.is_empty() {
                pending.push(request);
                continue;
            }
            let at = positions.get(node).ok_or_else(|| KubernetesError::UnknownNode {
                pod: request.name().to_owned(),
                node: node.to_owned(),
            })?;
            running.push((request, *at));
        }
        let pending = Workload::try_new(pending)?;
        Ok(Self {
            fleet,
            running,
            pending,
            unread,
        })
    }

    /// Binds what runs. Kubernetes does not say which device a pod holds: the tightest that fit are taken.
    ///
    /// # Errors
    /// [`KubernetesError::Ledger`] where a node runs more than it has; what was bound before that stays bound.
    pub fn bind_running(&self, ledger: &mut Ledger) -> Result<Vec<Ticket>, KubernetesError> {
        let bind = |(request, node): &(Request, usize)| {
            let devices = ledger.tightest(request, *node);
            ledger.bind(request, *node, &devices).map_err(|source| {
                let pod = request.name().to_owned();
                KubernetesError::Ledger { pod, source }
            })
        };
        self.running.iter().map(bind).collect()
    }
}

fn amount(
    object: &str,
    resource: &str,
    text: &str,
    rounding: Rounding,
) -> Result<(String, u64), KubernetesError> {
    let (name, unit) = match resource {
        "cpu" => ("cpu_milli", 1),
        "memory" => ("memory_mib", 1000 << 20),
        "ephemeral-storage" => ("ephemeral_storage_mib", 1000 << 20),
        other => (other, 1000),
    };
    let amount = quantity::parse(text, unit, rounding);
    let error = || KubernetesError::Quantity {
        object: object.to_owned(),
        resource: resource.to_owned(),
        text: text.to_owned(),
    };
    Ok((name.to_owned(), amount.ok_or_else(error)?))
}

fn read_node(node: &NodeObject) -> Result<Node, KubernetesError> {
    let name = &node.metadata.name;
    let has = if node.status.allocatable.is_empty() {
        &node.status.capacity
    } else {
        &node.status.allocatable
    };
    let mut resources = Resources::new();
    let mut devices = Vec::new();
    for (resource, text) in has {
        let (key, amount) = amount(name, resource, text, Rounding::Down)?;
        if DEVICES.contains(&resource.as_str()) {
            let labels = &node.metadata.labels;
            let label = |keys: [&str; 2]| keys.iter().find_map(|key| labels.get(*key));
            let kind = label(["nvidia.com/gpu.product", "amd.com/gpu.product-name"]);
            let mut own = Resources::new();
            if let Some(memory) = labels
                .get("nvidia.com/gpu.memory")
                .and_then(|text| text.parse().ok())
            {
                own = own.with("vram_mib", memory);
            }
            devices.push((amount, Device::new(kind.unwrap_or(resource), own)));
        } else {
            resources = resources.with(key, amount);
        }
    }
    let mut read = Node::new(name, resources);
    for (count, device) in devices {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // More than a node may have is refused by the fleet, without making them all.
        read = read.with_devices(count.min(Fleet::MAX_DEVICES + 1), &device);
    }
    let labels = node.metadata.labels.iter();
    let read = labels.fold(read, |node, (key, value)| node.with_label(key, value));
    let read = read.with_label("metadata.name", name);
    Ok(read.with_label(TAINTS, signature(&node.spec.taints)))
}

/// What a pod has to tolerate, as one text.
fn signature(taints: &[Taint]) -> String {
    let hard = taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
    let mut parts: Vec<String> = hard
        .map(|taint| match &taint.value[..] {
            "" => format!("{}:{}", taint.key, taint.effect),
            value => format!("{}={value}:{}", taint.key, taint.effect),
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    parts.join(",")
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key == taint.key || toleration.key.is_empty() && toleration.operator == "Exists";
    effect && key && (toleration.operator == "Exists" || toleration.value == taint.value)
}

/// What the rules of pods are read against.
struct World<'a> {
    /// Every value of every label of a node.
    values: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The taints of each signature.
    taints: BTreeMap<String, &'a [Taint]>,
}

impl<'a> World<'a> {
    fn new(nodes: &[&'a NodeObject]) -> Self {
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in nodes.iter().flat_map(|node| &node.metadata.labels) {
            values.entry(key).or_default().insert(value);
        }
        let taints = nodes
            .iter()
            .map(|node| (signature(&node.spec.taints), &node.spec.taints[..]));
        Self {
            values,
            taints: taints.collect(),
        }
    }

    fn read_pod(&self, pod: &PodObject, unread: &mut Vec<Unread>) -> Result<Request, KubernetesError> {
        let namespace = match pod.metadata.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let name = format!("{namespace}/{}", pod.metadata.name);
        let mut request = Request::new(&name).with_priority(pod.spec.priority);
        let cost = pod
            .metadata
            .annotations
            .get("controller.kubernetes.io/pod-deletion-cost");
        if let Some(cost) = cost.and_then(|text| text.parse::<i64>().ok()) {
            request = request.with_move_cost(u64::try_from(cost).unwrap_or(0));
        }
        for (key, value) in &pod.metadata.labels {
            request = request.with_label(key, value);
        }
        request = request.with_label(NAMESPACE, namespace);
        request = needs(pod, &name, request)?;
        let mut missed = |field| {
            let pod = name.clone();
            unread.push(Unread::Rule { pod, field });
        };
        for (key, value) in &pod.spec.node_selector {
            request = request.with_constraint(label(key, [value.as_str()]));
        }
        if self.taints.keys().any(|signature| !signature.is_empty()) {
            let tolerated = self.taints.iter().filter(|(_, taints)| {
                let hard = taints.iter().filter(|taint| taint.effect != "PreferNoSchedule");
                hard.clone()
                    .all(|taint| pod.spec.tolerations.iter().any(|t| tolerates(t, taint)))
            });
            let signatures: Vec<&str> = tolerated.map(|(signature, _)| signature.as_str()).collect();
            if signatures.len() < self.taints.len() {
                request = request.with_constraint(label(TAINTS, signatures));
            }
        }
        match &pod.spec.affinity.node_affinity.required.node_selector_terms[..] {
            [] => {}
            [term] => {
                for expression in &term.match_expressions {
                    match self.node_rule(expression) {
                        Some(rule) => request = request.with_constraint(rule),
                        None => missed("nodeAffinity"),
                    }
                }
                for field in &term.match_fields {
                    if field.operator == "In" {
                        request = request
                            .with_constraint(label(&field.key, field.values.iter().map(String::as_str)));
                    } else {
                        missed("nodeAffinity");
                    }
                }
            }
            _ => missed("nodeAffinity"),
        }
        for term in &pod.spec.affinity.pod_affinity.required {
            match pod_selector(term, namespace) {
                Some(with) => {
                    let domain = term.topology_key.clone();
                    request = request.with_constraint(Constraint::Together { with, domain });
                }
                None => missed("podAffinity"),
            }
        }
        for term in &pod.spec.affinity.pod_anti_affinity.required {
            match pod_selector(term, namespace) {
                Some(from) => {
                    let domain = term.topology_key.clone();
                    request = request.with_constraint(Constraint::Apart { from, domain });
                }
                None => missed("podAntiAffinity"),
            }
        }
        for spread in &pod.spec.topology_spread_constraints {
            if spread.when_unsatisfiable == "ScheduleAnyway" {
                continue;
            }
            match selector(&spread.label_selector, namespace) {
                Some(of) => {
                    request = request.with_constraint(Constraint::Spread {
                        of,
                        domain: spread.topology_key.clone(),
                        max_skew: spread.max_skew,
                    });
                }
                None => missed("topologySpreadConstraints"),
            }
        }
        Ok(request)
    }

    fn node_rule(&self, expression: &Expression) -> Option<Constraint> {
        match expression.operator.as_str() {
            "In" => Some(label(
                &expression.key,
                expression.values.iter().map(String::as_str),
            )),
            "Exists" => {
                let values = self.values.get(expression.key.as_str());
                Some(label(&expression.key, values.into_iter().flatten().copied()))
            }
            _ => None,
        }
    }
}

fn label<'a>(key: &str, values: impl IntoIterator<Item = &'a str>) -> Constraint {
    Constraint::NodeLabel {
        key: key.to_owned(),
        values: values.into_iter().map(str::to_owned).collect(),
    }
}

/// Labels that have to be equal, and the namespace.
fn selector(selector: &LabelSelector, namespace: &str) -> Option<Selector> {
    let mut labels = selector.match_labels.clone();
    for expression in &selector.match_expressions {
        match (&expression.operator[..], &expression.values[..]) {
            ("In", [value]) => {
                labels.insert(expression.key.clone(), value.clone());
            }
            _ => return None,
        }
    }
    if labels.is_empty() {
        return None;
    }
    labels.insert(NAMESPACE.to_owned(), namespace.to_owned());
    Some(Selector::new(labels))
}

fn pod_selector(term: &PodTerm, namespace: &str) -> Option<Selector> {
    let namespace = match &term.namespaces[..] {
        [] => namespace,
        [one] => one,
        _ => return None,
    };
    if term.namespace_selector.is_some() {
        return None;
    }
    selector(&term.label_selector, namespace)
}

/// What the containers ask for: their sum, or what an init container asks for before them where that is more.
fn needs(pod: &PodObject, name: &str, mut request: Request) -> Result<Request, KubernetesError> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    let of = |needs: &crate::kubernetes::objects::Needs| -> Result<Vec<(String, u64)>, KubernetesError> {
        let mut all = needs.limits.clone();
        all.extend(needs.requests.clone());
        let mut amounts = Vec::new();
        for (resource, text) in &all {
            amounts.push(amount(name, resource, text, Rounding::Up)?);
        }
        Ok(amounts)
    };
    let sidecars = || {
        pod.spec
            .init_containers
            .iter()
            .filter(|c| c.restart_policy == "Always")
    };
    for container in pod.spec.containers.iter().chain(sidecars()) {
        for (resource, amount) in of(&container.resources)? {
            let sum = sums.entry(resource).or_insert(0);
            *sum = sum.saturating_add(amount);
        }
    }
    for container in pod
        .spec
        .init_containers
        .iter()
        .filter(|c| c.restart_policy != "Always")
    {
        for (resource, amount) in of(&container.resources)? {
            let sum = sums.entry(resource).or_insert(0);
            *sum = (*sum).max(amount);
        }
    }
    for (resource, text) in &pod.spec.overhead {
        let (resource, amount) = amount(name, resource, text, Rounding::Up)?;
        let sum = sums.entry(resource).or_insert(0);
        *sum = sum.saturating_add(amount);
    }
    let mut devices: Option<DeviceDemand> = None;
    for (resource, amount) in sums {
        if !DEVICES.contains(&resource.as_str()) {
            request = request.with_resource(resource, amount);
        } else if amount > 0 {
            devices = Some(DeviceDemand::whole(u32::try_from(amount).unwrap_or(u32::MAX)));
        }
    }
    let annotation = |key: &str| pod.metadata.annotations.get(key);
    if let Some(text) = annotation("gpu-fraction") {
        let milli = quantity::parse(text, 1, Rounding::Up).and_then(|milli| u32::try_from(milli).ok());
        let share = milli.and_then(|milli| Milli::try_new(milli).ok());
        let share = share.ok_or_else(|| KubernetesError::Quantity {
            object: name.to_owned(),
            resource: "gpu-fraction".to_owned(),
            text: text.clone(),
        })?;
        devices = Some(DeviceDemand::share(share));
    } else if let Some(text) = annotation("gpu-memory") {
        let memory = amount(name, "gpu-memory", text, Rounding::Up)?.1;
        devices = Some(DeviceDemand::share(Milli(1)).with_resource("vram_mib", memory));
    }
    Ok(match devices {
        Some(devices) => request.with_devices(devices),
        None => request,
    })
}
