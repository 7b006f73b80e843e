//! Writes the record of a Machine's interfaces. I/O: the supervisor.

use std::time::Instant;

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, Preconditions};
use model::machine::{Failure, Identity};
use model::reason::Reason;
use runtime::clusters::{code, said};
use serde_json::Value;

use crate::context::Context;
use crate::networks::configurations;
use crate::objects::{patch_params, post_params};

fn api(ctx: &Context, identity: &Identity) -> Api<DynamicObject> {
    Api::namespaced_with(ctx.client.clone(), &identity.key.namespace, &configurations())
}

fn failure(identity: &Identity, why: &kube::Error) -> Failure {
    let message = format!("NetworkConfiguration {}, the record of its interfaces: {}", identity.key, said(why));
    Failure { reason: Reason::NetworkFailed, message }
}

/// One that appeared meanwhile is looked at first: its watch brings the next pass.
pub(super) async fn create(object: &Value, ctx: &Context, identity: &Identity) -> Result<(), Failure> {
    let object: DynamicObject =
        serde_json::from_value(object.clone()).expect("invariant: builders make Kubernetes objects");
    match api(ctx, identity).create(&post_params(), &object).await {
        Ok(made) => {
            ctx.networks.saw(&made);
            Ok(())
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 && answer.reason == "AlreadyExists" => {
            let message = format!("NetworkConfiguration {} has just appeared: it is looked at first", identity.key);
            Err(Failure { reason: Reason::NetworkPending, message })
        }
        Err(why) => {
            ctx.terminating.learn(&identity.key.namespace, &why, Instant::now());
            Err(failure(identity, &why))
        }
    }
}

/// Its watch brings the next pass, also where it is another one by now, or gone.
pub(super) async fn change(change: &Value, ctx: &Context, identity: &Identity) -> Result<(), Failure> {
    match api(ctx, identity).patch(&identity.key.name, &patch_params(), &Patch::Merge(change)).await {
        Ok(_) => Ok(()),
        Err(why) if matches!(code(&why), Some(404 | 409)) => Ok(()),
        Err(why) => Err(failure(identity, &why)),
    }
}

/// It may stay for as long as address management holds it; the Machine does not wait for that.
pub(super) async fn delete(uid: &str, ctx: &Context, identity: &Identity) -> Result<(), Failure> {
    let only_this = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api(ctx, identity).delete(&identity.key.name, &only_this).await {
        Ok(_) => Ok(()),
        Err(why) if matches!(code(&why), Some(404 | 409)) => Ok(()),
        Err(why) => Err(failure(identity, &why)),
    }
}
