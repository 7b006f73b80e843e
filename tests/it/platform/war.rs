//! Somebody who writes an object anew each time it is corrected.

use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use super::objects::{DESCHEDULER, Object};
use super::site::{Site, of};

const MARK: &str = "platform.kubevirt.io/reconcile-paused";

/// All that the opponent knows of the object; the mark of a pause is not part of that.
async fn replace(site: &Site<'_>, whole: &Value) {
    let api = site.api(DESCHEDULER);
    loop {
        let mut object = whole.clone();
        object["metadata"]["resourceVersion"] = site.get(DESCHEDULER).await["metadata"]["resourceVersion"].clone();
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let as_gitops = PostParams { field_manager: Some("gitops".to_owned()), ..PostParams::default() };
        match api.replace(DESCHEDULER.3, &as_gitops, &object).await {
            Err(kube::Error::Api(answer)) if answer.code == 409 => {}
            done => return drop(done.unwrap_or_else(|error| panic!("{error}"))),
        }
    }
}

pub(super) async fn a_war_is_paused(site: &Site<'_>) {
    site.state("descheduler-loadaware", "Applied").await;
    let mut theirs = site.get(DESCHEDULER).await;
    theirs["spec"]["deschedulingIntervalSeconds"] = json!(3600);
    let metadata = json!({"name": DESCHEDULER.3, "namespace": DESCHEDULER.2, "labels": theirs["metadata"]["labels"]});
    theirs["metadata"] = metadata;
    let mark = site.mark();
    let mut edits = 0;
    // Each edit after the last one was corrected: a war as fast as we are.
    let paused = loop {
        replace(site, &theirs).await;
        edits += 1;
        let corrected = |it: &Value| it["spec"]["deschedulingIntervalSeconds"] == 60;
        let marked = |it: &Value| it["metadata"]["annotations"][MARK] == "true";
        let next = site.becomes(DESCHEDULER, "corrected or paused", |it| corrected(it) || marked(it)).await;
        if marked(&next) {
            break next;
        }
        assert!(edits < 40, "X88: there is no end: {:#?}", site.written(mark));
    };
    assert_eq!(paused["spec"]["deschedulingIntervalSeconds"], 3600, "X88: it is left as they have it");
    let says = site.state("descheduler-loadaware", "Paused").await;
    assert!(says.contains(MARK), "X88: how it goes on: {says}");
    site.ready("False/PlatformPaused").await;
    site.told(&["deschedulingIntervalSeconds", "KubeDescheduler"]).await;
    // The mark is wiped, each time.
    while edits < 40 {
        replace(site, &theirs).await;
        edits += 1;
    }
    site.goes_on("feature_volume_populator").await;
    let writes = || {
        let all = site.written(mark);
        all.iter().filter(|it| it.contains("kubedeschedulers")).count()
    };
    assert!(writes() <= 14, "P13, X88: {} writes for 40 edits", writes());
    let status = site.status().await;
    assert_eq!(
        of(&status, "descheduler-loadaware")["state"],
        "Paused",
        "P13: a mark that is wiped is the opponent's work"
    );
    let events = site.events().await;
    let about = events.iter().filter(|(reason, note)| reason == "AssetPaused" && note.contains("KubeDescheduler"));
    assert_eq!(about.count(), 1, "P13: one Event for one war: {events:#?}");

    // Peace, as the administrator says it.
    site.edit(DESCHEDULER, &json!({"metadata": {"annotations": {MARK: "false"}}})).await;
    site.becomes(DESCHEDULER, "corrected", |it| it["spec"]["deschedulingIntervalSeconds"] == 60).await;
    site.state("descheduler-loadaware", "Applied").await;
}

/// Somebody sets it back each time that it is corrected, until the controller gives up; how it is left.
pub(super) async fn until_paused(
    site: &Site<'_>,
    object: Object,
    change: &Value,
    ours: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..40 {
        site.edit(object, change).await;
        let marked = |it: &Value| it["metadata"]["annotations"][MARK] == "true";
        let next = site.becomes(object, "corrected or paused", |it| ours(it) || marked(it)).await;
        if marked(&next) {
            return next;
        }
    }
    panic!("X88: there is no end: {:#?}", site.written(0));
}
