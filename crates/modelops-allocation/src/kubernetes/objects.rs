//! The parts of Kubernetes objects that placement reads; everything else in them is skipped.

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) type Map = BTreeMap<String, String>;

/// What `kubectl get nodes -o json` prints; read it with any serde format.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NodeList {
    pub(crate) items: Vec<NodeObject>,
}

/// What `kubectl get pods --all-namespaces -o json` prints; read it with any serde format.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PodList {
    pub(crate) items: Vec<PodObject>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NodeObject {
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) spec: NodeSpec,
    #[serde(default)]
    pub(crate) status: NodeStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) labels: Map,
    #[serde(default)]
    pub(crate) annotations: Map,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NodeSpec {
    #[serde(default)]
    pub(crate) unschedulable: bool,
    #[serde(default)]
    pub(crate) taints: Vec<Taint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Taint {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
    pub(crate) effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NodeStatus {
    #[serde(default)]
    pub(crate) allocatable: Map,
    #[serde(default)]
    pub(crate) capacity: Map,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PodObject {
    pub(crate) metadata: Metadata,
    pub(crate) spec: PodSpec,
    #[serde(default)]
    pub(crate) status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodStatus {
    #[serde(default)]
    pub(crate) phase: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSpec {
    #[serde(default)]
    pub(crate) node_name: String,
    #[serde(default)]
    pub(crate) priority: i32,
    #[serde(default)]
    pub(crate) containers: Vec<Container>,
    #[serde(default)]
    pub(crate) init_containers: Vec<Container>,
    #[serde(default)]
    pub(crate) overhead: Map,
    #[serde(default)]
    pub(crate) node_selector: Map,
    #[serde(default)]
    pub(crate) affinity: Affinity,
    #[serde(default)]
    pub(crate) tolerations: Vec<Toleration>,
    #[serde(default)]
    pub(crate) topology_spread_constraints: Vec<TopologySpread>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    #[serde(default)]
    pub(crate) resources: Needs,
    /// `Always` makes an init container run beside the others.
    #[serde(default)]
    pub(crate) restart_policy: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Needs {
    #[serde(default)]
    pub(crate) requests: Map,
    #[serde(default)]
    pub(crate) limits: Map,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Toleration {
    #[serde(default)]
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) operator: String,
    #[serde(default)]
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) effect: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopologySpread {
    #[serde(default)]
    pub(crate) max_skew: u32,
    #[serde(default)]
    pub(crate) topology_key: String,
    #[serde(default)]
    pub(crate) when_unsatisfiable: String,
    #[serde(default)]
    pub(crate) label_selector: LabelSelector,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabelSelector {
    #[serde(default)]
    pub(crate) match_labels: Map,
    #[serde(default)]
    pub(crate) match_expressions: Vec<Expression>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Expression {
    pub(crate) key: String,
    pub(crate) operator: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Affinity {
    #[serde(default)]
    pub(crate) node_affinity: NodeAffinity,
    #[serde(default)]
    pub(crate) pod_affinity: PodAffinity,
    #[serde(default)]
    pub(crate) pod_anti_affinity: PodAffinity,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct NodeAffinity {
    #[serde(default, rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub(crate) required: NodeTerms,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeTerms {
    #[serde(default)]
    pub(crate) node_selector_terms: Vec<NodeTerm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeTerm {
    #[serde(default)]
    pub(crate) match_expressions: Vec<Expression>,
    #[serde(default)]
    pub(crate) match_fields: Vec<Expression>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PodAffinity {
    #[serde(default, rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub(crate) required: Vec<PodTerm>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodTerm {
    #[serde(default)]
    pub(crate) label_selector: LabelSelector,
    #[serde(default)]
    pub(crate) topology_key: String,
    #[serde(default)]
    pub(crate) namespaces: Vec<String>,
    #[serde(default)]
    pub(crate) namespace_selector: Option<LabelSelector>,
}
