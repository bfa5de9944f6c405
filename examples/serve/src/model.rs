//! The classifier: opened sealed, held against its publisher, asked about rows.

use std::collections::BTreeMap;
use std::path::Path;

use modelops_optimization::SoftmaxModel;
use modelops_security::keys::{Keyring, Passphrase};
use modelops_security::sealed::{OpenOptions, SealedFile};
use modelops_security::sign::{ModelManifest, VerifyingKey};
use ndarray::{Array1, Array2};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::files::read;

/// The passphrase that `operate` seals its keyring with. A service asks its secret store instead.
pub(crate) const PASSPHRASE: &str = "for this example only";

/// The files of a published model.
pub(crate) const KEYRING: &str = "keyring.msc";
pub(crate) const WEIGHTS: &str = "weights.msc";
pub(crate) const CARD: &str = "config.msc";
pub(crate) const SIGNATURE: &str = "model.sig";
pub(crate) const PUBLISHER: &str = "publisher.pem";

/// What `operate` says of the model, sealed and signed beside the weights.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Card {
    pub(crate) target: String,
    pub(crate) classes: Vec<String>,
    pub(crate) features: Vec<String>,
    preparation: Vec<Preparation>,
}

/// A missing value becomes `fill`, then (value − centre) / spread is what the model was trained on.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
struct Preparation {
    fill: f64,
    centre: f64,
    spread: f64,
}

/// A value of a row as JSON has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
    Missing(()),
}

/// A row: columns of the raw table and their values; what is left out is missing.
pub(crate) type Row = BTreeMap<String, Value>;

/// What the model says of one row.
#[derive(Debug, Serialize)]
pub(crate) struct Prediction<'a> {
    pub(crate) class: &'a str,
    pub(crate) probability: f64,
}

/// A classifier that its publisher signed.
#[derive(Debug)]
pub(crate) struct ServedModel {
    /// Tells one published model from the next: `classifier@` and the beginning of the weights' SHA-256.
    pub(crate) name: String,
    /// How often its keys were rotated, from 1.
    pub(crate) generation: u64,
    /// Weights that are not zero, and all of them.
    pub(crate) weights: (usize, usize),
    pub(crate) card: Card,
    model: SoftmaxModel,
}

impl ServedModel {
    /// Opens the sealed files of `folder` in memory and refuses what `publisher` did not sign.
    pub(crate) fn open(folder: &Path, publisher: &VerifyingKey) -> Result<Self, Failure> {
        let about =
            |name: &str, error: &dyn std::fmt::Display| format!("{}: {error}", folder.join(name).display());
        let bundle = read(&folder.join(SIGNATURE))?;
        let signed = ModelManifest::verify(&bundle, publisher).map_err(|error| about(SIGNATURE, &error))?;
        let passphrase = Passphrase::new(PASSPHRASE.to_owned())?;
        let keyring =
            Keyring::load(&folder.join(KEYRING), &passphrase).map_err(|error| about(KEYRING, &error))?;
        let open = |name: &str, plain: &str| -> Result<(Vec<u8>, u64), Failure> {
            let file = SealedFile::open(&folder.join(name), &keyring, &OpenOptions::default())
                .map_err(|error| about(name, &error))?;
            let mut content = vec![0; usize::try_from(file.len())?];
            signed
                .read_verified(plain, &file, 0, &mut content)
                .map_err(|error| about(name, &error))?;
            Ok((content, file.header().generation))
        };
        let (weights, generation) = open(WEIGHTS, "weights.safetensors")?;
        let (card, _) = open(CARD, "config.json")?;
        let card: Card = serde_json::from_slice(&card).map_err(|error| about(CARD, &error))?;
        let model = read_weights(&weights)?;
        let (classes, features) = model.coefficients().dim();
        let described = (card.classes.len(), card.features.len()) == (classes, features);
        if !described || card.preparation.len() != features {
            return Err(about(CARD, &"describes another model than the weights are").into());
        }
        let sha256 = signed
            .resources()
            .iter()
            .find(|part| part.name == "weights.safetensors");
        let digest: String = sha256
            .map(|part| {
                part.sha256
                    .iter()
                    .take(4)
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            })
            .unwrap_or_default();
        let weights = model.coefficients();
        Ok(Self {
            name: format!("classifier@{digest}"),
            generation,
            weights: (weights.iter().filter(|w| **w != 0.0).count(), weights.len()),
            card,
            model,
        })
    }

    /// The columns a row may have, in the order of the features.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.card.features.iter().map(|name| parts(name).0).collect();
        columns.dedup();
        columns
    }

    /// One class for each row.
    pub(crate) fn predict(&self, rows: &[Row]) -> Result<Vec<Prediction<'_>>, String> {
        let mut x = Array2::zeros((rows.len(), self.card.features.len()));
        for (row, mut prepared) in rows.iter().zip(x.rows_mut()) {
            if let Some(unknown) = row.keys().find(|name| !self.columns().contains(&name.as_str())) {
                return Err(format!(
                    "no column {unknown:?}; the model reads {:?}",
                    self.columns()
                ));
            }
            for ((name, learned), x) in self
                .card
                .features
                .iter()
                .zip(&self.card.preparation)
                .zip(&mut prepared)
            {
                let (column, category) = parts(name);
                let value = match (row.get(column), category) {
                    (None | Some(Value::Missing(())), _) => learned.fill,
                    (Some(Value::Number(number)), None) => *number,
                    (Some(Value::Text(text)), Some(category)) => f64::from(u8::from(text == category)),
                    (Some(Value::Text(_)), None) => return Err(format!("column {column:?} is a number")),
                    (Some(Value::Number(_)), Some(_)) => return Err(format!("column {column:?} is a text")),
                };
                *x = (value - learned.centre) / learned.spread;
            }
        }
        let p = self
            .model
            .predict_probability(x.view())
            .map_err(|error| error.to_string())?;
        let classes = p.rows().into_iter().map(|row| {
            let best =
                (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            Prediction {
                class: &self.card.classes[best],
                probability: row[best],
            }
        });
        Ok(classes.collect())
    }
}

/// `Island=Biscoe` is column `Island`, category `Biscoe`; other names are numbers.
fn parts(feature: &str) -> (&str, Option<&str>) {
    feature
        .split_once('=')
        .map_or((feature, None), |(column, category)| (column, Some(category)))
}

fn read_weights(file: &[u8]) -> Result<SoftmaxModel, Failure> {
    let file = SafeTensors::deserialize(file)?;
    let numbers = |name: &str| -> Result<(Vec<f64>, Vec<usize>), Failure> {
        let tensor = file.tensor(name)?;
        if tensor.dtype() != safetensors::Dtype::F32 {
            return Err(format!("{name} is {:?}, expected F32", tensor.dtype()).into());
        }
        let numbers = tensor.data().as_chunks::<4>().0.iter();
        let numbers = numbers
            .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
            .collect();
        Ok((numbers, tensor.shape().to_vec()))
    };
    let (weights, shape) = numbers("classifier.weight")?;
    let (bias, _) = numbers("classifier.bias")?;
    let [classes, features] = shape[..] else {
        return Err("classifier.weight is not a matrix".into());
    };
    let weights = Array2::from_shape_vec((classes, features), weights)?;
    Ok(SoftmaxModel::new(weights, Array1::from_vec(bias))?)
}
