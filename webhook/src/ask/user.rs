//! The author of a request, as the API server authenticated it. No I/O.

use std::collections::BTreeMap;

use k8s_openapi::api::authorization::v1::SubjectAccessReviewSpec;
use serde::Deserialize;

/// `userInfo` of a request. A field that is not known here might limit what the author may do, so it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// Reads it; `None` for nobody, who may read nothing. The error says what cannot be read.
    pub(super) fn read(json: Option<&str>) -> Result<Option<Self>, String> {
        let Some(json) = json else { return Ok(None) };
        let unreadable = |why: &dyn std::fmt::Display| format!("request.userInfo cannot be read: {why}");
        // serde takes a list for an object whose fields come in this order.
        if json.trim_start().starts_with('[') {
            return Err(unreadable(&"it is a list"));
        }
        let user: Option<Self> = serde_json::from_str(json).map_err(|why| unreadable(&why))?;
        Ok(user.filter(|user| !user.username.is_empty()))
    }

    /// The question about it, without what it is about.
    pub(super) fn spec(&self) -> SubjectAccessReviewSpec {
        SubjectAccessReviewSpec {
            user: Some(self.username.clone()),
            uid: Some(self.uid.clone()).filter(|uid| !uid.is_empty()),
            groups: Some(self.groups.clone()).filter(|groups| !groups.is_empty()),
            extra: Some(self.extra.clone()).filter(|extra| !extra.is_empty()),
            ..SubjectAccessReviewSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn t9_the_author_is_read_strictly_and_nobody_may_read_nothing() {
        let cases = [
            None,
            Some("null"),
            Some("{}"),
            Some(r#"{"username":""}"#),
            Some(r#"{"username":"","groups":["system:masters"]}"#),
        ];
        every_row(cases, |nobody| assert_eq!(User::read(nobody), Ok(None), "{nobody:?}"));
        let wrong = [
            r#""root""#,
            "[]",
            r#" ["root"]"#,
            r#"{"username":7}"#,
            r#"{"username":"ann","groups":"system:masters"}"#,
            r#"{"username":"ann","extra":{"scopes":"all"}}"#,
            r#"{"username":"ann","limited":true}"#,
            r#"{"username":"ann","username":"root"}"#,
        ];
        every_row(wrong, |wrong| {
            let why = User::read(Some(wrong)).expect_err(wrong);
            assert!(why.starts_with("request.userInfo cannot be read: "), "{wrong}: {why}");
        });
        let full =
            r#"{"username":"ann","uid":"u-1","groups":["dev","system:authenticated"],"extra":{"scopes":["a","b"]}}"#;
        let spec = User::read(Some(full)).expect("readable").expect("somebody").spec();
        assert_eq!((spec.user.as_deref(), spec.uid.as_deref()), (Some("ann"), Some("u-1")));
        assert_eq!(spec.groups, Some(vec!["dev".to_owned(), "system:authenticated".to_owned()]));
        assert_eq!(spec.extra.expect("extra")["scopes"], ["a", "b"]);
        let short = User::read(Some(r#"{"username":"ann"}"#)).expect("readable").expect("somebody").spec();
        assert_eq!((short.uid, short.groups, short.extra), (None, None, None));
    }
}
