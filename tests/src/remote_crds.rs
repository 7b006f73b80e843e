//! The manifests that turn a bare kube-apiserver into a remote cluster: KubeVirt's VirtualMachine,
//! VirtualMachineInstance and KubeVirt CRDs with KubeVirt's own schemas, NetworkAttachmentDefinition, CDI's DataVolume, StorageClasses.
//!
//! I/O: runs `go mod download` and reads the files it names, once per machine; the result is kept in the cache folder
//! (`KUBEVIRT_OPERATOR_CACHE`, else `XDG_CACHE_HOME/kubevirt-operator`, else `~/.cache/kubevirt-operator`).

mod frames;

use frames::{FRAMES, data_volumes, definition, storage_class};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// The provisioner of our StorageClasses, played by the simulator.
pub const PROVISIONER: &str = "sim.kubevirt.io/provisioner";

const KUBEVIRT: &str = "kubevirt.io/kubevirt@v1.8.2";
const SCHEMAS: &str = "pkg/virt-operator/resource/generate/components/validations_generated.go";
const NETWORKS: &str = "github.com/k8snetworkplumbingwg/network-attachment-definition-client@v1.7.7";
const NETWORKS_FILE: &str = "artifacts/networks-crd.yaml";
/// Hashed into the cached file's name, so that changed code never gets what older code wrote.
const GENERATOR: &str = concat!(include_str!("remote_crds.rs"), include_str!("remote_crds/frames.rs"));

/// Why the manifests of a remote cluster cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CrdsError {
    /// Go is not installed.
    #[error("`go` cannot be started, it fetches {module}: {source}; install Go 1.26 or newer")]
    NoGo {
        /// Module that was asked for.
        module: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Go answered with an error, most likely about the network.
    #[error("`go mod download {module}` failed: {message}")]
    Download {
        /// Module that was asked for.
        module: &'static str,
        /// Go's own words.
        message: String,
    },
    /// The module does not hold what we know to be there.
    #[error("{path} holds no {what}")]
    Missing {
        /// File that was read.
        path: PathBuf,
        /// What was looked for in it.
        what: String,
    },
    /// A schema is not the YAML that it should be.
    #[error("{path}: {message}")]
    Yaml {
        /// File that was read.
        path: PathBuf,
        /// The parser's words.
        message: String,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// File in question.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Everything to apply to a remote cluster before its first VirtualMachine, as YAML documents.
///
/// Guarantees: the same text on every call; it needs Go and the network only when the cache is empty; several processes
/// may ask at once. Apply it server-side: with KubeVirt's schemas kubectl's last-applied annotation would be too large.
pub fn manifests() -> Result<String, CrdsError> {
    cached("kubevirt-v1.8.2", GENERATOR, generate)
}

/// What an earlier call generated; else what this one does, which is kept under the name for later ones.
pub(crate) fn cached(
    name: &str,
    generator: &str,
    generate: impl FnOnce() -> Result<String, CrdsError>,
) -> Result<String, CrdsError> {
    let generator = format!("{:x}", Sha256::digest(generator));
    let cached = cache().join(format!("crds/{name}-{}.yaml", &generator[..12]));
    match fs::read_to_string(&cached) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let text = generate()?;
            keep(&cached, &text).map_err(|source| CrdsError::Io { path: cached, source })?;
            Ok(text)
        }
        Err(source) => Err(CrdsError::Io { path: cached, source }),
    }
}

fn generate() -> Result<String, CrdsError> {
    let schemas = read(download(KUBEVIRT)?.join(SCHEMAS))?;
    let networks = read(download(NETWORKS)?.join(NETWORKS_FILE))?;
    let mut documents = Vec::new();
    for frame in &FRAMES {
        documents.push(definition(frame, &schema(&schemas, frame.singular)?));
    }
    documents.push(yaml(&networks.0, &networks.1)?);
    documents.push(data_volumes());
    documents.push(storage_class("default", true));
    documents.push(storage_class("fast-ssd", false));
    Ok(documents.iter().map(document).collect::<Vec<_>>().concat())
}

/// A YAML document with one line for each top-level key, whose value is JSON: that parses fastest.
pub(crate) fn document(object: &Value) -> String {
    let mut text = String::from("---\n");
    for (key, value) in object.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.extend([key, ": ", &value, "\n"]);
    }
    text
}

/// Takes one schema out of KubeVirt's Go source.
fn schema(file: &(PathBuf, String), name: &str) -> Result<Value, CrdsError> {
    yaml(&file.0, &raw(file, name)?)
}

/// An entry of a map in Go source, from a name to a raw string that holds YAML. Its backticks, which no raw string can hold, are
/// left out.
pub(crate) fn raw((path, source): &(PathBuf, String), name: &str) -> Result<String, CrdsError> {
    let start = format!("\n\t\"{name}\": `");
    let missing = || CrdsError::Missing { path: path.clone(), what: format!("schema `{name}`") };
    let rest = source.split_once(&start).ok_or_else(missing)?.1.replace("` + \"`\" + `", "");
    rest.split_once('`').map(|(text, _)| text.to_owned()).ok_or_else(missing)
}

fn yaml(path: &Path, text: &str) -> Result<Value, CrdsError> {
    serde_saphyr::from_str(text).map_err(|e| CrdsError::Yaml { path: path.to_owned(), message: e.to_string() })
}

/// Fetches a module into Go's own cache and answers with its folder. Exact versions only: the proxy serves no lists.
pub(crate) fn download(module: &'static str) -> Result<PathBuf, CrdsError> {
    eprintln!("fetching {module}");
    let out = Command::new("go")
        .args(["mod", "download", "-json", module])
        .current_dir(env::temp_dir()) // outside of any module
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| CrdsError::NoGo { module, source })?;
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    answer["Dir"].as_str().map(PathBuf::from).ok_or_else(|| CrdsError::Download {
        module,
        message: match answer["Error"].as_str() {
            Some(error) => error.to_owned(),
            None => String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        },
    })
}

pub(crate) fn read(path: PathBuf) -> Result<(PathBuf, String), CrdsError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(source) => Err(CrdsError::Io { path, source }),
    }
}

fn cache() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("KUBEVIRT_OPERATOR_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("kubevirt-operator")))
        .or_else(|| Some(set("HOME")?.join(".cache/kubevirt-operator")))
        .unwrap_or_else(|| env::temp_dir().join("kubevirt-operator"))
}

/// Writes beside the target and renames: another process sees all of the file or none of it.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_cut_out_of_the_go_source() {
        let source = "package components\n\nvar X = map[string]string{\n\t\"virtualmachineinstance\": `a: 1\n`,\n\t\"virtualmachine\": `openAPIV3Schema:\n  type: object\n`,\n}\n";
        let file = (PathBuf::from("generated.go"), source.to_owned());
        assert_eq!(schema(&file, "virtualmachine").unwrap(), json!({"openAPIV3Schema": {"type": "object"}}));
        let missing = schema(&file, "kubevirt").unwrap_err().to_string();
        assert_eq!(missing, "generated.go holds no schema `kubevirt`");
    }
}
