//! What a KubevirtConfig says of its platform baseline, asked of a real API server: words of the schema, and annotations that a policy
//! judges as the controller reads them.

use kube::Api;
use kube::api::PostParams;
use model::api::{KubevirtConfig, KubevirtConfigSpec, PlatformSpec};
use model::platform::exclusion::parse;
use tests::fleet::CONFIGS_NAMESPACE;

use crate::fleet::shared;
use crate::machines::Ground;
use crate::table::every_row;

fn config(annotations: &[(&str, &str)], platform: Option<PlatformSpec>) -> KubevirtConfig {
    let spec = KubevirtConfigSpec { kubeconfig_secret_ref: "none".to_owned(), platform, ..Default::default() };
    let mut config = KubevirtConfig::new("judged", spec);
    let all = annotations.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    config.metadata.annotations = Some(all.collect());
    config
}

/// What a real API server says of each, without storing any.
async fn answers(configs: impl IntoIterator<Item = KubevirtConfig>) -> Vec<Option<String>> {
    let ground = Ground::new(shared().await, "platform-words").await;
    let api: Api<KubevirtConfig> = Api::namespaced(ground.supervisor.clone(), CONFIGS_NAMESPACE);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let mut answers = Vec::new();
    for config in configs {
        answers.push(api.create(&params, &config).await.err().map(|why| why.to_string()));
    }
    answers
}

#[tokio::test]
async fn p1_x84_an_exclusion_that_cannot_be_read_is_refused_before_it_is_stored() {
    let many = |count: usize| (0..count).map(|index| format!("A/b{index}")).collect::<Vec<_>>().join(",");
    let long = format!("A/{}", "b".repeat(17_000));
    #[rustfmt::skip]
    let texts = [
        "KubeDescheduler/cluster, MachineConfig/50-swap-enable".to_owned(), " A / b / c?*\n\n,d/e ".to_owned(), many(64), String::new(), " ".to_owned(),
        "KubeDescheduler".to_owned(), "A/".to_owned(), "/b".to_owned(), "A/b/c/d".to_owned(), "A/b, \"c\"/d".to_owned(), "Ä/b".to_owned(),
        "A/b c".to_owned(), many(65), long,
    ];
    let keys = ["platform.kubevirt.io/disabled-resources", "vitistack.io/disabled-resources"];
    let rows: Vec<_> = keys.iter().flat_map(|key| texts.iter().map(|text| (*key, text.as_str()))).collect();
    let found = answers(rows.iter().map(|row| config(&[*row], None))).await;
    every_row(rows.into_iter().zip(found), |((key, text), answer)| {
        let short = model::text::line(text, 40);
        assert_eq!(answer.is_some(), parse(text).is_err(), "{key}: {short:?}: {answer:?}");
        let by =
            answer.is_none_or(|why| why.contains("kubevirt-operator-platform") && why.contains("disabled-resources: "));
        assert!(by, "{key}: {short:?}");
    });
    let lists = ["- kind: MachineConfig\n  name: 50-*", "[{\"kind\": \"A\"}]"];
    let found = answers(lists.iter().map(|text| config(&[(keys[0], text)], None))).await;
    assert_eq!(found, [None, None], "lists are the controller's to judge");
}

#[tokio::test]
async fn x80_unknown_words_of_the_platform_are_refused_by_the_schema() {
    let spec = |mode: &str, assets: &[&str], disruption: &str| {
        let word = |text: &str| Some(text.to_owned()).filter(|it| !it.is_empty());
        let assets = assets.iter().map(|name| (*name).to_owned()).collect();
        Some(PlatformSpec { mode: word(mode), assets, node_disruption: word(disruption) })
    };
    let long = "x".repeat(65);
    #[rustfmt::skip]
    let rows = vec![
        (spec("Audit", &["mtv-operator"], "Allow"), None),
        (spec("", &[], ""),               None),
        (spec("audit", &[], ""),          Some("spec.platform.mode: Unsupported value: \"audit\"")),
        (spec("", &[], "allow"),          Some("spec.platform.nodeDisruption: Unsupported value: \"allow\"")),
        (spec("", &["a", "a"], ""),       Some("spec.platform.assets[1]: Duplicate value: \"a\"")),
        (spec("", &[long.as_str()], ""),  Some("spec.platform.assets[0]: Too long")),
    ];
    let found = answers(rows.iter().map(|(platform, _)| config(&[], platform.clone()))).await;
    every_row(rows.into_iter().zip(found), |((platform, want), answer)| match want {
        None => assert_eq!(answer, None, "{platform:?}"),
        Some(want) => assert!(answer.as_ref().is_some_and(|why| why.contains(want)), "{platform:?}: {answer:?}"),
    });
}
