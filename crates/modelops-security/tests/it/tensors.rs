//! One tensor of a sealed model.

use std::fs;

use modelops_security::sealed::{OpenOptions, SealedFile, SealedSafetensors};
use modelops_security::{OpenError, TensorError};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::sealed::{Folder, folder};
use crate::{content, keyring};

fn model() -> (Folder, Vec<(String, Vec<u8>)>) {
    let f = folder(b"");
    let tensors: Vec<(String, Vec<u8>)> = [
        ("embed", 40_000),
        ("scale", 4),
        ("layer.0", 1_200_000),
        ("none", 0),
        ("layer.1", 16_384),
    ]
    .into_iter()
    .map(|(name, len)| (name.to_owned(), content(len)))
    .collect();
    let views = tensors.iter().map(|(name, data)| {
        (
            name.clone(),
            TensorView::new(Dtype::F32, vec![data.len() / 4], data).unwrap(),
        )
    });
    safetensors::serialize_to_file(views, None, &f.plain).unwrap();
    f.seal(&keyring(1));
    (f, tensors)
}

fn open(f: &Folder) -> Result<SealedSafetensors, TensorError> {
    SealedSafetensors::open(&f.sealed, &keyring(1), &OpenOptions::default())
}

#[test]
fn every_tensor_comes_back_by_its_name() {
    let (f, tensors) = model();
    let object = fs::read(&f.sealed).unwrap();
    let file = SealedFile::open_at(object, &keyring(1), &OpenOptions::default()).unwrap();
    let elsewhere = SealedSafetensors::over(file).unwrap();
    let sealed = open(&f).unwrap();
    assert_eq!(sealed.names().len(), tensors.len());
    for (name, data) in &tensors {
        assert_eq!(&sealed.tensor(name).unwrap(), data, "{name}");
        assert_eq!(&elsewhere.tensor(name).unwrap(), data, "{name}");
        let info = sealed.info(name).unwrap();
        assert_eq!(
            (info.dtype.as_str(), info.shape.as_slice()),
            ("F32", &[data.len() / 4][..])
        );
    }
    assert_eq!(
        sealed.tensor("other"),
        Err(TensorError::Unknown {
            name: "other".to_owned()
        })
    );
    let short = sealed.read_tensor("scale", &mut [0; 3]);
    assert_eq!(short, Err(TensorError::WrongLength { needed: 4, given: 3 }));
}

#[test]
fn a_damaged_tensor_is_refused_and_its_neighbours_are_not() {
    let (f, tensors) = model();
    let place = open(&f).unwrap().info("layer.0").unwrap();
    let mut bytes = fs::read(&f.sealed).unwrap();
    let middle = place.offset + place.len / 2;
    bytes[(8192 + 56 + middle / 16_384 * 16_400 + middle % 16_384) as usize] ^= 4;
    fs::write(&f.sealed, &bytes).unwrap();
    let sealed = open(&f).unwrap();
    assert_eq!(
        sealed.tensor("layer.0"),
        Err(TensorError::Open(OpenError::Unauthentic))
    );
    assert_eq!(sealed.tensor("embed").unwrap(), tensors[0].1);
    assert_eq!(sealed.tensor("layer.1").unwrap(), tensors[4].1);
}

#[test]
fn other_content_is_no_safetensors_file() {
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let overlap = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#;
    let long = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
    for content in [
        b"".to_vec(),
        b"1234567".to_vec(),
        vec![0xff; 100],
        99_999_999_u64.to_le_bytes().to_vec(),
        header("{"),
        header(overlap),
        header(long),
    ] {
        let f = folder(&content);
        f.seal(&keyring(1));
        assert_eq!(open(&f).map(|_| ()), Err(TensorError::Format));
    }
}
