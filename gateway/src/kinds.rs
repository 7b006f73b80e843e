//! Requests to the API server, as they are sent. Pure.
//!
//! Names and namespaces go into paths as they are: whoever makes a request has looked at them.

use axum::http::Request;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request as Kind;
use kube::core::params::GetParams;
use kube::core::request::Error;
use model::names::{GATEWAY_MANAGER, GROUP, VERSION};
use serde_json::Value;

/// A request that cannot be made is a mistake of ours.
const SOUND: &str = "invariant: names were looked at, and bodies are plain data";

/// The path of a kind of ours; without a namespace, of all.
pub fn ours(plural: &str, namespace: Option<&str>) -> Kind {
    let within = namespace.map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    Kind::new(format!("/apis/{GROUP}/{VERSION}{within}/{plural}"))
}

/// The path of Secrets.
pub fn secrets(namespace: &str) -> Kind {
    Kind::new(format!("/api/v1/namespaces/{namespace}/secrets"))
}

/// Asks for one object.
pub fn get(kind: &Kind, name: &str) -> Request<Vec<u8>> {
    sound(kind.get(name, &GetParams::default()))
}

/// Asks for a page.
pub fn list(kind: &Kind, params: &ListParams) -> Request<Vec<u8>> {
    sound(kind.list(params))
}

/// Creates an object.
pub fn create(kind: &Kind, object: &Value, dry_run: bool) -> Request<Vec<u8>> {
    let params = PostParams { dry_run, field_manager: Some(GATEWAY_MANAGER.to_owned()) };
    sound(kind.create(&params, object.to_string().into_bytes()))
}

/// Changes an object by a merge patch.
pub fn patch(kind: &Kind, name: &str, changes: &Value, dry_run: bool) -> Request<Vec<u8>> {
    let params = PatchParams { dry_run, field_manager: Some(GATEWAY_MANAGER.to_owned()), ..PatchParams::default() };
    sound(kind.patch(name, &params, &Patch::Merge(changes)))
}

/// Deletes the object that has this UID, and is in this state, if one is given.
pub fn delete(kind: &Kind, name: &str, uid: &str, version: Option<&str>, dry_run: bool) -> Request<Vec<u8>> {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: version.map(str::to_owned) };
    let params = DeleteParams { dry_run, ..DeleteParams::background() }.preconditions(preconditions);
    sound(kind.delete(name, &params))
}

fn sound(request: Result<Request<Vec<u8>>, Error>) -> Request<Vec<u8>> {
    request.expect(SOUND)
}
