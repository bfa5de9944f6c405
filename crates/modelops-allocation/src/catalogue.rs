//! Models that can be served in several variants.

use serde::{Deserialize, Serialize};

use crate::error::WorkloadError;
use crate::resources::Resources;
use crate::workload::{DeviceDemand, Request, Workload};

/// One way to serve a model, for instance `fp8`: what it needs and what one replica of it is worth.
#[doc(alias("quantization", "precision"))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVariant {
    name: String,
    value: u64,
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<DeviceDemand>,
}

impl ModelVariant {
    /// A variant of this name and value; what it needs is copied from `request`.
    #[must_use]
    pub fn new(name: impl Into<String>, value: u64, request: &Request) -> Self {
        Self {
            name: name.into(),
            value,
            resources: request.resources().clone(),
            devices: request.devices().cloned(),
        }
    }

    /// The name, for instance `fp8`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What one placed replica is worth.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }
}

/// A model, its variants, and how many replicas are wanted; each replica is served in one variant or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    name: String,
    #[serde(default = "one")]
    replicas: u32,
    variants: Vec<ModelVariant>,
}

fn one() -> u32 {
    1
}

impl Model {
    /// A model with these variants, best first or in any order.
    #[must_use]
    pub fn new(name: impl Into<String>, replicas: u32, variants: Vec<ModelVariant>) -> Self {
        Self {
            name: name.into(),
            replicas,
            variants,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many replicas are wanted.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// The variants, in the order given.
    #[must_use]
    pub fn variants(&self) -> &[ModelVariant] {
        &self.variants
    }
}

/// The models to serve, validated once; read it from YAML or JSON (`models:`), see `examples/data/catalogue.yaml`.
///
/// # Errors
/// [`WorkloadError`] for models without a variant, names that occur twice, and totals that overflow.
///
/// # Example
/// ```
/// use modelops_allocation::Catalogue;
/// let catalogue: Catalogue = serde_json::from_str(
///     r#"{"models": [{"name": "chat", "replicas": 2, "variants": [
///         {"name": "bf16", "value": 100, "devices": {"resources": {"vram_mib": 18000}}},
///         {"name": "int4", "value": 90, "devices": {"share_milli": 500, "resources": {"vram_mib": 7000}}}]}]}"#,
/// )?;
/// assert_eq!(catalogue.workload().requests()[1].name(), "chat/int4");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CatalogueFile", into = "CatalogueFile")]
pub struct Catalogue {
    models: Vec<Model>,
    workload: Workload,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    models: Vec<Model>,
}

impl Catalogue {
    /// A catalogue of these models.
    ///
    /// # Errors
    /// [`WorkloadError`], see there.
    pub fn try_new(models: Vec<Model>) -> Result<Self, WorkloadError> {
        let mut requests = Vec::new();
        for model in &models {
            if model.variants.is_empty() {
                return Err(WorkloadError::NoVariants {
                    name: model.name.clone(),
                });
            }
            for variant in &model.variants {
                let mut request = Request::new(format!("{}/{}", model.name, variant.name))
                    .with_replicas(model.replicas)
                    .with_value(variant.value);
                for (resource, amount) in variant.resources.iter() {
                    request = request.with_resource(resource, amount);
                }
                if let Some(devices) = &variant.devices {
                    request = request.with_devices(devices.clone());
                }
                requests.push(request);
            }
        }
        let workload = Workload::try_new(requests)?;
        Ok(Self { models, workload })
    }

    /// The models, in the order given.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Every variant as a request called `model/variant`, model by model; plans of a catalogue refer to these.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// How many replicas are wanted in all.
    #[must_use]
    pub fn replicas(&self) -> u64 {
        self.models.iter().map(|model| u64::from(model.replicas)).sum()
    }
}

impl TryFrom<CatalogueFile> for Catalogue {
    type Error = WorkloadError;
    fn try_from(file: CatalogueFile) -> Result<Self, WorkloadError> {
        Self::try_new(file.models)
    }
}

impl From<Catalogue> for CatalogueFile {
    fn from(catalogue: Catalogue) -> Self {
        Self {
            models: catalogue.models,
        }
    }
}
