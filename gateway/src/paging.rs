//! Pages that are asked for, and what comes of them. Pure.

use kube::api::ListParams;
use model::reason::Reason;
use serde_json::Value;

use crate::api::page::{MOST, Page, USUAL};
use crate::problem::{Mistake, Problem};
use crate::request::Asked;
use crate::translate::fields::{get, text};

/// Longest token that an API server was ever seen to give is a fraction of this.
const TOKEN: usize = 4096;

/// The page that a request asks for.
pub fn asked(asked: &Asked) -> Result<ListParams, Problem> {
    let mut wrong = Vec::new();
    let limit = match asked.parameter("limit") {
        None => USUAL,
        Some(text) => text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).unwrap_or_else(|| {
            wrong.push(Mistake::of("limit", Reason::FieldInvalid, format!("must be a number from 1 to {MOST}")));
            USUAL
        }),
    };
    let token = asked.parameter("page_token").filter(|token| !token.is_empty());
    if token.is_some_and(|token| token.len() > TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic())) {
        wrong.push(Mistake::of("page_token", Reason::FieldInvalid, "is no token of a page"));
    }
    if !wrong.is_empty() {
        return Err(Problem::mistakes(wrong));
    }
    Ok(ListParams { limit: Some(limit), continue_token: token.map(str::to_owned), ..ListParams::default() })
}

/// The items of a list.
pub fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The page of the items that are shown of a list.
pub fn page<T>(shown: Vec<T>, list: &Value, params: &ListParams) -> Page<T> {
    let left = get(list, &["metadata", "remainingItemCount"]).and_then(Value::as_u64);
    // Of a later page, nobody says how many were before.
    let whole = params.continue_token.is_none() && shown.len() == items(list).len();
    Page::of(shown, text(list, &["metadata", "continue"]), left, whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::every_row;

    #[test]
    fn f12_a_page_says_how_many_there_are_where_that_is_known() {
        let list = |next: &str, left: Value| json!({"metadata": {"continue": next, "remainingItemCount": left}, "items": [{}, {}]});
        let later = ListParams { continue_token: Some("t".to_owned()), ..ListParams::default() };
        #[rustfmt::skip]
        let cases = [
            ("all there is",        list("", Value::Null),  2, ListParams::default(), Some(2), ""),
            ("the first of two",    list("t", json!(148)),  2, ListParams::default(), Some(150), "t"),
            ("with a selector",     list("t", Value::Null), 2, ListParams::default(), None, "t"),
            ("a later one",         list("t", json!(100)),  2, later,                 None, "t"),
            ("some are left out",   list("", Value::Null),  1, ListParams::default(), None, ""),
        ];
        every_row(cases, |(name, list, shown, params, total, next)| {
            let page = page(vec![(); shown], &list, &params);
            assert_eq!((page.size, page.total, page.next_page_token.as_str()), (shown, total, next), "F12: {name}");
        });
    }
}
