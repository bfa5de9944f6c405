//! A sealed model in an object store, its data key under a key service: what opening it and reading one tensor costs in
//! requests and bytes, and what becomes of damage. `benches/scaling/objects.sh` runs it.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]
#![allow(clippy::print_stdout, reason = "it is a report")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelops_security::keys::{DataKey, ExternalKeys, KmsProvider};
use modelops_security::sealed::{OpenOptions, ReadAt, SealOptions, SealedFile, SealedSafetensors, seal_file};
use modelops_security::{InsecureSeededRandom, KeyError};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

/// AWS's client for Python, over a pipe.
struct Bridge {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Bridge {
    fn start(python: &str) -> Arc<Self> {
        let mut child = Command::new(python)
            .arg("benches/scaling/aws.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipes = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        Arc::new(Self {
            child,
            pipes: Mutex::new(pipes),
        })
    }

    fn ask(&self, request: &Value) -> io::Result<Value> {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{request}")?;
        let mut line = String::new();
        pipes.1.read_line(&mut line)?;
        let mut reply: Value = serde_json::from_str(&line)?;
        match reply.get("error") {
            Some(error) => Err(io::Error::other(error.to_string())),
            None => Ok(reply["ok"].take()),
        }
    }

    fn bytes(&self, request: &Value) -> io::Result<Vec<u8>> {
        let reply = self.ask(request)?;
        let text = reply.as_str().ok_or(ErrorKind::InvalidData)?;
        STANDARD.decode(text).map_err(|_| ErrorKind::InvalidData.into())
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key service. The binding goes along as its encryption context.
struct Kms {
    bridge: Arc<Bridge>,
    calls: Arc<AtomicU64>,
}

impl Kms {
    fn ask(&self, op: &str, key: &str, data: &[u8], binding: &[u8]) -> io::Result<Vec<u8>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (data, binding) = (STANDARD.encode(data), STANDARD.encode(binding));
        self.bridge
            .bytes(&json!({ "op": op, "key": key, "data": data, "binding": binding }))
    }
}

impl KmsProvider for Kms {
    fn name(&self) -> &str {
        "aws-kms"
    }

    fn wrap(&self, key_ref: &str, data_key: &DataKey, binding: &[u8]) -> Result<Vec<u8>, KeyError> {
        let wrapped = self.ask("encrypt", key_ref, data_key.expose(), binding);
        wrapped.map_err(|error| KeyError::Service(error.kind()))
    }

    fn unwrap(&self, key_ref: &str, wrapped: &[u8], binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        let key = self.ask("decrypt", key_ref, wrapped, binding);
        let key = key.map_err(|error| KeyError::Service(error.kind()))?;
        Ok(key.try_into().ok().map(DataKey::from_bytes))
    }
}

/// An object; counts what is fetched of it.
struct Object {
    bridge: Arc<Bridge>,
    name: &'static str,
    fetched: Arc<(AtomicU64, AtomicU64)>,
}

impl ReadAt for Object {
    fn size(&self) -> io::Result<u64> {
        let size = self.bridge.ask(&json!({ "op": "size", "name": self.name }))?;
        size.as_u64().ok_or_else(|| ErrorKind::InvalidData.into())
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.fetched.0.fetch_add(1, Ordering::Relaxed);
        self.fetched.1.fetch_add(out.len() as u64, Ordering::Relaxed);
        let request = json!({ "op": "get", "name": self.name, "start": offset, "len": out.len() });
        let bytes = self.bridge.bytes(&request)?;
        // A range that begins inside the object and ends behind it is answered with less.
        if bytes.len() != out.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

fn main() {
    let python = std::env::args().nth(1).expect("a Python with boto3 and moto");
    let bridge = Bridge::start(&python);
    let key = bridge.ask(&json!({ "op": "key" })).unwrap();
    let key = key.as_str().unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let kms = Kms {
        bridge: bridge.clone(),
        calls: calls.clone(),
    };
    let keys = ExternalKeys::new(kms, key);

    let folder = tempfile::tempdir_in("target").unwrap();
    let at = |name: &str| folder.path().join(name);
    let tensor: Vec<u8> = (0..4_u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let view = TensorView::new(Dtype::U8, vec![1 << 10, 4 << 10], &tensor).unwrap();
    let names: Vec<String> = (0..16).map(|i| format!("layer.{i:02}")).collect();
    safetensors::serialize_to_file(names.iter().map(|name| (name, &view)), None, &at("plain")).unwrap();
    let mut random = InsecureSeededRandom::new(1);
    seal_file(
        &at("plain"),
        &at("sealed"),
        &keys,
        &SealOptions::default(),
        &mut random,
    )
    .unwrap();
    println!(
        "sealed {} MiB, {} call of the key service",
        (tensor.len() * 16) >> 20,
        calls.swap(0, Ordering::Relaxed)
    );

    let fetched = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let open = |name: &'static str, path: &str| {
        let path = at(path);
        bridge
            .ask(&json!({ "op": "put", "name": name, "path": path }))
            .unwrap();
        let object = Object {
            bridge: bridge.clone(),
            name,
            fetched: fetched.clone(),
        };
        SealedFile::open_at(object, &keys, &OpenOptions::default())
    };
    let report = |what: &str| {
        let (requests, bytes) = (
            fetched.0.swap(0, Ordering::Relaxed),
            fetched.1.swap(0, Ordering::Relaxed),
        );
        println!("{what:<44} {requests:>3} requests {:>8} KiB", bytes >> 10);
    };
    let model = SealedSafetensors::over(open("model", "sealed").unwrap()).unwrap();
    report("open, with the names and places of 16 tensors");
    assert!(model.tensor("layer.10").unwrap() == tensor);
    report("read one tensor of 4 MiB");
    println!("{} call of the key service", calls.load(Ordering::Relaxed));

    let mut object = fs::read(at("sealed")).unwrap();
    let middle = object.len() / 2;
    object[middle] ^= 1;
    fs::write(at("damaged"), &object).unwrap();
    let model = SealedSafetensors::over(open("damaged", "damaged").unwrap()).unwrap();
    let refused = names.iter().filter(|name| model.tensor(name).is_err()).count();
    println!("one byte changed in the store: {refused} tensor of 16 is refused");
    object[middle] ^= 1;
    object.truncate(object.len() - 1);
    fs::write(at("cut"), &object).unwrap();
    println!("one byte cut off: {}", open("cut", "cut").unwrap_err());
}
