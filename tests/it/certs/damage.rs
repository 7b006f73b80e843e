//! A Secret that is gone or spoilt, while the webhook serves.

use std::time::Instant;

use kube::api::DeleteParams;
use tests::wait::eventually;

use super::*;
use crate::table::every_row;

/// Waits until the Secret holds the same again.
async fn same_again(ground: &Ground, case: &str, before: &BTreeMap<String, ByteString>) {
    let since = Instant::now();
    eventually(&format!("{case}: stored again"), async || match ground.secrets.get_opt(SECRET).await {
        Ok(Some(secret)) if secret.data.as_ref() == Some(before) => Ok(()),
        Ok(other) => Err(format!("{:?}", other.map(|it| it.data.map(|it| it.into_keys().collect::<Vec<_>>())))),
        Err(error) => Err(error.to_string()),
    })
    .await;
    assert!(since.elapsed() < AT_ONCE, "{case}: {:?}", since.elapsed());
}

#[tokio::test]
async fn cert5_a_secret_that_is_gone_or_spoilt_is_stored_again_while_the_webhook_serves() {
    let ground = Ground::new("certs-damage").await;
    let replicas = [ground.started(0).await, ground.started(0).await];
    let bundle = ground.bundle().await.expect("one bundle");
    let before = ground.secret().await.data.expect("data");
    let leaf = replicas[0].shown(&bundle, 0).await.expect("trusted");

    ground.secrets.delete(SECRET, &DeleteParams::default()).await.expect("deleted");
    same_again(&ground, "deleted", &before).await;
    let text = |text: &str| Some(ByteString(text.as_bytes().to_vec()));
    let other = certs::issue::Ca::new(Default::default(), OffsetDateTime::now_utc()).expect("a CA");
    let cut = String::from_utf8(before["ca.crt"].0[..200].to_vec()).expect("text");
    #[rustfmt::skip]
    let cases = [
        ("no key",         "ca.key",   None),
        ("empty",          "ca.crt",   text("")),
        ("cut",            "ca.crt",   text(&cut)),
        ("another's key",  "ca.key",   text(&other.key_pem())),
        ("junk",           "ca.key",   Some(ByteString(vec![0xff; 600 * 1024]))),
        ("a junk next",    "next.crt", text("hello")),
    ];
    for (case, key, value) in cases {
        let mut secret = ground.secret().await;
        let data = secret.data.as_mut().expect("data");
        match value {
            Some(value) => data.insert(key.to_owned(), value),
            None => data.remove(key),
        };
        ground.secrets.replace(SECRET, &PostParams::default(), &secret).await.expect("replaced");
        same_again(&ground, case, &before).await;
    }
    assert_eq!(ground.bundle().await, Ok(bundle.clone()), "the CA is the same");
    assert_eq!(replicas[0].shown(&bundle, 0).await, Ok(leaf), "and so is the leaf");
    let restored: u32 = replicas.iter().filter_map(|replica| replica.steps().get("restore").copied()).sum();
    assert_eq!(restored, 7);
    every_row(&replicas, |replica| assert!(!replica.identity.task.is_finished()));
}

/// Nobody was there when the Secret was lost. What others serve, if there are any, is trusted on.
#[tokio::test]
async fn cert5_who_finds_no_secret_begins_anew_and_keeps_trusting_what_is_live() {
    let ground = Ground::new("certs-lost").await;
    let gone = ground.started(0).await;
    let old = ground.bundle().await.expect("one bundle");
    gone.identity.task.abort();
    ground.secrets.delete(SECRET, &DeleteParams::default()).await.expect("deleted");

    let replica = ground.started(0).await;
    let both = ground.bundle().await.expect("one bundle");
    assert!(both.contains(&old) && certificates(&both) == 2, "{both}");
    replica.shown(&both, 0).await.expect("trusted");
    gone.shown(&both, 0).await.expect("what was served before is trusted on");
    let secret = ground.secret().await.data.expect("data");
    assert_eq!(secret["former.crt"].0, old.as_bytes());
    assert!(!secret.contains_key("next.key"));
}

/// Somebody puts another CA into the Secret, such as that of a backup.
#[tokio::test]
async fn cert1_a_ca_that_somebody_stored_is_announced_before_it_is_used() {
    let ground = Ground::new("certs-backup").await;
    let replica = ground.started(0).await;
    let old = ground.bundle().await.expect("one bundle");
    let leaf = replica.shown(&old, 0).await.expect("trusted");
    let other = certs::issue::Ca::new(Default::default(), OffsetDateTime::now_utc()).expect("a CA");
    let mut secret = ground.secret().await;
    let pairs = [("ca.crt", other.cert.pem.clone()), ("ca.key", other.key_pem())];
    secret.data = Some(pairs.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).into());
    ground.secrets.replace(SECRET, &PostParams::default(), &secret).await.expect("replaced");

    let both = eventually("both are published", async || match ground.bundle().await {
        Ok(bundle) if certificates(&bundle) == 2 => Ok(bundle),
        Ok(other) | Err(other) => Err(other),
    })
    .await;
    assert!(both.contains(&old) && both.contains(&other.cert.pem), "{both}");
    assert_eq!(replica.shown(&both, 0).await, Ok(leaf), "for a minute, the old one is used");
    assert_eq!(ground.secret().await.data.expect("data")["former.crt"].0, old.as_bytes());
}
