//! A client that writes only as long as it may. I/O: passes requests on.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::http::{Extensions, Method, Request};
use futures::future::BoxFuture;
use kube::Client;
use kube::client::Body;
use tower::{Service, service_fn};

/// What a refused write says.
const OVER: &str = "this process does not lead any more, so it writes nothing";

/// Whether something may be written now. Clones ask the same.
#[derive(Clone)]
pub struct MayWrite(Arc<dyn Fn() -> bool + Send + Sync>);

/// Always.
impl Default for MayWrite {
    fn default() -> Self {
        Self::when(|| true)
    }
}

impl MayWrite {
    /// By what this says at each write.
    pub fn when(may_write: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_write))
    }

    /// Refuses a request that is fenced, once nothing may be written.
    pub(super) fn check(extensions: &Extensions) -> Result<(), BoxError> {
        match extensions.get::<Self>() {
            Some(Self(may_write)) if !may_write() => Err(OVER.into()),
            Some(_) | None => Ok(()),
        }
    }
}

/// The client, but every request that may change something fails, without being sent, once nothing may be written. A request that
/// waits for a busy server is asked about once more before it is sent.
pub fn fenced(client: Client, may_write: MayWrite) -> Client {
    let namespace = client.default_namespace().to_owned();
    let inner = service_fn(move |request| {
        let client = client.clone();
        async move { client.send(request).await }
    });
    Client::new(Fence { inner, may_write }, namespace)
}

pub(super) struct Fence<S> {
    pub(super) inner: S,
    pub(super) may_write: MayWrite,
}

impl<S> Service<Request<Body>> for Fence<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            request.extensions_mut().insert(self.may_write.clone());
        }
        if let Err(over) = MayWrite::check(request.extensions()) {
            return Box::pin(async { Err(over) });
        }
        let sent = self.inner.call(request);
        Box::pin(async { sent.await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use axum::http::Response;
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
        let client = fenced(Client::new(server, "default"), MayWrite::when(move || may_write.load(Ordering::SeqCst)));
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
