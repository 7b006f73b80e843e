//! Bundles that somebody else has written.

use std::time::Instant;

use kube::ResourceExt;
use tests::wait::eventually;

use super::*;

#[tokio::test]
async fn cert2_whatever_else_stands_in_a_bundle_is_put_right_within_seconds() {
    let ground = Ground::new("certs-bundle").await;
    let replica = ground.started(0).await;
    let ours = ground.bundle().await.expect("one bundle");
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).expect("a certificate").cert.pem();
    let encoded = |text: &str| json!(ByteString(text.as_bytes().to_vec()));
    let (foreign, surplus) = (encoded(&stranger), encoded(&format!("{ours}{stranger}")));
    #[rustfmt::skip]
    let cases = [
        ("empty",          0, 0, Value::Null),
        ("foreign",        0, 1, foreign.clone()),
        ("foreign",        1, 0, foreign),
        ("surplus",        1, 1, surplus),
        ("twice the same", 0, 0, encoded(&format!("{ours}{ours}"))),
    ];
    for (case, configuration, webhook, bundle) in cases {
        ground.spoil(configuration, webhook, &bundle).await;
        let since = Instant::now();
        eventually(&format!("{case} is put right"), async || match ground.bundle().await {
            Ok(bundle) if bundle == ours => Ok(()),
            Ok(other) | Err(other) => Err(other),
        })
        .await;
        assert!(since.elapsed() < AT_ONCE, "{case}: {:?}", since.elapsed());
        replica.shown(&ours, 0).await.expect("and it is still this one that is served");
    }
    let versions = async || {
        join_all(
            ground.configurations.iter().map(async |api| api.get(ground.name).await.expect("it").resource_version()),
        )
        .await
    };
    let before = (versions().await, replica.steps()["publish"]);
    let newcomer = ground.started(0).await;
    assert_eq!((versions().await, replica.steps()["publish"]), before, "what is right is not written again");
    assert_eq!(newcomer.steps().get("publish"), None);
}
