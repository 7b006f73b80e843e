//! The kubeconfig of a hub: judged, kept in a Secret, and never shown (X111). Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::clusters::kubeconfig;
use model::names::{GROUP, KUBECONFIG_KEY, KUBECONFIG_READONLY_KEY, VERSION};
use model::reason::Reason;
use serde_json::{Value, json};

use super::fields::set;
use super::form::{Form, Mistakes};
use crate::problem::Mistake;

/// A kubeconfig that was judged. It is not shown, not even to who looks for mistakes in us.
#[derive(Clone)]
pub struct Document(Vec<u8>);

/// The kubeconfig, if what was given is one that clusters may be reached by. What is said about it never has anything of it.
pub fn read(form: &Form<'_>, required: bool, wrong: &mut Mistakes) -> Option<Document> {
    let mut say = |reason: Reason, detail: String| wrong.push(Mistake::at("#/kubeconfig", reason, detail));
    let given = match form.value("kubeconfig") {
        Value::String(given) => given,
        Value::Null => {
            if required {
                say(
                    Reason::FieldRequired,
                    "give the kubeconfig of the hub in base64, as `base64 -w0` writes it".to_owned(),
                );
            }
            return None;
        }
        _ => {
            say(Reason::TypeInvalid, "must be text".to_owned());
            return None;
        }
    };
    let packed: String = given.split_ascii_whitespace().collect();
    let Ok(document) = BASE64.decode(packed) else {
        say(Reason::FieldInvalid, "is not base64: encode the kubeconfig, as `base64 -w0` does".to_owned());
        return None;
    };
    match kubeconfig::parse(&document) {
        Ok(_) => Some(Document(document)),
        Err(why) => {
            say(Reason::FieldInvalid, why.to_string());
            None
        }
    }
}

impl Document {
    /// The Secret of a KubevirtConfig that has this UID, which owns it.
    pub fn secret(&self, name: &str, namespace: &str, config: &str, uid: Option<&str>) -> Value {
        let owner = |uid: &str| json!([{"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "KubevirtConfig", "name": config, "uid": uid}]);
        let mut secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": {KUBECONFIG_KEY: BASE64.encode(&self.0)},
        });
        set(&mut secret, &["metadata", "ownerReferences"], uid.map(owner));
        secret
    }

    /// The merge patch of a Secret that has another kubeconfig. One with fewer rights beside it led to where the old one did.
    pub fn replacement(&self) -> Value {
        json!({"data": {KUBECONFIG_KEY: BASE64.encode(&self.0), KUBECONFIG_READONLY_KEY: null}})
    }
}
