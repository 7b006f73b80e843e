//! A client that writes only as long as it may. I/O: passes requests on.

use std::task::{Context, Poll};

use axum::BoxError;
use axum::http::{Method, Request, Response};
use futures::future::BoxFuture;
use kube::Client;
use kube::client::Body;
use tower::Service;

/// The client, but every request that may change something fails, without being sent, once `may_write` says no.
pub fn fenced(client: Client, may_write: impl Fn() -> bool + Send + 'static) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Fence { client, may_write }, namespace)
}

struct Fence<F> {
    client: Client,
    may_write: F,
}

impl<F: Fn() -> bool> Service<Request<Body>> for Fence<F> {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) && !(self.may_write)() {
            return Box::pin(async { Err("this process does not lead any more, so it writes nothing".into()) });
        }
        let client = self.client.clone();
        Box::pin(async move { Ok(client.send(request).await?) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
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
