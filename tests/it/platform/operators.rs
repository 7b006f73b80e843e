//! The story of `west`, which has KubeVirt and the operators around it: what is left out, whose an object is, what is missing, who
//! else writes, and what we may not.

use serde_json::json;
use tests::platform_crds::Definition;

use super::objects::{DESCHEDULER, FORKLIFT};
use super::site::Site;
use super::{dependencies, others, shared, war};

#[tokio::test]
async fn d7_d8_p1_p5_x83_x84_x90_x92_what_is_not_ours_or_not_wanted_is_left_alone() {
    let site = Site::of(shared().await, "west").await;
    site.install(&[Definition::ForkliftController, Definition::KubeDescheduler, Definition::MachineConfig]).await;
    site.prepare(&[FORKLIFT, DESCHEDULER]).await;
    site.annotate("enable-loadaware", Some("true")).await;

    others::excluded_objects_are_not_made(&site).await;
    others::an_exclusion_that_is_not_read_holds_the_cluster(&site).await;
    others::an_object_of_the_admins_own_is_handed_over_by_its_label(&site).await;
    others::an_excluded_object_is_neither_changed_nor_deleted(&site).await;
    dependencies::a_namespace_is_waited_for(&site).await;
    dependencies::a_kind_comes_and_goes(&site).await;
    others::another_autopilot_has_the_cluster(&site).await;
    site.nothing_was_forbidden();
    war::a_war_is_paused(&site).await;
    dependencies::one_right_is_missing(&site).await;
    site.ask(&json!({"mode": "Off"})).await;
}
