//! A plan as data: what other programs read.

use serde::{Serialize, Serializer};

use crate::explain::Change;
use crate::plan::{Binding, Plan, Rejected};
use crate::resources::Resources;

/// By name: `value`, `bound`, `gap`, then `bindings` (request, replica, node, devices) and `rejected` (request, replica, token, reason
/// and the change that would let it in).
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let binding = |binding: &'_ Binding| BindingView {
            request: self.request_name(binding.request).to_owned(),
            replica: binding.replica,
            node: self.node_name(binding.node).to_owned(),
            devices: binding.devices.clone(),
        };
        let rejected = |rejected: &'_ Rejected| RejectedView {
            request: self.request_name(rejected.request).to_owned(),
            replica: rejected.replica,
            token: rejected.reason.token(),
            reason: rejected.reason.to_string(),
            change: rejected.change.as_ref().map(|change| self.change(change)),
        };
        PlanView {
            value: self.value(),
            bound: self.bound().value(),
            gap: self.gap(),
            bindings: self.bindings().iter().map(binding).collect(),
            rejected: self.rejected().iter().map(rejected).collect(),
        }
        .serialize(serializer)
    }
}

impl Plan {
    fn change(&self, change: &Change) -> ChangeView {
        let device = |device: &crate::DeviceChange| DeviceView {
            device: device.device,
            resources: device.resources.clone(),
        };
        ChangeView {
            node: self.node_name(change.node).to_owned(),
            resources: change.resources.clone(),
            devices: change.devices.iter().map(device).collect(),
            waived: change.waived.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize)]
struct PlanView {
    value: u64,
    bound: u64,
    gap: f64,
    bindings: Vec<BindingView>,
    rejected: Vec<RejectedView>,
}

#[derive(Serialize)]
struct BindingView {
    request: String,
    replica: u32,
    node: String,
    devices: Vec<usize>,
}

#[derive(Serialize)]
struct RejectedView {
    request: String,
    replica: u32,
    token: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeView>,
}

#[derive(Serialize)]
struct ChangeView {
    node: String,
    #[serde(skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<DeviceView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waived: Vec<String>,
}

#[derive(Serialize)]
struct DeviceView {
    /// Absent: one more device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<usize>,
    resources: Resources,
}
