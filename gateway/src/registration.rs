//! The two objects of a hub: made together, or not at all. I/O: requests, through `upstream`.

use std::time::Duration;

use kube::core::Request as Kind;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kinds;
use crate::objects::again;
use crate::problem::Problem;
use crate::translate::fields::{set, text};
use crate::translate::hub::pointer;
use crate::translate::kubeconfig::Document;
use crate::upstream::{Answer, Call, Failed, Upstream};

/// How long it may take to take back what was half done.
const UNDO: Duration = Duration::from_secs(5);

/// Where the two are.
pub struct Kinds {
    /// KubevirtConfigs.
    pub configs: Kind,
    /// Their Secrets.
    pub secrets: Kind,
}

impl Kinds {
    /// In this namespace.
    pub fn of(namespace: &str) -> Self {
        Self { configs: kinds::ours("kubevirtconfigs", Some(namespace)), secrets: kinds::secrets(namespace) }
    }
}

/// A hub that is to be.
pub struct Registration {
    /// The way to the API server.
    pub upstream: Upstream,
    /// In whose name.
    pub call: Call,
    /// Where.
    pub kinds: Kinds,
    /// Name of the KubevirtConfig.
    pub id: String,
}

impl Registration {
    /// Makes the KubevirtConfig, and then the Secret that it owns. Where that fails, the first goes again. Whether both were there
    /// already, made by the same request (X108), is said with them.
    pub async fn make(
        &self,
        config: &Value,
        secret: impl Fn(Option<&str>) -> Value,
        hash: Option<&str>,
    ) -> Result<(Answer, bool), Problem> {
        let made = match self.upstream.ask(&self.call, kinds::create(&self.kinds.configs, config, false)).await {
            Ok(made) => made,
            Err(failed) if failed.reason() == "AlreadyExists" && hash.is_some() => {
                return self.again(secret, hash, &failed, false).await.map(|present| (present, true));
            }
            Err(failed) => return Err(failed.problem(false, &pointer)),
        };
        let uid = text(&made.body, &["metadata", "uid"]);
        let create = kinds::create(&self.kinds.secrets, &secret(Some(uid)), false);
        let failed = match self.upstream.ask_about_secret(&self.call, create).await {
            Ok(_) => return Ok((made, false)),
            // The same request, sent once more meanwhile, was faster.
            Err(failed) if failed.reason() == "AlreadyExists" && self.owns(&secret(None), uid).await => {
                return Ok((made, false));
            }
            Err(failed) => failed,
        };
        let mut problem = failed.problem(false, &|_| None);
        let call = Call { until: Instant::now() + UNDO, ..self.call.clone() };
        let undone = self.upstream.ask(&call, kinds::delete(&self.kinds.configs, &self.id, uid, None, false)).await;
        if undone.is_err() {
            let left = "was made before and could not be taken back: delete the hub before it is registered again";
            problem.detail = format!("{}; KubevirtConfig {} {left}", problem.detail, self.id);
        }
        Err(problem)
    }

    /// What the same request made before. Its Secret is made if there is none: that time may have ended between the two.
    pub async fn again(
        &self,
        secret: impl Fn(Option<&str>) -> Value,
        hash: Option<&str>,
        failed: &Failed,
        dry_run: bool,
    ) -> Result<Answer, Problem> {
        let present = self.upstream.ask(&self.call, kinds::get(&self.kinds.configs, &self.id)).await;
        let present = present.map_err(|_| failed.problem(false, &pointer))?;
        again(&present.body, hash, failed)?;
        let secret = secret(Some(text(&present.body, &["metadata", "uid"])));
        let create = kinds::create(&self.kinds.secrets, &secret, dry_run);
        match self.upstream.ask_about_secret(&self.call, create).await {
            Err(failed) if failed.reason() != "AlreadyExists" => Err(failed.problem(false, &|_| None)),
            _ => Ok(present),
        }
    }

    /// Whether the Secret belongs to the KubevirtConfig of this UID. Who may change it need not be one who may read it.
    async fn owns(&self, secret: &Value, uid: &str) -> bool {
        let name = text(secret, &["metadata", "name"]);
        let seen = kinds::patch(&self.kinds.secrets, name, &json!({}), true);
        let seen = self.upstream.ask_about_secret(&self.call, seen).await;
        seen.is_ok_and(|seen| owners(&seen.body).any(|owner| owner == uid))
    }
}

/// UIDs of those that an object belongs to.
fn owners(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
}

/// The Secret that a KubevirtConfig names.
pub struct Secret {
    kind: Kind,
    namespace: String,
    name: String,
    config: String,
    uid: String,
}

impl Secret {
    /// That of this KubevirtConfig.
    ///
    /// Errors: 409, where it names one elsewhere, or by no name: whoever edits a KubevirtConfig does not say where the next kubeconfig goes.
    pub fn of(config: &Value, namespace: &str) -> Result<Self, Problem> {
        let said = |path: &[&str]| text(config, path).to_owned();
        let (elsewhere, name) = (said(&["spec", "secretNamespace"]), said(&["spec", "kubeconfigSecretRef"]));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let is_plain = (1..=253).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
        if !is_plain || !(elsewhere.is_empty() || elsewhere == namespace) {
            let says = "its KubevirtConfig names a Secret in another namespace, or by no name that one has: change spec.secretNamespace and spec.kubeconfigSecretRef with kubectl first";
            return Err(Problem::new(409, "Conflict", says));
        }
        Ok(Self {
            kind: kinds::secrets(namespace),
            namespace: namespace.to_owned(),
            name,
            config: said(&["metadata", "name"]),
            uid: said(&["metadata", "uid"]),
        })
    }

    /// Puts this kubeconfig into it, into the very Secret of this UID if one is given. One that is gone is made anew, as that of its
    /// KubevirtConfig. Answers with the UID.
    ///
    /// Errors: 409, where it belongs to something else.
    pub async fn replace(
        &self,
        upstream: &Upstream,
        call: &Call,
        document: &Document,
        (uid, dry_run): (Option<&str>, bool),
    ) -> Result<Option<String>, Problem> {
        let mut changes = document.replacement();
        set(&mut changes, &["metadata", "uid"], uid.map(Value::from));
        let replaced = upstream.ask_about_secret(call, kinds::patch(&self.kind, &self.name, &changes, dry_run)).await;
        let replaced = match replaced {
            Err(failed) if failed.reason() == "NotFound" && uid.is_none() => {
                let secret = document.secret(&self.name, &self.namespace, &self.config, Some(&self.uid));
                return match upstream.ask_about_secret(call, kinds::create(&self.kind, &secret, dry_run)).await {
                    Ok(_) => Ok(None),
                    Err(failed) => Err(failed.problem(false, &|_| None)),
                };
            }
            other => other.map_err(|failed| failed.problem(false, &|_| None))?,
        };
        if owners(&replaced.body).any(|owner| owner != self.uid) {
            let says = format!("Secret {} belongs to something else than this hub: nothing was changed", self.name);
            return Err(Problem::new(409, "Conflict", says));
        }
        Ok(Some(text(&replaced.body, &["metadata", "uid"]).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn x111_a_kubeconfig_goes_where_its_hub_is_and_nowhere_that_a_field_says() {
        let config = |namespace: &str, name: &str| json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"secretNamespace": namespace, "kubeconfigSecretRef": name}});
        #[rustfmt::skip]
        let cases = [
            ("that of the hub",          config("", "a-kubeconfig"),          true),
            ("and its namespace",        config("configs", "a-kubeconfig"),   true),
            ("another namespace",        config("team-m", "a-kubeconfig"),    false),
            ("a path",                   config("x/secrets/y?z=", "a"),       false),
            ("a path as a name",         config("", "../x"),                  false),
            ("the rest is cut off",      config("", "a#"),                    false),
            ("no name",                  config("", ""),                      false),
            ("dots",                     config("", ".."),                    false),
        ];
        every_row(cases, |(name, config, good)| {
            let found = Secret::of(&config, "configs");
            assert_eq!(
                found.as_ref().map(|it| it.name.as_str()).map_err(|it| it.status),
                if good { Ok("a-kubeconfig") } else { Err(409) },
                "{name}"
            );
        });
    }
}
