//! A client that writes only as long as it may. I/O: passes requests on.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::http::{Extensions, Method, Request, Response};
use futures::future::BoxFuture;
use kube::Client;
use kube::client::Body;
use tower::Service;

/// What a refused write says.
const OVER: &str = "this process does not lead any more, so it writes nothing";

/// The client, but every request that may change something fails, without being sent, once `may_write` says no. A request that
/// waits for a busy server is asked about once more before it is sent.
pub fn fenced(client: Client, may_write: impl Fn() -> bool + Send + Sync + 'static) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Fence { client, may_write: MayWrite(Arc::new(may_write)) }, namespace)
}

/// Goes with a request that may change something.
#[derive(Clone)]
pub(super) struct MayWrite(Arc<dyn Fn() -> bool + Send + Sync>);

impl MayWrite {
    /// Refuses a request that is fenced, once nothing may be written.
    pub(super) fn check(extensions: &Extensions) -> Result<(), BoxError> {
        match extensions.get::<Self>() {
            Some(Self(may_write)) if !may_write() => Err(OVER.into()),
            Some(_) | None => Ok(()),
        }
    }
}

struct Fence {
    client: Client,
    may_write: MayWrite,
}

impl Service<Request<Body>> for Fence {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            request.extensions_mut().insert(self.may_write.clone());
        }
        let client = self.client.clone();
        Box::pin(async move {
            MayWrite::check(request.extensions())?;
            Ok(client.send(request).await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{Patch, PatchParams};

    use super::*;

    #[derive(Clone, Default)]
    struct Server(Arc<AtomicUsize>);

    impl Service<Request<Body>> for Server {
        type Response = Response<axum::body::Body>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            self.0.fetch_add(1, Ordering::SeqCst);
            let map = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#;
            std::future::ready(Ok(Response::new(axum::body::Body::from(map))))
        }
    }

    #[tokio::test]
    async fn r11_who_may_not_write_any_more_sends_no_write_and_may_still_read() {
        let (server, leads) = (Server::default(), Arc::new(AtomicBool::new(true)));
        let asked = server.0.clone();
        let may_write = leads.clone();
        let client = fenced(Client::new(server, "default"), move || may_write.load(Ordering::SeqCst));
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        let write = async || {
            let patch = Patch::Merge(serde_json::json!({"data": {"a": "b"}}));
            maps.patch("a", &PatchParams::default(), &patch).await.map(drop)
        };
        write().await.unwrap();
        leads.store(false, Ordering::SeqCst);
        let refused = write().await.unwrap_err();
        let says = crate::clusters::said(&refused);
        assert_eq!(says, "this process does not lead any more, so it writes nothing");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it was not sent");
        maps.get("a").await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
